"""Whether an environment of one's own is what rollouts need, and if not, why."""

import math
from collections.abc import Callable
from typing import Any

from anx.envs.base import HostEnvironment, TorchEnvironment
from anx.envs.check_host import check_host
from anx.envs.check_torch import check_torch
from anx.errors import ConfigError
from anx.spec import Spec

CHECKS: dict[str, Callable[[Any], None]] = {"device": check_torch, "host": check_host}  # each of its own kind


def check_env(env: TorchEnvironment | HostEnvironment) -> None:
    """Play a few steps of an environment and compare what it does with what it must do.

    For a notebook or a test: `check_env(MyWorld())` says nothing where all is well.

    Args:
        env: of either kind.

    Raises:
        ConfigError: what is wrong, the first thing that is, in one line.
    """
    kind = getattr(env, "rollout", None)
    if kind not in CHECKS:
        raise ConfigError(
            f"{type(env).__name__}.rollout={kind} must be 'device' or 'host': inherit from anx.envs.TorchEnvironment "
            "or anx.envs.HostEnvironment"
        )
    try:
        check_spec(getattr(env, "spec", None))
        CHECKS[kind](env)
    except ConfigError as error:
        raise ConfigError(f"{type(env).__name__}: {error}") from None


def check_spec(spec: object) -> None:
    """Whether what an environment says of itself is complete, and no contradiction."""
    if not isinstance(spec, Spec):
        raise ConfigError(f"spec={spec!r:.80} must be an anx.spec.Spec")
    shape = spec.observation_shape
    if not isinstance(shape, tuple) or len(shape) not in (1, 3) or not all(is_count(each) for each in shape):
        raise ConfigError(f"spec.observation_shape={shape} must be (N,) or (frames, height, width), each at least 1")
    check_labels("actuators", spec.actuators)
    if not spec.actuators:
        raise ConfigError("spec.actuators is empty: an action needs at least one")
    check_labels("inputs", spec.inputs)
    if spec.inputs and shape != (len(spec.inputs),):
        raise ConfigError(f"spec.inputs names {len(spec.inputs)} scalars; an observation has shape {shape}")
    if not is_count(spec.max_steps):
        raise ConfigError(f"spec.max_steps={spec.max_steps} must be an integer, at least 1")
    if not isinstance(spec.discrete, bool):
        raise ConfigError(f"spec.discrete={spec.discrete} must be true or false")
    if not isinstance(spec.fps, int | float) or not math.isfinite(spec.fps) or spec.fps <= 0:
        raise ConfigError(f"spec.fps={spec.fps} must be a number above 0")


def check_labels(name: str, labels: object) -> None:
    """Whether names are different texts."""
    if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
        raise ConfigError(f"spec.{name}={labels!r:.80} must be a tuple of texts")
    if len(set(labels)) < len(labels):
        raise ConfigError(f"spec.{name}={labels!r:.80} has a name twice")


def is_count(value: object) -> bool:
    """Whether it is an integer, at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
