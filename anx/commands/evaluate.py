"""`python -m anx.evaluate`: an agent under perturbations -> a table, json, a film, figures."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from anx.errors import ConfigError
from anx.experiment.check import check_writable
from anx.experiment.evaluation import build_evaluation, differing, name_perturbations, play, to_json
from anx.experiment.file_base import find_base, on_base, read_override
from anx.experiment.messages import one_line_errors
from anx.experiment.program import run_main
from anx.experiment.values import check_integer
from anx.files import write_whole
from anx.perturb.inputs import Perturbation, Shuffle
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Evaluation, summarise
from anx.seeds import LARGEST
from anx.views.figures import Regression, study, write_study
from anx.views.film import film

log = logging.getLogger(__name__)

MOST_REGRESSED = 100  # episodes: they are played one after the other


def evaluate_config(config: DictConfig) -> dict[str, object]:
    """What `config` asks for; prints the table and returns, and writes, what the json holds."""
    overrides = list(HydraConfig.get().overrides.task)
    config = on_base(config, overrides, HydraConfig.get().job.config_name)
    check_integer("episodes", config.episodes, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    output = find_output(config.output, ".json")
    video = find_output(config.video, ".mp4", "video")
    if config.figures is not None:
        check_writable(str(config.figures))
    agent, rollout, perturbations = build_evaluation(config)
    played = play(config, agent, rollout, perturbations)
    print_table(config, played, differing(played))
    result = to_json(config, overrides, played)
    if output:
        write_whole(output, json.dumps(result) + "\n")
        log.info("written to %s", output)
    if video:
        film(video, rollout, config.seed, perturbations, f"{config.name}: {name_perturbations(config.perturbations)}")
    if config.figures is not None:
        draw_figures(config, rollout, perturbations)
    return result


def draw_figures(config: DictConfig, rollout: Rollout, perturbations: Sequence[Perturbation]) -> None:
    """The agent in figures, and a table of what its code holds of the inputs; they are shuffled, if not perturbed."""
    label = name_perturbations(config.perturbations) if perturbations else "shuffle"
    episodes = min(max(config.episodes, 2), MOST_REGRESSED)
    result = study(rollout, config.seed, perturbations or [Shuffle()], label, episodes=episodes)
    write_study(result, Path(str(config.figures)))
    if result.regression:
        print_regression(result.regression)
    log.info("written to %s: %s", config.figures, ", ".join(f"{name}.png" for name in result.figures))


def find_output(output: str | None, suffix: str, key: str = "output") -> Path | None:
    """The file to write to, if one is asked for; whether it can be is known before anything is played."""
    if output is None:
        return None
    path = Path(str(output))
    if path.suffix != suffix:
        raise ConfigError(f"{key}={output} must end in {suffix}")
    check_writable(path.parent)
    return path


def print_table(config: DictConfig, rows: dict[str, Evaluation], differs: float | None) -> None:
    """The evaluation for a person to read."""
    table = Table(title=escape(f"{config.name}: {config.weights}"), title_justify="left")
    for column in ("inputs", "mean", "std", "std. error", "episodes", "steps/s", "seconds"):
        table.add_column(column, justify="left" if column == "inputs" else "right", no_wrap=True)
    for name, evaluation in rows.items():
        summary = summarise(evaluation.returns)
        speed = int(evaluation.steps.sum()) / evaluation.seconds
        numbers = (summary["mean"], summary["std"], summary["sem"])
        cells = [f"{number:.1f}" for number in numbers]
        table.add_row(name, *cells, str(summary["episodes"]), f"{speed:,.0f}", f"{evaluation.seconds:.1f}")
    console = make_console()
    console.print(table)
    if differs is not None:
        console.print(f"{differs:.2%} of the episodes end with a return that differs from plain by more than 0.001")


def print_regression(regression: Regression) -> None:
    """How much of each input the latent code holds, for a person to read."""
    (fitted, some), (held_out, others) = regression.fitted, regression.held_out
    table = Table("input")
    table.add_column("R²", justify="right")
    for name, r2 in regression.r2.items():
        table.add_row(name, "constant" if r2 is None else f"{r2:.3f}")
    console = make_console()
    console.print("The inputs regressed on the latent code:")
    console.print(table)
    console.print(
        f"R² on held-out episodes: {held_out} ({others:,} steps); fitted on others: {fitted} ({some:,} steps)"
    )


def make_console() -> Console:
    """As wide as the terminal; 120 where the output is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 120)


def main() -> None:
    with one_line_errors():
        base = find_base(*(read_override(sys.argv[1:], key) for key in ("weights", "trust", "experiment")))
    run_main(evaluate_config, base)
