"""Seeds as data: each is a generation's, or an evaluation's, from which its episodes are drawn."""

from collections.abc import Iterator

from omegaconf import DictConfig
from torch.utils.data import DataLoader, Dataset, IterableDataset

from anx.errors import ConfigError
from anx.seeds import TRAINING, derive_seed


class _Generations(IterableDataset[int]):
    def __init__(self, seed: int, first: int, fresh: bool) -> None:
        self.seed = seed
        self.first = first
        self.fresh = fresh

    def __iter__(self) -> Iterator[int]:
        generation = self.first
        while True:
            yield derive_seed(self.seed, TRAINING, generation if self.fresh else 0)
            generation += 1


class _One(Dataset[int]):
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        if index:
            raise IndexError(index)
        return self.seed


def generation_seeds(seed: int, first: int, *, fresh: bool = True) -> DataLoader[int]:
    """A seed for every generation of a run, without end.

    Args:
        seed: of the run.
        first: generation; a resumed run goes on where it was.
        fresh: whether each has another one.
    """
    return DataLoader(_Generations(seed, first, fresh), batch_size=None)


def check_generations(trainer: DictConfig) -> None:
    """ConfigError where Lightning would make one step of several generations, or begin their seeds anew after some."""
    batches = trainer.get("accumulate_grad_batches", 1)
    if batches != 1:
        raise ConfigError(f"trainer.accumulate_grad_batches={batches} must be 1: a step is a generation")
    for key in ("limit_train_batches", "overfit_batches"):
        if key in trainer:
            raise ConfigError(
                f"trainer.{key}={trainer[key]} must be left out: after so many generations their episodes would come "
                "again; trainer.max_steps says how many there are"
            )


def one_seed(seed: int, stream: int) -> DataLoader[int]:
    """One held-out seed.

    Args:
        seed: of the run.
        stream: VALIDATION or TEST.
    """
    return DataLoader(_One(derive_seed(seed, stream)), batch_size=None)
