"""How a learning rate goes over a training."""

import math
from typing import Literal, get_args

from anx.errors import check_choice

Schedule = Literal["constant", "linear", "cosine"]


def share(schedule: Schedule, step: int, steps: int, warmup: int = 0) -> float:
    """The share of the learning rate at a step, counted from 0.

    Args:
        schedule: from the whole rate down to 0, straight or as half a cosine (Loshchilov & Hutter 2017); or constant.
        step: counted from 0.
        steps: after which it is 0.
        warmup: the first steps, in which it rises.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def check_schedule(schedule: str, steps: int, warmup: int) -> None:
    """ValueError unless a learning rate can go like that (see `share`)."""
    check_choice("schedule", schedule, get_args(Schedule))
    if schedule != "constant" and steps <= warmup:
        raise ValueError(f"schedule_steps={steps} must be more than {warmup}, the warmup")
