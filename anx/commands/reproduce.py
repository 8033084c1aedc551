"""`python -m anx.reproduce`: the paper's tables beside what given weights score here -> tables, Markdown."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple, cast

import hydra
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.commands.ablations import reproduce_ablations
from anx.commands.output import find_output
from anx.commands.zoo import reproduce_zoo
from anx.errors import ConfigError
from anx.experiment.config.command_line import key_of
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer
from anx.experiment.evaluation import build_evaluation
from anx.experiment.file_base import EVALUATION, store_base
from anx.experiment.files.weights import read_weights
from anx.files import write_whole
from anx.perturb.base import Perturbation
from anx.progress import shown
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Evaluation, evaluate, summarise
from anx.seeds import LARGEST
from anx.views.table import Table, make_console, print_table, to_markdown

log = logging.getLogger(__name__)

# As the first argument, instead of the paper's tables: the agents that ship, those of a sweep.
OTHERS = {"zoo": reproduce_zoo, "ablations": reproduce_ablations}
NUMBERS = ("paper", "here", "std. error", "episodes", "seconds")
LEGEND = (
    "Mean ± standard deviation of an episode's return; standard error of the mean, episodes and seconds of those here."
)


class Job(NamedTuple):
    """An evaluation; cells with the same one share its result."""

    agent: str
    overrides: tuple[str, ...]


class Cell(NamedTuple):
    """What one cell of a table compares."""

    row: str
    column: str
    paper: list[float] | None  # mean and standard deviation
    job: Job | None  # None: nothing to evaluate


def reproduce(config: DictConfig) -> None:
    """Evaluate every cell whose weights are given; print the tables, and write them whenever a cell is finished.

    Runs inside `hydra.main`, whose search path for configs it composes the evaluations from.
    """
    if config.episodes is not None:
        check_integer("episodes", config.episodes, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    if not OmegaConf.is_dict(config.weights):
        given = ", ".join(f"weights.{name}=PATH" for name in config.agents)
        raise ConfigError(f"weights={config.weights} must be given by the agent that it is of: {given}")
    for name, agent in config.agents.items():
        check_integer(f"agents.{name}.episodes", agent.episodes, least=1)
    output = find_output(config.output, ".md")
    cells = {name: list(read_cells(config, name)) for name in chosen_tables(config)}
    jobs = dict.fromkeys(cell.job for each in cells.values() for cell in each if cell.job)
    built = {job: build(config, job) for job in jobs}  # all at once: what is wrong must not show after hours
    results: dict[Job, Evaluation] = {}
    try:
        for job, playable in built.items():
            results[job] = play(config, job, *playable)
            if output:
                write_whole(output, markdown(config, cells, results))
            log.info("%d of %d: %s", len(results), len(built), in_words(job, results[job]))
    except KeyboardInterrupt:
        log.info("interrupted after %d of %d cells", len(results), len(built))
        raise SystemExit(130) from None
    finally:
        print_tables(config, cells, results)
        if not built:
            given = " ".join(f"weights.{name}=PATH" for name in config.weights)
            log.info("the paper's figures only: no weights are given for these tables; give them with %s", given)
        if output and (results or not built):
            write_whole(output, markdown(config, cells, results))
            log.info("written to %s", output)


def chosen_tables(config: DictConfig) -> list[str]:
    """The names of the tables to print."""
    if config.tables is None:
        return list(config.definitions)
    names = list(config.tables) if OmegaConf.is_list(config.tables) else [config.tables]
    for name in names:
        if name not in list(config.definitions):
            raise ConfigError(f"tables={name} is unknown; allowed: {', '.join(config.definitions)}")
    return names


def read_cells(config: DictConfig, name: str) -> Iterator[Cell]:
    """The cells of a table, row by row."""
    table = config.definitions[name]
    for row, content in table.rows.items():
        given = content.agent is not None and config.weights[content.agent] is not None
        for column, paper in content.paper.items():
            overrides = table.columns[column]
            job = Job(content.agent, tuple(overrides)) if given and overrides is not None else None
            yield Cell(row, column, paper, job)


def build(config: DictConfig, job: Job) -> tuple[Agent, Rollout, list[Perturbation]]:
    """What `anx.evaluate` would build for a job; an agent that its file describes plays in the world of the table."""
    key, path = f"weights.{job.agent}", config.weights[job.agent]
    base, overrides = EVALUATION, list(config.agents[job.agent].overrides)
    if agent := read_weights(path, key).config:
        source, row = f"{key}={path}", hydra.compose(EVALUATION, overrides)
        base = store_base(in_world_of(row, agent, source), source, config.trust)
        overrides = [each for each in overrides if key_of(each) not in ("experiment", "ablation", *AGENT_KEYS)]
    evaluation = hydra.compose(base, [*overrides, *job.overrides])
    evaluation.weights, evaluation.device = path, config.device
    return build_evaluation(evaluation, key)


def in_world_of(row: DictConfig, agent: object, source: str) -> dict[str, object]:
    """A file's agent where a table's row plays; ConfigError unless its parts are of the row's kinds.

    Args:
        row: the configuration of the row.
        agent: what the file says.
        source: of it.
    """
    ours = cast(dict[str, dict[str, object]], OmegaConf.to_container(row, resolve=True))
    said = agent if isinstance(agent, dict) else {}
    for part in ("env", *(key for key in AGENT_KEYS if key not in ("env", "rollout"))):
        theirs = said.get(part, ours[part]) if said else None
        kind = theirs.get("_target_") if isinstance(theirs, dict) else theirs
        if kind != ours[part]["_target_"]:
            raise ConfigError(f"{source} has {part} {kind}, the row is of agents with {ours[part]['_target_']}")
    return {**said, **{key: ours[key] for key in ("name", "env", "rollout")}}


def play(config: DictConfig, job: Job, agent: Agent, rollout: Rollout, perturbations: list[Perturbation]) -> Evaluation:
    """A job's episodes: as many as the paper's, unless another number is asked for."""
    episodes = config.episodes or config.agents[job.agent].episodes
    with closing(rollout), shown(" ".join([job.agent, *job.overrides]), episodes):
        return evaluate(agent, rollout, episodes, config.seed, perturbations)


def in_words(job: Job, result: Evaluation) -> str:
    """What a job came to, in a line."""
    _, here, _, episodes, seconds = numbers(None, result)
    return f"{' '.join([job.agent, *job.overrides])}: {here} over {episodes} episodes, {seconds} s"


def numbers(paper: list[float] | None, result: Evaluation | None) -> list[str]:
    """The texts for `NUMBERS`."""
    figures = "{:.0f} ± {:.0f}".format(*paper) if paper else "-"
    if result is None:
        return [figures, *"-" * (len(NUMBERS) - 1)]
    here = summarise(result.returns)
    own = f"{here['mean']:.0f} ± {here['std']:.0f}"
    return [figures, own, f"{here['sem']:.1f}", str(here["episodes"]), f"{result.seconds:.1f}"]


def to_table(title: str, axis: str, cells: list[Cell], results: Mapping[Job, Evaluation]) -> Table:
    """A table of the paper and of what was measured here, a row a cell."""
    rows = [
        [cell.row, cell.column, *numbers(cell.paper, results.get(cell.job) if cell.job else None)] for cell in cells
    ]
    return Table(["agent", axis, *NUMBERS], rows, "ll" + "r" * len(NUMBERS), title, grouped=True)


def print_tables(config: DictConfig, cells: Mapping[str, list[Cell]], results: Mapping[Job, Evaluation]) -> None:
    """The tables for a person to read."""
    console = make_console()
    for name, each in cells.items():
        definition = config.definitions[name]
        print_table(console, to_table(f"{name}: {definition.title}", definition.axis, each, results))
    console.print(LEGEND)


def markdown(config: DictConfig, cells: Mapping[str, list[Cell]], results: Mapping[Job, Evaluation]) -> str:
    """The tables, and what they were made with, in Markdown."""
    weights = "\n".join(f"- `weights.{name}={path}`" for name, path in config.weights.items() if path is not None)
    parts = ["# The tables of Tang & Ha 2021, and what was measured here", f"{LEGEND} Seed {config.seed}."]
    parts += [weights] if weights else []
    for name, each in cells.items():
        definition = config.definitions[name]
        parts.append(to_markdown(to_table(definition.title, definition.axis, each, results)))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        name = sys.argv.pop(1)
        run_main(OTHERS[name], name)
    else:
        run_main(reproduce, "reproduce")
