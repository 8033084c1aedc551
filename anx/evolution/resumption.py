"""Whether a run may go on from a checkpoint: only as the run that it was."""

from collections.abc import Collection
from typing import Any

from anx.errors import ConfigError
from anx.values import with_defaults

# What may change: names; how, and with how many workers, the same episodes are played; the evaluation at the end.
FREE = {"name", "rollout", "env.processes", "env.threads", "learner.test_episodes"}


def check_same(then: dict[str, Any], now: dict[str, Any], older: Collection[str] = ()) -> None:
    """Raise ConfigError unless two configurations are of one run.

    Args:
        then: the checkpoint's.
        now: the run's; what the checkpoint lacks as a whole, an older version did not keep.
        older: keys of parts that an older version had not; they are what they would be by default.
    """
    for key, part in now.items():
        if key in then:
            compare(key, then[key], part)
        elif key in older:
            compare(key, {"_target_": part.get("_target_")}, part)


def compare(key: str, then: Any, now: Any) -> None:
    """Raise ConfigError that names the first key below `key` whose values differ.

    Where the checkpoint lacks an argument, an older version had not got it: it is what it would be by default.
    """
    if key in FREE:
        return
    if not (isinstance(then, dict) and isinstance(now, dict)):
        if then != now:
            raise differ(key, then, now)
        return
    if "_target_" not in now:  # parts by name, in an order that counts
        if list(then) != list(now):
            raise differ(key, list(then), list(now))
    elif then.get("_target_") == now["_target_"]:  # else the checkpoint's is not even looked up
        then, now = with_defaults(then), with_defaults(now)
    for name in sorted(then.keys() | now.keys()):
        compare(f"{key}.{name}", then.get(name), now.get(name))


def differ(key: str, then: Any, now: Any) -> ConfigError:
    return ConfigError(
        f"{key}={now}, but ckpt_path was trained with {key}={then}; a run is resumed with the configuration it was "
        "started with"
    )
