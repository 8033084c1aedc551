"""Solvers as torch optimizers: one step is one generation, ask -> fitness -> tell."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from anx.errors import ConfigError
from anx.solvers.base import Solver
from anx.solvers.cmaes import CMASolver
from anx.solvers.nevergrad import TBPSASolver
from anx.solvers.state import to_arrays, to_tensors

# nevergrad's solvers that reliably beat random search where every generation plays other episodes. Its elitist ones
# keep for ever whoever was lucky once: OnePlusOne and PSO do not beat it on a noisy ellipsoid; DE, NoisyDE, TwoPointsDE
# and RealSpacePSO not with every seed on cart-pole's first generations.
NEVERGRAD_SOLVERS = {"TBPSA": TBPSASolver}


class SolverOptimizer(torch.optim.Optimizer):
    """A solver that searches over a module's parameters. Fitness is maximised.

    `step(closure)` asks for a population, lets the closure evaluate it, tells its fitness, and writes the mean into the
    parameters. The closure finds the population [P, D] in `population` and returns the fitness [P].

    Args:
        params: the module's parameters; their values are where the search starts.
        make_solver: D -> the solver.
        settings: what the user chose, by its key; a run is resumed with the same.
    """

    def __init__(
        self, params: Iterable[Any], make_solver: Callable[[int], Solver], settings: dict[str, int | float | bool | str]
    ) -> None:
        super().__init__(params, {})
        self.settings = settings
        self.nan_count = 0  # of the last generation
        self._start = parameters_to_vector(self._parameters()).detach().double().cpu().numpy()
        self._asked: np.ndarray | None = None  # candidates that were asked for and not yet told, around 0
        self.solver = make_solver(len(self._start))

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    @property
    def popsize(self) -> int:
        """P, candidates a generation."""
        return self.solver.popsize

    @property
    def population(self) -> Tensor:
        """The candidates that wait for their fitness, [P, D]."""
        if self._asked is None:
            raise RuntimeError("no population has been asked for: it exists while `step` calls its closure")
        return torch.from_numpy(self._start + self._asked).to(self._parameters()[0])

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One generation; returns the fitness [P] as the closure gave it."""
        if self._asked is None:  # else a generation was interrupted: evaluate the same candidates
            self._asked = self.solver.ask()
        fitness = closure()
        if fitness.shape != (self.popsize,):
            raise ValueError(f"the closure returned fitness of shape {tuple(fitness.shape)}, not ({self.popsize},)")
        self.solver.tell(self._rank_nan_last(fitness.double().cpu().numpy()))
        self._asked = None
        vector_to_parameters(torch.from_numpy(self.mean()).to(self._parameters()[0]), self._parameters())
        return fitness

    def _rank_nan_last(self, fitness: np.ndarray) -> np.ndarray:
        broken = ~np.isfinite(fitness)
        self.nan_count = int(broken.sum())
        if self.nan_count == len(fitness):
            return np.zeros_like(fitness)
        worst, best = fitness[~broken].min(), fitness[~broken].max()
        return np.where(broken, worst - (best - worst) - 1, fitness)

    def mean(self) -> np.ndarray:
        """The solver's estimate of the best parameters [D]."""
        return self._start + self.solver.mean

    def statistics(self) -> dict[str, float]:
        """What to log of the solver's state."""
        return self.solver.statistics()

    def state_dict(self) -> dict[str, Any]:
        """Settings, start and the solver's state as tensors and plain values: a resumed run goes on bit for bit.

        Candidates that wait for their fitness are not in it: the resumed solver asks for the same ones.
        """
        solver = to_tensors({"start": self._start, "state": self.solver.state()})
        return {"kind": self._kind(), "settings": dict(self.settings), "solver": solver}

    def _kind(self) -> str:
        return f"{type(self).__name__} over {len(self._start)} parameters"

    def check_resumable(self, state_dict: dict[str, Any]) -> None:
        """Raise ConfigError unless `state_dict` is one of this search."""
        if "settings" not in state_dict:
            raise ConfigError(
                "ckpt_path is of an older version, which kept the solver as code; it can't be resumed: give it as "
                "weights= to start a new search from its mean"
            )
        if state_dict["kind"] != self._kind():
            raise ConfigError(
                f"ckpt_path is of a search by {state_dict['kind']}, this run's is by {self._kind()}; a run is resumed "
                "with the configuration it was started with"
            )
        then, now = state_dict["settings"], self.settings
        for key in dict.fromkeys((*now, *then)):
            if then.get(key) != now.get(key):
                raise ConfigError(
                    f"optimizer.{key}={now.get(key)}, but ckpt_path was trained with optimizer.{key}={then.get(key)}; "
                    "a run is resumed with the search it was started with"
                )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.check_resumable(state_dict)
        loaded = to_arrays(state_dict["solver"])
        self._start, self._asked = loaded["start"], None
        self.solver.load_state(loaded["state"])


