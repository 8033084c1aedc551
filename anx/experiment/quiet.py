"""Silences what libraries say that no user of anx can act on."""

import logging
import warnings


def quiet_libraries() -> None:
    """Lightning's tips and the warnings that evolution's way of using it raises."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # compiling without CUDA is what one wants
    for message in (
        ".*does not have many workers.*",  # the data are seeds
        ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run's own
        ".*The dirpath has changed from.*",  # resumed in another folder: `Best` keeps the best
        ".*IterableDataset.*__len__.*",
        ".*You defined a `validation_step` but have no `val_dataloader`.*",
        ".*Trying to infer the `batch_size`.*",
        ".*GPU available but not used.*",
        ".*`srun` command is available.*",  # a run of one process needs none, also from a login node
        ".*LeafSpec.* is deprecated.*",
        ".*cma_signals.*",  # an option of pycma that is switched off
        ".*all_gather is deprecated.*",
        ".*recommended to use `self.log.*sync_dist=True.*",  # every process validates the same episodes
        ".*resuming from a checkpoint that ended before the epoch.*",  # there is one endless epoch
        ".*callbacks used to create the checkpoint need to be provided.*",  # of a run with other callbacks
        ".*Using ModelCheckpoint with manual optimization.*",  # a checkpoint after the solver's step is what one wants
    ):
        warnings.filterwarnings("ignore", message)
