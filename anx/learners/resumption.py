"""Whether a run may go on from a checkpoint: only as the run that it was."""

from typing import Any

from anx.errors import ConfigError
from anx.experiment.values import difference

# What may change: names; how, and with how many workers, the same episodes are played; the evaluation at the end.
FREE = {"name", "rollout", "env.processes", "env.threads", "learner.test_episodes"}


def check_same(then: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise ConfigError unless two configurations are of one run.

    Args:
        then: the checkpoint's.
        now: the run's; what the checkpoint lacks as a whole, an older version did not keep.
    """
    for key, part in now.items():
        if key in then and (found := difference(key, then[key], part, FREE)):
            key, before, after = found
            raise ConfigError(
                f"{key}={after}, but ckpt_path was trained with {key}={before}; a run is resumed with the "
                "configuration it was started with"
            )
