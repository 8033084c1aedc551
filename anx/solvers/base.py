"""What every solver is: populations out, fitness in, its whole state as arrays."""

from abc import ABC, abstractmethod

import numpy as np

from anx.solvers.state import State


class Solver(ABC):
    """A search around 0 in D dimensions; whoever asks adds where it starts. Fitness is maximised.

    After each `ask` comes one `tell`. `state` is at any time that of the last generation's end: a solver that loads it
    asks for the same candidates again, bit for bit.
    """

    popsize: int

    @abstractmethod
    def ask(self) -> np.ndarray:
        """The next candidates [P, D]."""

    @abstractmethod
    def tell(self, fitness: np.ndarray) -> None:
        """Learn from the candidates' fitness [P], all of it finite, in the order in which they were asked."""

    @property
    @abstractmethod
    def mean(self) -> np.ndarray:
        """The distribution's mean [D], the solver's estimate of the best point."""

    @abstractmethod
    def statistics(self) -> dict[str, float]:
        """What to log."""

    @abstractmethod
    def state(self) -> State:
        """Copies of everything that the next generations depend on, by name."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Go on from `state`; ConfigError where this version of the solver's library can't."""
