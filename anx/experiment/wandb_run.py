"""A run in Weights & Biases, without a question asked."""

import logging
import os
import shlex
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from anx.errors import ConfigError
from anx.experiment.identity import RunFacts

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


@rank_zero_only
def make_wandb_logger(
    run: RunFacts,
    folder: str | None = None,
    project: str | None = None,
    name: str | None = None,
    group: str | None = None,
    tags: list[str] | None = None,
) -> WandbLogger:
    """A W&B run. What is null is W&B's own setting, from its environment variables or its files, where there is one.

    Args:
        run: what it is told of the run.
        folder: of W&B's files; null: WANDB_DIR, else the run's folder.
        project: W&B's; null: WANDB_PROJECT, else anx.
        name: of the run; null: WANDB_NAME, else W&B finds one.
        group: runs that belong together; null: WANDB_RUN_GROUP, else those of the same setting.
        tags: of the run, besides its setting; null: WANDB_TAGS, else none.
    """
    user = wandb.setup().settings
    own: dict[str, Any] = {"silent": True, "console": "off"}  # unless the environment says otherwise
    own = {key: value for key, value in own.items() if f"WANDB_{key.upper()}" not in os.environ}
    try:
        started = wandb.init(
            dir=folder or users_folder() or run.folder,
            project=project or user.project or "anx",
            name=name,
            group=group or os.environ.get("WANDB_RUN_GROUP") or user.run_group or "+".join(run.setting) or None,
            tags=list(dict.fromkeys([*run.setting, *(user.run_tags or () if tags is None else tags)])),
            config={**run.config, "identity": run.identity} if run.config else {},
            mode=wandb_mode(),  # type: ignore[arg-type]
            settings=wandb.Settings(reinit="finish_previous", **own),
        )
    except wandb.errors.Error as error:
        raise ConfigError(
            f"logger.wandb can't start a run ({error}); logger=csv does without, WANDB_MODE=offline keeps it here"
        ) from None
    started.define_metric("trainer/global_step")
    started.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return WandbLogger(experiment=started, save_dir=folder or started.settings.root_dir, log_model=False)


@rank_zero_only
def finish_wandb(logger: WandbLogger, reason: str | None) -> None:
    """End a W&B run, as failed if there is a reason for that, and say where it is."""
    run = logger.experiment
    if reason is not None:
        run.summary["error"] = reason
    where = f"wandb sync {shlex.quote(str(Path(run.dir).parent))}" if run.offline else run.url
    run.finish(exit_code=0 if reason is None else 1)
    if where:
        log.info("W&B: %s", where)