class CMAES(SolverOptimizer):
    """CMA-ES (Hansen 2016), nevergrad's, which is pycma's.

    Args:
        params: the module's parameters; their values are the first mean.
        popsize: P, candidates a generation.
        sigma0: the first step size.
        sigma_min: the step size never falls below. Noisy fitness lets it collapse long before the search is over.
        diagonal: learn variances only: D numbers instead of D x D, for thousands of parameters.
        step_size: `csa`, cumulative step-size adaptation (Hansen 2016, equation 44), or `tpa`, two-point adaptation
            (Hansen 2008), which spends two candidates on trying the last step's direction and is cheaper.
        seed: of the solver's randomness.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        popsize: int = 256,
        sigma0: float = 0.1,
        sigma_min: float = 0.0,
        diagonal: bool = False,
        step_size: Literal["csa", "tpa"] = "csa",
        seed: int = 0,
    ) -> None:
        if step_size not in ("csa", "tpa"):
            raise ValueError(f"optimizer.step_size={step_size} is not one of csa, tpa")
        if step_size == "tpa" and popsize == 2:
            raise ValueError("optimizer.popsize=2 must be at least 3 with optimizer.step_size=tpa")
        if sigma_min < 0:
            raise ValueError(f"optimizer.sigma_min={sigma_min} must be at least 0")
        check_sizes(popsize, sigma0)
        settings: dict[str, Any] = {
            "popsize": popsize,
            "sigma0": sigma0,
            "sigma_min": sigma_min,
            "diagonal": diagonal,
            "step_size": step_size,
            "seed": seed,
        }
        super().__init__(params, lambda dimension: CMASolver(dimension, **settings), settings)


class NevergradOptimizer(SolverOptimizer):
    """A solver of nevergrad's by its name.

    Args:
        params: the module's parameters; their values are where the search starts.
        name: nevergrad's name of the solver, one of those that hold up under noise: `TBPSA`.
        popsize: P, candidates a generation.
        sigma0: the scale of the first candidates around the start.
        seed: of the solver's randomness.
    """

    def __init__(
        self, params: Iterable[Any], *, name: str, popsize: int = 256, sigma0: float = 0.1, seed: int = 0
    ) -> None:
        if name not in NEVERGRAD_SOLVERS:
            raise ValueError(
                f"optimizer.name={name} is not offered: of nevergrad's solvers only {', '.join(NEVERGRAD_SOLVERS)} "
                "copes with fitness that changes from generation to generation, and optimizer=cmaes"
            )
        check_sizes(popsize, sigma0)
        settings: dict[str, Any] = {"popsize": popsize, "sigma0": sigma0, "seed": seed}
        solver = NEVERGRAD_SOLVERS[name]
        super().__init__(params, lambda dimension: solver(dimension, **settings), {"name": name, **settings})


def check_sizes(popsize: int, sigma0: float) -> None:
    """ValueError unless a search of that size is one."""
    if popsize < 2:
        raise ValueError(f"optimizer.popsize={popsize} must be at least 2")
    if sigma0 <= 0:
        raise ValueError(f"optimizer.sigma0={sigma0} must be greater than 0")
