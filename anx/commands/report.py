"""`python -m anx.report RUN_FOLDER`: what a run came to -> report.html, one file that opens anywhere."""

import argparse
import logging
import pkgutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.config.command_line import evaluation_of
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.values import check_integer
from anx.experiment.config.writable import check_writable
from anx.experiment.files.older import renewed
from anx.experiment.files.plain import read_yaml
from anx.experiment.files.trust import check_agent_config, is_within, trust_override
from anx.experiment.files.weights import load_into, read_weights
from anx.learners.base import Words
from anx.rollout.base import Rollout
from anx.seeds import VALIDATION, derive_seed
from anx.views.figures.logged import SCALES, STEPS
from anx.views.film import why_no_film
from anx.views.report import Run, draw_agent, draw_run, words_in, write_page

log = logging.getLogger(__name__)

# What may be in a run's folder: the first agent that there is is the one that plays.
AGENTS = ("agent.safetensors", "checkpoints/best.ckpt", "checkpoints/last.ckpt")
OWN_LEARNERS = "anx.learners"
EVOLUTION = Words("generation", "generations", "the mean")  # of folders that name no learner


def write_report(
    run_dir: Path, *, figures: bool = True, film: bool = True, trust: Sequence[str] = (), x: str = STEPS
) -> Path:
    """Write report.html from what lies in a run's folder; returns its path.

    Without the agent's figures or its film, those that are already there are shown.

    Args:
        run_dir: a run's folder, also of one that goes on or was interrupted.
        figures: play episodes with shuffled inputs, and draw figures of them.
        film: film one.
        trust: packages whose components its config.yaml may name; the folder may be somebody else's.
        x: what its learning curve is drawn over, `generations`, `env_steps` or `core_hours`.

    Raises:
        ConfigError: it is no run's folder, or can't be written, or names what is not trusted.
    """
    config = read_config(run_dir, trust)
    check_writable(run_dir)
    run = facts_of(run_dir, config, trust)
    draw_run(run_dir, run, x)
    if (figures or film) and (rollout := read_rollout(run_dir, config)):
        seed = derive_seed(config.seed, VALIDATION)  # the episode of the pictures that were drawn while it learned
        with closing(rollout):
            draw_agent(run_dir, run, rollout, seed, figures=figures, film=film and can_film(rollout))
    return write_page(run_dir, run)


def read_config(run_dir: Path, trust: Sequence[str] = ()) -> DictConfig:
    """A run's resolved configuration, whose agent and environment can be built: nothing else of it ever is."""
    path = run_dir / "config.yaml"
    config = renewed(read_yaml(path.read_text(encoding="utf-8"), str(path))) if path.is_file() else None
    if not isinstance(config, dict) or not {"name", "seed", "env", "trainer"} <= set(config):
        raise ConfigError(f"RUN_FOLDER={run_dir} is no run's folder: it must hold a run's resolved config.yaml")
    check_agent_config(config, str(path), trust, option="--trust {}")
    check_integer("seed", config["seed"], least=0)
    return OmegaConf.create(config)


def facts_of(run_dir: Path, config: DictConfig, trust: Sequence[str]) -> Run:
    """What a report says of a run besides what lies in its folder."""
    evaluation = evaluation_of(run_dir.resolve() / "agent.safetensors", *trust_override(config))
    words = words_of(OmegaConf.select(config, "learner._target_"), trust)
    step, steps = words_in(run_dir)
    max_steps = OmegaConf.select(config, "trainer.max_steps")
    most = max_steps if isinstance(max_steps, int) else -1
    return Run(
        config.name,
        config.seed,
        most,
        OmegaConf.to_yaml(config),
        evaluation,
        step or words.step,
        steps or words.steps,
    )


def words_of(learner: object, trust: Sequence[str]) -> Words:
    """What a run's steps are called: its learner says it, one of anx's own or of a package that is trusted."""
    if not (isinstance(learner, str) and is_within(learner, [OWN_LEARNERS, *trust])):
        return EVOLUTION if learner is None else Words()
    try:
        return cast(Words, pkgutil.resolve_name(learner).words)
    except (ImportError, AttributeError):  # there is no such learner any more
        return Words()


def read_rollout(run_dir: Path, config: DictConfig) -> Rollout | None:
    """A rollout of a run's agent; None where the run has not left one yet."""
    for name in AGENTS:
        if (run_dir / name).is_file():
            agent, rollout = build_rollout(config)
            load_into(agent, read_weights(run_dir / name), run_dir / name)
            return rollout
    return None


def can_film(rollout: Rollout) -> bool:
    """Whether there is an environment that draws pictures, and an ffmpeg; else a report has no film."""
    reason = why_no_film() if rollout.env.has_pictures else "the environment draws no pictures"
    if reason:
        log.warning("the report has no film: %s", reason)
    return reason is None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m anx.report", description="Write a run's report.html anew.")
    parser.add_argument("folder", metavar="RUN_FOLDER", type=Path, help="runs/NAME/DATE; the run may be interrupted")
    parser.add_argument(
        "--trust", metavar="PACKAGE", action="append", default=[], help="whose components config.yaml may name"
    )
    parser.add_argument("--x", default=STEPS, help=f"of the learning curve: {', '.join(SCALES)}")
    arguments = parser.parse_args()
    with one_line_errors():
        print(write_report(arguments.folder, trust=arguments.trust, x=arguments.x))
