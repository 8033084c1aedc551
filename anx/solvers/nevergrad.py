"""nevergrad's TBPSA, the solver of its own that holds up under noise."""

from importlib.metadata import version
from typing import Any

import nevergrad as ng
import numpy as np
from nevergrad.optimization.utils import Pruning

from anx.errors import ConfigError
from anx.solvers.base import Solver
from anx.solvers.state import State, check_has, random_state_from_data, random_state_to_data

CONTROLLER = ("llambda", "mu")  # the sizes that nevergrad adapts, by its names


class TBPSASolver(Solver):
    """Test-based population-size adaptation (Hellwig & Beyer 2016), an isotropic evolution strategy.

    The next mean is that of the better quarter of the candidates. Where five generations show no progress beyond the
    noise, it doubles the number of candidates that it learns from at once.

    Args:
        dimension: D.
        popsize: P, candidates a generation; it learns from at least as many at once.
        sigma0: the first step size.
        seed: of its randomness.
    """

    def __init__(self, dimension: int, *, popsize: int, sigma0: float, seed: int = 0) -> None:
        self.popsize = popsize
        self._random_state = np.random.RandomState(seed)
        self._array = ng.p.Array(shape=(dimension,))
        self._array.set_mutation(sigma=sigma0)
        self._array.random_state = self._random_state
        self._build()

    def _build(self) -> None:
        factory = ng.optimizers.ParametrizedTBPSA(naive=False, initial_popsize=max(self.popsize // 4, 1))
        # As many workers as candidates: the size never falls below P.
        self._solver: Any = factory(self._array, budget=None, num_workers=self.popsize)
        check_has(self._solver, ("children", "current_center", "sigma", "popsize"), "nevergrad")
        check_has(self._solver.popsize, (*CONTROLLER, "_loss_record"), "nevergrad")
        self._solver.pruning = Pruning(1, 2)  # nevergrad keeps every point ever told otherwise
        self._asked: list[Any] = []
        self._randomness = random_state_to_data(self._random_state)

    def ask(self) -> np.ndarray:
        self._asked = [self._solver.ask() for _ in range(self.popsize)]
        return np.stack([candidate.value for candidate in self._asked])

    def tell(self, fitness: np.ndarray) -> None:
        for candidate, value in zip(self._asked, fitness, strict=True):
            self._solver.tell(candidate, -float(value))
        self._asked = []
        self._randomness = random_state_to_data(self._random_state)

    @property
    def mean(self) -> np.ndarray:
        return np.array(self._solver.recommend().value)

    def statistics(self) -> dict[str, float]:
        return {"sigma": float(self._solver.sigma * self._array.sigma.value)}

    def state(self) -> State:
        children = self._solver.children  # told, and not yet learnt from
        return {
            "versions": {"nevergrad": version("nevergrad")},
            "center": np.array(self._solver.current_center),
            "sigma": float(self._solver.sigma),
            "controller": {name: getattr(self._solver.popsize, name) for name in CONTROLLER},
            "losses": np.array(self._solver.popsize._loss_record, dtype=np.float64),
            "children": {
                "values": np.array([child.value for child in children]).reshape(-1, self._array.dimension),
                "losses": np.array([child.loss for child in children], dtype=np.float64),
                "sigmas": np.array([child._meta["sigma"] for child in children], dtype=np.float64),
            },
            "random": self._randomness,
        }

    def load_state(self, state: State) -> None:
        if set(state["controller"]) != set(CONTROLLER):
            raise ConfigError(
                f"ckpt_path: nevergrad {version('nevergrad')} can't go on from what nevergrad "
                f"{state['versions']['nevergrad']} left; resume it with that version"
            )
        self._build()
        solver = self._solver
        solver.current_center, solver.sigma = np.array(state["center"]), state["sigma"]
        for name, value in state["controller"].items():
            setattr(solver.popsize, name, value)
        solver.popsize._loss_record = state["losses"].tolist()
        told = state["children"]
        for value, loss, sigma in zip(told["values"], told["losses"], told["sigmas"], strict=True):
            child = self._array.spawn_child(new_value=value)
            child.loss = float(loss)
            child._meta["sigma"] = sigma
            solver.children.append(child)
        random_state_from_data(self._random_state, state["random"])
        self._randomness = state["random"]
