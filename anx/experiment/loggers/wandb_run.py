"""Weights & Biases without a question asked."""

import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from anx.errors import ConfigError
from anx.experiment.folder import AGENT, FILM
from anx.experiment.loggers.base import COLUMNS, RunLogger, figures_in, rows_of
from anx.rollout.evaluation import Statistics

log = logging.getLogger(__name__)


def wandb_mode() -> str:
    """What W&B is to do, decided before it can ask: `online` only for whoever is logged in."""
    if mode := os.environ.get("WANDB_MODE"):
        return mode
    if (mode := wandb.setup().settings.mode) != "online":
        return str(mode)
    try:
        return "online" if wandb.login(prompt=False) else "offline"
    except (wandb.errors.AuthenticationError, wandb.errors.UsageError):
        return "offline"


def users_folder() -> str | None:
    """The user's WANDB_DIR; where there is none, W&B's agent sets it to the working directory."""
    folder = os.environ.get("WANDB_DIR")
    return None if "WANDB_SWEEP_ID" in os.environ and folder == os.path.abspath(os.getcwd()) else folder


class WandbRun(RunLogger, WandbLogger):
    """A run of W&B's."""

    keeps_agent = False  # whether the agent goes along as an artifact

    @override
    @rank_zero_only
    def log_picture(self, name: str, path: Path, step: int) -> None:
        self.log_image(name, [str(path)], step=step)

    @override
    @rank_zero_only
    def log_outcome(self, run_dir: Path, results: Mapping[str, Statistics], step: int) -> None:
        """The final evaluation as a table, the film and the figures as media, the agent as an artifact if wanted."""
        run = self.experiment
        media: dict[str, Any] = {"final": wandb.Table(list(COLUMNS), [list(row) for row in rows_of(results)])}
        media.update((name, wandb.Image(str(path))) for name, path in figures_in(run_dir).items())
        if (film := run_dir / FILM).is_file():
            media["film"] = wandb.Video(str(film), format="mp4")
        run.log({**media, "trainer/global_step": step})
        if self.keeps_agent and (agent := run_dir / AGENT).is_file():
            artifact = wandb.Artifact(f"agent-{run.id}", "agent", metadata={key: dict(results[key]) for key in results})
            artifact.add_file(str(agent))
            run.log_artifact(artifact)

    @override
    @rank_zero_only
    def end(self, reason: str | None) -> None:
        """End the W&B run, so that the next one of this process has its own, and say where it is."""
        run = self.experiment
        if reason is not None:
            run.summary["error"] = reason
        where = f"wandb sync {shlex.quote(str(Path(run.dir).parent))}" if run.offline else run.url
        run.finish(exit_code=0 if reason is None else 1)
        if where:
            log.info("W&B: %s", where)


@rank_zero_only
def make_wandb_logger(
    run_dir: str | None = None,
    experiment: str | None = None,
    ablations: Mapping[str, object] | None = None,
    folder: str | None = None,
    project: str | None = None,
    name: str | None = None,
    group: str | None = None,
    tags: list[str] | None = None,
    agent: bool = False,
) -> WandbRun:
    """A W&B run. What is null is W&B's own setting, from its environment variables or its files, where there is one.

    Args:
        run_dir: the run's folder.
        experiment: what it is a run of.
        ablations: by name; with the experiment its setting.
        folder: of W&B's files; null: WANDB_DIR, else the run's folder.
        project: W&B's; null: WANDB_PROJECT, else anx.
        name: of the run; null: WANDB_NAME, else W&B finds one.
        group: runs that belong together; null: WANDB_RUN_GROUP, else those of the same setting.
        tags: of the run, besides its setting; null: WANDB_TAGS, else none.
        agent: whether the agent's file goes along as an artifact, once the run is over.
    """
    user = wandb.setup().settings
    setting = [*([experiment] if experiment else []), *(ablations or {})]
    own: dict[str, Any] = {"silent": True, "console": "off"}  # unless the environment says otherwise
    own = {key: value for key, value in own.items() if f"WANDB_{key.upper()}" not in os.environ}
    try:
        run = wandb.init(
            dir=folder or users_folder() or run_dir,
            project=project or user.project or "anx",
            name=name,
            group=group or os.environ.get("WANDB_RUN_GROUP") or user.run_group or "+".join(setting) or None,
            tags=list(dict.fromkeys([*setting, *(user.run_tags or () if tags is None else tags)])),
            mode=wandb_mode(),  # type: ignore[arg-type]
            settings=wandb.Settings(reinit="finish_previous", **own),
        )
    except wandb.errors.Error as error:
        raise ConfigError(
            f"logger.wandb can't start a run ({error}); logger=csv does without, WANDB_MODE=offline keeps it here"
        ) from None
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    logger = WandbRun(experiment=run, save_dir=folder or run.settings.root_dir, log_model=False)
    logger.keeps_agent = agent
    return logger
