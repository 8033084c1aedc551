"""Successive halving: several searches begin, the better half of them goes on, until one is left."""

from collections.abc import Callable

import numpy as np

from anx.errors import ConfigError
from anx.seeds import SEARCH, derive_seed
from anx.solvers.base import Array, Solver
from anx.solvers.state import State, take

RECENT = 50  # generations by whose candidates a search is judged


class Halving(Solver):
    """Restarts of a search, with successive halving of what each may cost (Jamieson & Talwalkar 2016, section 3).

    Where a search ends hangs on the basin that it fell into early, which is luck. Here `searches` of them take turns:
    in the first round each has `turn` generations; the better half has twice as many in the next round, and so on; the
    last one goes on for as long as it is asked. What they are judged by costs nothing: the mean fitness of their
    candidates in a turn's last generations, of episodes that are as many as the candidates.

    After K log2(K) `turn` generations the last one is alone, at its (K - 1) `turn`-th. The mean is that of the search
    that was told last.

    Args:
        dimension: D.
        search: D, seed= -> a search of `popsize` candidates.
        popsize: P, candidates a generation.
        searches: K, how many begin.
        turn: generations of each in the first round.
        seed: from which each search's own is derived.
    """

    compares_generations = True

    def __init__(
        self,
        dimension: int,
        *,
        search: Callable[..., Solver],
        popsize: int = 256,
        searches: int = 8,
        turn: int = 500,
        seed: int = 0,
    ) -> None:
        for name, value in {"searches": searches, "turn": turn}.items():
            if value < 1:
                raise ConfigError(f"{name}={value} must be at least 1")
        given = getattr(search, "keywords", {})  # of a functools.partial
        if "dimension" in given:
            raise ConfigError(f"search.dimension={given['dimension']} can't be chosen: it is the agent's")
        if given.get("seed", seed) != seed:
            raise ConfigError(f"search.seed={given['seed']} must be seed={seed}, from which each search has its own")
        seeds = [derive_seed(seed, SEARCH, 1 + number) for number in range(searches)]
        try:
            self._searches = [search(dimension, seed=each) for each in seeds]
        except ConfigError as error:
            raise ConfigError(f"search.{error}") from None
        if self._searches[0].popsize != popsize:
            raise ConfigError(f"search.popsize={self._searches[0].popsize} must be popsize={popsize}")
        self.popsize = popsize
        self.pairs = self._searches[0].pairs
        self.turn = turn
        self._left = np.arange(searches)  # the searches that go on, in the order of their turns
        self._place = 0  # whose turn it is, in `_left`
        self._generation = 0  # of this turn
        self._fitness = np.zeros(searches)  # by which they are judged
        self.mean_of = 0  # the search that was told last

    def ask(self) -> Array:
        return self._searches[self._left[self._place]].ask()

    def tell(self, fitness: Array) -> None:
        self.mean_of = int(self._left[self._place])
        self._searches[self.mean_of].tell(fitness)
        self._generation += 1
        before = self._fitness[self.mean_of]
        self._fitness[self.mean_of] += (fitness.mean() - before) / min(self._generation, RECENT)
        round = len(self._searches).bit_length() - len(self._left).bit_length()  # each halves them: K, K // 2, K // 4
        if self._generation == self.turn * 2**round and len(self._left) > 1:
            self._hand_over()

    def _hand_over(self) -> None:
        """To the next search; after the last one's turn, to the best of the next round."""
        self._generation = 0
        self._place += 1
        if self._place == len(self._left):
            order = self._left[np.argsort(-self._fitness[self._left], kind="stable")]
            self._left = order[: len(order) // 2]
            self._place = 0

    @property
    def mean(self) -> Array:
        return self._searches[self.mean_of].mean

    def statistics(self) -> dict[str, float]:
        """Those of the search that was told last, its number, and how many are left."""
        own = self._searches[self.mean_of].statistics()
        return {**own, "search": float(self.mean_of), "searches": float(len(self._left))}

    @property
    def state(self) -> State:
        return {
            "searches": {str(number): search.state for number, search in enumerate(self._searches)},
            "left": self._left.copy(),
            "place": self._place,
            "generation": self._generation,
            "fitness": self._fitness.copy(),
            "told": self.mean_of,
        }

    @state.setter
    def state(self, state: State) -> None:
        states = take(state, "searches", dict)
        if len(states) != len(self._searches):
            raise ConfigError(f"the state is of {len(states)} searches, optimizer.searches={len(self._searches)}")
        for number, search in enumerate(self._searches):
            search.state = take(states, str(number), dict)
        self._left = take(state, "left", np.ndarray).copy()
        self._place = take(state, "place", int)
        self._generation = take(state, "generation", int)
        self._fitness = take(state, "fitness", np.ndarray).copy()
        self.mean_of = take(state, "told", int)
