"""When a run validates."""

from lightning import Trainer


def is_due(trainer: Trainer) -> bool:
    """Whether a validation follows on the batch that has just ended."""
    every, batches = trainer.val_check_batch, trainer.fit_loop.total_batch_idx + 1
    last = trainer.should_stop  # Lightning validates whenever it stops
    return bool(trainer.enable_validation and (last or (every and batches % every == 0)))
