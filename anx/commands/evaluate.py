"""`python -m anx.evaluate`: an agent under perturbations -> a table, json, a film, figures."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anx.commands.output import find_folder, find_output
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer
from anx.experiment.evaluation import build_evaluation, differing, name_perturbations, play, to_json
from anx.experiment.file_base import find_base, on_base, read_override
from anx.files import write_whole
from anx.perturb.base import Perturbation
from anx.perturb.inputs import Shuffle
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Evaluation, summarise
from anx.seeds import LARGEST
from anx.views.figures import Regression, study, write_study
from anx.views.film import film
from anx.views.table import Table, make_console, print_table

log = logging.getLogger(__name__)

MOST_REGRESSED = 100  # episodes: they are played one after the other


def evaluate_config(config: DictConfig) -> dict[str, object]:
    """What `config` asks for; prints the table and returns, and writes, what the json holds."""
    overrides = list(HydraConfig.get().overrides.task)
    config = on_base(config, overrides, HydraConfig.get().job.config_name)
    check_integer("episodes", config.episodes, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    output, video = find_output(config.output, ".json"), find_output(config.video, ".mp4", "video")
    figures = find_folder(config.figures)
    agent, rollout, perturbations = build_evaluation(config)
    played = play(config, agent, rollout, perturbations)
    print_results(config, played)
    result = to_json(config, overrides, played)
    if output:
        write_whole(output, json.dumps(result) + "\n")
        log.info("written to %s", output)
    if video:
        film(video, rollout, config.seed, perturbations, f"{config.name}: {name_perturbations(config.perturbations)}")
    if figures:
        draw_figures(figures, config, rollout, perturbations)
    return result


def draw_figures(folder: Path, config: DictConfig, rollout: Rollout, perturbations: Sequence[Perturbation]) -> None:
    """The agent in figures, and a table of what its code holds of the inputs; they are shuffled, if not perturbed."""
    label = name_perturbations(config.perturbations) if perturbations else "shuffle"
    episodes = min(max(config.episodes, 2), MOST_REGRESSED)
    result = study(rollout, config.seed, perturbations or [Shuffle()], label, episodes=episodes)
    write_study(result, folder)
    if result.regression:
        print_regression(result.regression)
    log.info("written to %s: %s", folder, ", ".join(f"{name}.png" for name in result.figures))


def print_results(config: DictConfig, played: Mapping[str, Evaluation]) -> None:
    """The evaluation for a person to read."""
    console = make_console()
    print_table(console, results_table(f"{config.name}: {config.weights}", played))
    if (differs := differing(played)) is not None:
        console.print(f"{differs:.2%} of the episodes end with a return that differs from plain by more than 0.001")


def results_table(title: str, played: Mapping[str, Evaluation]) -> Table:
    """What evaluations came to, a row each."""
    rows = []
    for name, evaluation in played.items():
        summary = summarise(evaluation.returns)
        speed = int(evaluation.steps.sum()) / evaluation.seconds
        figures = [f"{number:.1f}" for number in (summary["mean"], summary["std"], summary["sem"])]
        rows.append([name, *figures, str(summary["episodes"]), f"{speed:,.0f}", f"{evaluation.seconds:.1f}"])
    header = ["inputs", "mean", "std", "std. error", "episodes", "steps/s", "seconds"]
    return Table(header, rows, "lrrrrrr", title)


def print_regression(regression: Regression) -> None:
    """How much of each input the latent code holds, for a person to read."""
    (fitted, some), (held_out, others) = regression.fitted, regression.held_out
    rows = [[name, "constant" if r2 is None else f"{r2:.3f}"] for name, r2 in regression.r2.items()]
    console = make_console()
    console.print("The inputs regressed on the latent code:")
    print_table(console, Table(["input", "R²"], rows, "lr"))
    console.print(
        f"R² on held-out episodes: {held_out} ({others:,} steps); fitted on others: {fitted} ({some:,} steps)"
    )


def main() -> None:
    with one_line_errors():
        base = find_base(*(read_override(sys.argv[1:], key) for key in ("weights", "trust", "experiment")))
    run_main(evaluate_config, base)
