"""`python -m anx.reproduce ablations`: what a sweep's agents score under perturbations -> tables, Markdown, csv."""

import contextlib
import logging
from pathlib import Path

import yaml
from omegaconf import DictConfig

from anx.commands.output import find_output
from anx.commands.playing import Playable, build, check_inputs, meanings, play
from anx.commands.scores import (
    Asked,
    Played,
    Run,
    of_failed,
    of_settings,
    of_values,
    read_runs,
    read_scores,
    write_scores,
)
from anx.errors import InputsDoNotFitError
from anx.experiment.config.command_line import command_line, override
from anx.experiment.config.values import check_integer
from anx.experiment.config.writable import check_writable
from anx.files import hash_of, write_whole
from anx.population import num_parameters
from anx.seeds import LARGEST
from anx.views.table import make_console, print_table, to_csv, to_markdown
from anx.zoo.table import in_words

log = logging.getLogger(__name__)

INTRODUCTION = """\
# {name}: what each setting's agents score

The mean return of each run's agent over {episodes:,} fresh episodes (seed {seed}); in the table its mean over the
runs' seeds and, of several, the standard error over seeds. All agents play as they were trained: `pooler.gain` stays
what it was where there are more inputs, too. A dash: they take no other number of inputs than they were made for.
Environment steps and core-hours are a run's training. `{csv}` has each seed's value. Written by"""


def reproduce_ablations(config: DictConfig) -> None:
    """Play every run's agent under every perturbation; what has been played before is kept.

    Runs inside `hydra.main`, whose search path for configs it composes the evaluations from.
    """
    check_integer("episodes", config.episodes, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    check_inputs(config)
    folder, output = Path(str(config.sweep)), find_output(config.output, ".md")
    runs = read_runs(folder)
    check_writable(folder)
    scores = read_scores(folder)
    for run in runs:
        run.scores = known(config, run, scores.get(run.folder.name, []))
    waiting = build_all(config, runs)
    try:
        for done, (run, inputs, playable) in enumerate(waiting, 1):
            what = f"{done} of {len(waiting)}: {run.folder.name}, {inputs}"
            score = play(playable, config.episodes, config.seed, what)
            run.scores[inputs] = {
                **asked(config, run, inputs),
                "mean": score["mean"],
                "sem": score["sem"],
                "parameters": num_parameters(playable.agent),
            }
            scores.setdefault(run.folder.name, []).append(run.scores[inputs])
            write_scores(folder, scores)
            write(config, runs, output)
            log.info("%s: %s", what, in_words(score))
    except KeyboardInterrupt:
        log.info("interrupted; what has been played is kept, started again it goes on from there")
        raise SystemExit(130) from None
    finally:
        for table in (of_settings(runs, config.inputs), *of_failed(runs)):
            print_table(make_console(), table)
        write(config, runs, output)


def build_all(config: DictConfig, runs: list[Run]) -> list[tuple[Run, str, Playable]]:
    """What is to be played: runs, and what befalls their inputs. All at once: what is wrong must not show after hours.

    Agents that do not take as many inputs as there would be are left out.
    """
    playables = []
    for run in runs:
        for inputs in (each for each in config.inputs if not run.reason and each not in run.scores):
            with contextlib.suppress(InputsDoNotFitError):
                playable = build(str(run.agent), config.inputs[inputs], config.device, config.trust)
                playables.append((run, str(inputs), playable))
    return playables


def asked(config: DictConfig, run: Run, inputs: str) -> Asked:
    """What a score is of."""
    overrides = list(config.inputs[inputs])
    return Asked(sha256=hash_of(run.agent), overrides=overrides, seed=config.seed, episodes=config.episodes)


def known(config: DictConfig, run: Run, scores: list[Played]) -> dict[str, Played]:
    """What has been played of a run's agent, these episodes only, by what befalls the inputs."""
    found: dict[str, Played] = {}
    for inputs in config.inputs if not run.reason else ():
        same = asked(config, run, inputs)
        found.update((inputs, score) for score in scores if same.items() <= score.items())
    return found


def write(config: DictConfig, runs: list[Run], output: Path | None) -> None:
    """The tables that are asked for."""
    if output:
        write_whole(output, markdown(config, runs, output.with_suffix(".csv").name))
        write_whole(output.with_suffix(".csv"), to_csv(of_values(runs, config.inputs)))


def markdown(config: DictConfig, runs: list[Run], csv: str) -> str:
    """The tables, how they were made, and what the runs have in common."""
    folder, inputs = Path(str(config.sweep)), config.inputs
    played = [f"episodes={config.episodes}", *([f"seed={config.seed}"] if config.seed else [])]
    given = [override("sweep", config.sweep), *played, override("output", config.output)]
    identity = yaml.safe_load((folder / "sweep.yaml").read_text(encoding="utf-8"))
    parts = [
        INTRODUCTION.format(name=folder.name, episodes=config.episodes, seed=config.seed, csv=csv),
        f"```sh\n{command_line('anx.reproduce', 'ablations', *given)}\n```",
        to_markdown(of_settings(runs, inputs)),
        *map(to_markdown, of_failed(runs)),
        to_markdown(meanings(inputs)),
        f"Every run was given `{' '.join(identity['overrides']) or 'nothing else'}`.",
    ]
    return "\n\n".join(parts) + "\n"
