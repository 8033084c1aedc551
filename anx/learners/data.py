"""The data of evolution: a seed a generation, from which that generation's episodes are drawn."""

from collections.abc import Iterator

from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, IterableDataset

from anx.seeds import TEST, TRAINING, VALIDATION, derive_seed


class _Generations(IterableDataset[int]):
    def __init__(self, seed: int, first: int) -> None:
        self.seed = seed
        self.first = first

    def __iter__(self) -> Iterator[int]:
        generation = self.first
        while True:
            yield derive_seed(self.seed, TRAINING, generation)
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


class EpisodeSeeds(LightningDataModule):
    """Seeds without end for training, one held-out seed for validation and one for the test.

    Args:
        seed: the run's.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def train_dataloader(self) -> DataLoader[int]:
        first = self.trainer.global_step if self.trainer else 0  # a resumed run goes on where it was
        return DataLoader(_Generations(self.seed, first), batch_size=None)

    def val_dataloader(self) -> DataLoader[int]:
        return DataLoader(_One(derive_seed(self.seed, VALIDATION)), batch_size=None)

    def test_dataloader(self) -> DataLoader[int]:
        return DataLoader(_One(derive_seed(self.seed, TEST)), batch_size=None)
