"""The one door to what Lightning keeps to itself: how it counts steps, and the timer that it adds to a trainer."""

import logging
from typing import cast

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Timer

log = logging.getLogger(__name__)

COUNT = "_batches_that_stepped"
BY_HAND = "epoch_loop.manual_optimization.optim_step_progress"  # in a checkpoint


def set_logged_step(trainer: Trainer, step: int) -> None:
    """Let loggers take what is logged next for that of `step`.

    Lightning counts on its own, and a run that is resumed right after a validation counts that batch twice. Where this
    version keeps its count elsewhere, its own stands, and a warning says so.
    """
    loop = trainer.fit_loop.epoch_loop
    if not hasattr(loop, COUNT):
        log.warning("this Lightning has no %s: the steps that a resumed run logs may be off", COUNT)
        return
    setattr(loop, COUNT, step)


def count_steps_by_hand(checkpoint: dict[str, object]) -> None:
    """Let a module that optimises by hand go on from a checkpoint of one that did not: Lightning counts both apart."""
    steps = cast(int, checkpoint["global_step"])
    loop = cast(dict[str, dict[str, dict[str, dict[str, int]]]], checkpoint["loops"])["fit_loop"]
    if BY_HAND not in loop:
        log.warning("this Lightning has no %s: steps are counted from 0 again", BY_HAND)
    elif loop[BY_HAND]["total"]["completed"] == 0:
        loop[BY_HAND]["total"].update(ready=steps, completed=steps)


def seconds_left(trainer: Trainer) -> float | None:
    """Until `trainer.max_time` is over; None without one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    left = [each.time_remaining() for each in callbacks if isinstance(each, Timer)]
    return min((each for each in left if each is not None), default=None)
