"""`python -m anx.reproduce zoo`: what the agents that ship score under every perturbation -> tables, Markdown, YAML."""

import logging
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.commands.output import find_output
from anx.commands.playing import Inputs, build, check_inputs, meanings, play
from anx.errors import ConfigError
from anx.experiment.config.values import check_integer
from anx.experiment.files.weights import identify_weights
from anx.files import write_whole
from anx.population import num_parameters
from anx.seeds import LARGEST
from anx.views.table import Table, make_console, print_table, to_markdown
from anx.zoo.shipped import PREFIX, shipped_names
from anx.zoo.table import Shipped, in_words, read_table, write_table

log = logging.getLogger(__name__)

INTRODUCTION = """\
# The agents that ship

Each plays wherever `weights=` is read, `python -m anx.evaluate weights=anx:cartpole 'perturbations=[shuffle]'`, in
`anx.load("anx:cartpole")`, and a training can start from it. Mean return and its standard error over fresh episodes,
written by `python -m anx.reproduce zoo table=anx/zoo/zoo.yaml output=docs/zoo.md`."""

Zoo = dict[str, Shipped]


def reproduce_zoo(config: DictConfig) -> None:
    """Play every chosen agent under every perturbation; print the scores, and write them as soon as they are there.

    Runs inside `hydra.main`, whose search path for configs it composes the evaluations from.
    """
    if config.episodes is not None:
        check_integer("episodes", config.episodes, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    check_inputs(config)
    table, output = find_output(config.table, ".yaml", "table"), find_output(config.output, ".md")
    zoo = read_table()
    # All at once: what is wrong must not show after hours.
    built = {
        (name, inputs): build(f"{PREFIX}{name}", overrides, config.device)
        for name in chosen_agents(config, zoo)
        for inputs, overrides in config.inputs.items()
    }
    for (name, _), playable in built.items():
        zoo[name] = of_its_file(name, zoo[name], playable.agent)
    try:
        for done, ((name, inputs), playable) in enumerate(built.items(), 1):
            what = f"{done} of {len(built)}: {PREFIX}{name}, {inputs}"
            score = play(playable, config.episodes or zoo[name].episodes, config.seed, what)
            zoo[name].scores[inputs] = score
            write(zoo, config.inputs, table, output)
            log.info("%s: %s", what, in_words(score))
    except KeyboardInterrupt:
        log.info("interrupted; what has been played stands in the tables")
        raise SystemExit(130) from None
    finally:
        print_table(make_console(), scores_table(zoo, config.inputs))
        write(zoo, config.inputs, table, output)


def chosen_agents(config: DictConfig, zoo: Zoo) -> list[str]:
    """The names of the agents that are to play."""
    ships = shipped_names()
    if config.agents is None:
        names = ships
    else:
        names = list(config.agents) if OmegaConf.is_list(config.agents) else [config.agents]
    for name in names:
        if name not in ships:
            raise ConfigError(f"agents={name} does not ship; allowed: {', '.join(ships)}")
        if name not in zoo:
            raise ConfigError(f"agents={name} has no row in anx/zoo/zoo.yaml that says how it was trained")
    return names


def of_its_file(name: str, row: Shipped, agent: Agent) -> Shipped:
    """A row, with what is known of the agent's file; scores of another file are none of this one's."""
    row.parameters, sha256 = num_parameters(agent), identify_weights(f"{PREFIX}{name}")["sha256"]
    if row.sha256 != sha256:
        row.sha256, row.scores = sha256, {}
    return row


def write(zoo: Zoo, inputs: Inputs, table: Path | None, output: Path | None) -> None:
    """Write the tables that are asked for."""
    if table:
        write_table(table, zoo)
    if output:
        write_whole(output, markdown(zoo, inputs))


def scores_table(zoo: Zoo, inputs: Inputs) -> Table:
    """An agent a row, a column for what befalls its inputs."""
    rows = []
    for name, row in zoo.items():
        episodes = sorted({score["episodes"] for score in row.scores.values()})
        rows.append([f"{PREFIX}{name}", *(in_words(row.scores.get(each)) for each in inputs)])
        rows[-1].append(", ".join(f"{each:,}" for each in episodes) or "-")
    return Table(["agent", *inputs, "episodes"], rows, "l" + "r" * (len(inputs) + 1))


def training_table(zoo: Zoo) -> Table:
    """An agent a row: how it came to be."""
    rows = [
        [
            f"{PREFIX}{name}",
            row.experiment,
            f"{row.parameters:,}",
            str(row.seed),
            "-" if row.steps is None else f"{row.steps:,}",
            "-" if row.core_hours is None else f"{row.core_hours:g}",
            "-" if row.curve is None else f"[{row.curve}]({row.curve})",
        ]
        for name, row in zoo.items()
    ]
    header = ["agent", "experiment", "parameters", "seed", "environment steps", "core-hours", "curve"]
    return Table(header, rows, "llrrrrl", "How they were trained")


def markdown(zoo: Zoo, inputs: Inputs) -> str:
    """Everything that is known of the agents that ship."""
    commands = "\n".join(f"{row.command}  # {PREFIX}{name}" for name, row in zoo.items())
    parts = [
        INTRODUCTION,
        to_markdown(scores_table(zoo, inputs)),
        to_markdown(meanings(inputs)),
        to_markdown(training_table(zoo)),
        f"```sh\n{commands}\n```",
    ]
    return "\n\n".join(parts) + "\n"
