"""A running average of a search's means, which may be a better agent than the last of them."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor


class RunningAverage:
    """average <- decay * average + (1 - decay) * mean, from 0, over the sum of the weights that went into it.

    That sum, 1 - decay^t after t generations, is Adam's correction of the bias towards 0 (Kingma & Ba 2015). Means of
    another search than the last one's have nothing to do with those before: with them it begins anew.

    Args:
        decay: from 0 to less than 1; 0.99 averages over the last hundred means or so.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._sum: Tensor | None = None  # [D]
        self._weight = 0.0
        self._search = 0

    def add(self, mean: Tensor, search: int = 0) -> None:
        """Take in the mean [D] of a generation of a solver's `search`."""
        if search != self._search:
            self._sum, self._weight, self._search = None, 0.0, search
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
        return {"sum": self._sum, "weight": self._weight, "search": self._search}

    @state.setter
    def state(self, state: Mapping[str, object]) -> None:
        self._sum = cast(Tensor | None, state["sum"])
        self._weight = cast(float, state["weight"])
        self._search = cast(int, state.get("search", 0))  # an older version did not tell them apart
