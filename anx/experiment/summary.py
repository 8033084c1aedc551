"""What a run comes to: in report.json, and in words."""

import json
import logging
from pathlib import Path
from typing import cast

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from anx.experiment.config.command_line import command_line, given_arguments, override, without
from anx.experiment.folder import LAST
from anx.experiment.shipping import Shipped
from anx.files import write_whole
from anx.learners.base import Learner, Words
from anx.rollout.evaluation import summarise

log = logging.getLogger(__name__)

Summary = dict[str, object]  # what report.json holds


def summarise_run(config: DictConfig, learner: Learner, steps: int, shipped: Shipped | None) -> Summary:
    """The steps, the agent, and the final evaluation under each of its names, in the learner's words."""
    words = learner.words
    agent = shipped and {words.step: shipped.step, "chosen_by": shipped.chosen_by, "score": shipped.score}
    return {
        "name": config.name,
        words.steps: steps,
        "seed": config.seed,
        "agent": agent,
        **{name: summarise(returns) for name, returns in learner.results.items()},
    }


def write_summary(run_dir: Path, summary: Summary) -> None:
    write_whole(run_dir / "report.json", json.dumps(summary, indent=2) + "\n")


def say_results(learner: Learner, summary: Summary) -> None:
    for name in learner.results:
        result = cast(dict[str, float], summary[name])
        log.info(
            "%-9s %8.1f ± %.1f  (mean and standard error over %d held-out episodes)",
            *(name, result["mean"], result["sem"], result["episodes"]),
        )


def describe_agent(shipped: Shipped, words: Words) -> str:
    """Which of a run's agents it is."""
    if shipped.chosen_by is None:
        return f"{words.last} after {words.step} {shipped.step:,}: none was validated"
    return f"the best by {shipped.chosen_by}: {shipped.score:.1f}, after {words.step} {shipped.step:,}"


@rank_zero_only
def say_how_to_go_on(run_dir: Path, words: Words, steps: int) -> None:
    """That a run was interrupted, and the command line that resumes it."""
    last = run_dir / LAST
    if not last.is_file():
        log.info("interrupted before there was a checkpoint")
        return
    given, checkpoint = given_arguments(), override("ckpt_path", last)
    if given is None:  # started from Python
        line = f"the same configuration with {checkpoint} {override('run_dir', run_dir)}"
    else:
        same = without(given, "ckpt_path", "hydra.run.dir")
        line = command_line("anx.run", *same, checkpoint, override("hydra.run.dir", run_dir))
    log.info("interrupted after %s %d; to go on:\n  %s", words.step, steps, line)
