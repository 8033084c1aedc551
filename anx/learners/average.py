"""A running average of a search's means, which may be a better agent than the last of them."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor


class RunningAverage:
    """average <- decay * average + (1 - decay) * mean, from 0, over the sum of the weights that went into it.

    That sum, 1 - decay^t after t generations, is Adam's correction of the bias towards 0 (Kingma & Ba 2015).

    Args:
        decay: from 0 to less than 1; 0.99 averages over the last hundred means or so.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.restart()

    def restart(self) -> None:
        """Forget the means so far: those to come are of another search."""
        self._sum: Tensor | None = None  # [D]
        self._weight = 0.0

    def add(self, mean: Tensor) -> None:
        """Take in the mean [D] of a generation."""
        before = torch.zeros_like(mean) if self._sum is None else self._sum
        self._sum = self.decay * before + (1 - self.decay) * mean
        self._weight = self.decay * self._weight + (1 - self.decay)

    @property
    def value(self) -> Tensor | None:
        """The average [D]; None before the first generation."""
        return None if self._sum is None else self._sum / self._weight

    @property
    def state(self) -> dict[str, object]:
        """What the next generations depend on."""
        return {"sum": self._sum, "weight": self._weight}

    @state.setter
    def state(self, state: Mapping[str, object]) -> None:
        self._sum = cast(Tensor | None, state["sum"])
        self._weight = cast(float, state["weight"])
