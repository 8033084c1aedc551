"""The one door to what Lightning keeps to itself: the step that its loggers are given."""

import logging

from lightning import Trainer

log = logging.getLogger(__name__)

COUNT = "_batches_that_stepped"


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
