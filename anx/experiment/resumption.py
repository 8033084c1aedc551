"""Whether a run may go on from a checkpoint: only as the run that it was."""

from collections.abc import Collection, Mapping
from typing import cast

from anx.errors import ConfigError
from anx.experiment.config.values import difference
from anx.learners.base import Learner

# What may change: names; how, and with how many workers, the same episodes are played.
FREE = {"name", "rollout", "env.processes", "env.threads"}


def check_resumable(learner: Learner, checkpoint: Mapping[str, object]) -> None:
    """Raise ConfigError unless a checkpoint is of this run: its agent, its episodes and how it learns."""
    if "optimizer_states" not in checkpoint:
        raise ConfigError("ckpt_path: the checkpoint holds weights only; resume from last.ckpt, or use weights=")
    parts, free = learner.parts, {f"learner.{key}" for key in learner.free}
    check_same(said_by(checkpoint, "config"), parts.agent_config, free)
    check_same(said_by(checkpoint, "run"), parts.run_config, free)
    learner.check_resumable(checkpoint)


def said_by(checkpoint: Mapping[str, object], key: str) -> Mapping[str, object]:
    """A configuration that a checkpoint holds; nothing, where an older version kept none."""
    return cast(Mapping[str, object], checkpoint.get(key) or {})


def check_same(then: Mapping[str, object], now: Mapping[str, object], free: Collection[str] = ()) -> None:
    """Raise ConfigError unless two configurations are of one run.

    Args:
        then: the checkpoint's.
        now: the run's; what the checkpoint lacks as a whole, an older version did not keep.
        free: keys that may differ, besides those that always may.
    """
    for key, part in now.items():
        if key in then and (found := difference(key, then[key], part, {*FREE, *free})):
            key, before, after = found
            raise ConfigError(
                f"{key}={after}, but ckpt_path was trained with {key}={before}; a run is resumed with the "
                "configuration it was started with"
            )
