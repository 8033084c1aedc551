"""nevergrad's solvers as torch optimizers: one step is one generation, ask -> fitness -> tell."""

import pickle
from collections.abc import Callable, Iterable
from typing import Any, Literal

import nevergrad as ng
import numpy as np
import torch
from cma.sigma_adaptation import CMAAdaptSigmaCSA, CMAAdaptSigmaTPA
from nevergrad.optimization.utils import Pruning
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from anx.config import ConfigError

# pycma's termination criteria. When one fires, nevergrad restarts the search at 0 without a word; evolution ends when
# the trainer says so.
NEVER_STOP = {
    "tolfun": 0,
    "tolfunhist": 0,
    "tolx": 0,
    "tolflatfitness": np.inf,
    "tolfacupx": np.inf,
    "tolupsigma": np.inf,
    "maxiter": np.inf,
    "tolstagnation": 0,
    "tolconditioncov": 0,
    "signals_filename": None,
}
STEP_SIZES = {"csa": CMAAdaptSigmaCSA, "tpa": CMAAdaptSigmaTPA}


class NevergradOptimizer(torch.optim.Optimizer):
    """Any of nevergrad's optimizers. Fitness is maximised; the sign turns here and nowhere else.

    `step(closure)` asks for a population, lets the closure evaluate it, tells its fitness, and writes the best estimate
    into the parameters. The closure finds the population [P, D] in `population` and returns the fitness [P].

    Args:
        params: the module's parameters; their values are where the search starts.
        name: nevergrad's name of the optimizer, `OnePlusOne` or `TwoPointsDE` for example.
        popsize: P, candidates a generation.
        sigma0: the scale of the first candidates around the start.
        seed: of the solver's randomness.
    """

    def __init__(
        self, params: Iterable[Any], *, name: str, popsize: int = 256, sigma0: float = 0.1, seed: int = 0
    ) -> None:
        if popsize < 2:
            raise ValueError(f"optimizer.popsize={popsize} must be at least 2")
        if sigma0 <= 0:
            raise ValueError(f"optimizer.sigma0={sigma0} must be greater than 0")
        super().__init__(params, {})
        self.name = name
        self.popsize = popsize
        self.sigma0 = sigma0
        self.nan_count = 0  # of the last generation
        self._start = parameters_to_vector(self._parameters()).detach().double().cpu().numpy()
        self._asked: list[Any] = []  # candidates that were asked for and not yet told
        self._solver = self._build(np.random.RandomState(seed))

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _build(self, random_state: np.random.RandomState) -> Any:
        if self.name not in ng.optimizers.registry:
            raise ValueError(
                f"optimizer.name={self.name} is not an optimizer of nevergrad; python -c "
                '"import nevergrad; print(*sorted(nevergrad.optimizers.registry))" prints them'
            )
        return self._prepared(ng.optimizers.registry[self.name], random_state)

    def _prepared(self, factory: Any, random_state: np.random.RandomState) -> Any:
        # The start is added outside: with `init`, rounding makes pycma take every point for a foreign one.
        array = ng.p.Array(shape=self._start.shape)
        array.set_mutation(sigma=self.sigma0)
        array.random_state = random_state
        solver = factory(array, budget=None, num_workers=1)
        solver.pruning = Pruning(1, 2)  # nevergrad keeps every point ever told otherwise
        return solver

    @property
    def population(self) -> Tensor:
        """The candidates that wait for their fitness, [P, D]."""
        if not self._asked:
            raise RuntimeError("no population has been asked for: it exists while `step` calls its closure")
        values = np.stack([self._value(candidate) for candidate in self._asked])
        return torch.from_numpy(values).to(self._parameters()[0])

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One generation; returns the fitness [P] as the closure gave it."""
        if not self._asked:  # else a generation was interrupted: evaluate the same candidates
            self._asked = [self._solver.ask() for _ in range(self.popsize)]
        fitness = closure()
        if fitness.shape != (self.popsize,):
            raise ValueError(f"the closure returned fitness of shape {tuple(fitness.shape)}, not ({self.popsize},)")
        self._tell(self._rank_nan_last(fitness.double().cpu().numpy()))
        self._asked = []
        vector_to_parameters(torch.from_numpy(self.mean()).to(self._parameters()[0]), self._parameters())
        return fitness

    def _rank_nan_last(self, fitness: np.ndarray) -> np.ndarray:
        broken = ~np.isfinite(fitness)
        self.nan_count = int(broken.sum())
        if self.nan_count == len(fitness):
            return np.zeros_like(fitness)
        worst, best = fitness[~broken].min(), fitness[~broken].max()
        return np.where(broken, worst - (best - worst) - 1, fitness)

    def _tell(self, fitness: np.ndarray) -> None:
        for candidate, value in zip(self._asked, fitness, strict=True):  # in ask order: pycma's step size needs it
            self._solver.tell(candidate, -value)

    def _value(self, candidate: Any) -> np.ndarray:
        return self._start + candidate.value

    def mean(self) -> np.ndarray:
        """The solver's best estimate [D]."""
        return self._value(self._solver.recommend())

    def statistics(self) -> dict[str, float]:
        """What to log of the solver's state."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The solver, the start and unfinished candidates, pickled into bytes: a resumed run goes on bit for bit."""
        pickled = pickle.dumps((self._start, self._solver, self._asked))
        return {
            "solver": torch.frombuffer(bytearray(pickled), dtype=torch.uint8),
            "name": self.name,
            "popsize": self.popsize,
            "dimension": len(self._start),
        }

    def check_resumable(self, state_dict: dict[str, Any]) -> None:
        """Raise ConfigError unless `state_dict` is one of this search."""
        for key, own in (("name", self.name), ("popsize", self.popsize), ("dimension", len(self._start))):
            if state_dict[key] != own:
                raise ConfigError(
                    f"ckpt_path: the checkpoint's optimizer has {key} {state_dict[key]}, this run's has {own}; "
                    "a run is resumed with the configuration it was started with"
                )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from `state_dict`. Unpickles: only for checkpoints of one's own."""
        self.check_resumable(state_dict)
        self._start, self._solver, self._asked = pickle.loads(state_dict["solver"].cpu().numpy().tobytes())


class CMAES(NevergradOptimizer):
    """CMA-ES (Hansen 2016), nevergrad's, which is pycma's. The best estimate is the distribution's mean.

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
        if step_size not in STEP_SIZES:
            raise ValueError(f"optimizer.step_size={step_size} is not one of csa, tpa")
        if sigma_min < 0:
            raise ValueError(f"optimizer.sigma_min={sigma_min} must be at least 0")
        self.sigma_min = sigma_min
        self.diagonal = diagonal
        self.step_size = step_size
        super().__init__(
            params, name="CMAES, diagonal" if diagonal else "CMAES", popsize=popsize, sigma0=sigma0, seed=seed
        )

    def _build(self, random_state: np.random.RandomState) -> Any:
        return self._prepared(
            ng.optimizers.ParametrizedCMA(
                scale=self.sigma0,
                popsize=self.popsize,
                diagonal=self.diagonal,
                inopts={**NEVER_STOP, "AdaptSigma": STEP_SIZES[self.step_size]},
            ),
            random_state,
        )

    def _prepared(self, factory: Any, random_state: np.random.RandomState) -> Any:
        array = ng.p.Array(shape=self._start.shape)
        array.random_state = random_state
        solver = factory(array, budget=None, num_workers=1)
        solver.pruning = Pruning(1, 2)
        return solver

    def _tell(self, fitness: np.ndarray) -> None:
        es = self._solver._es  # reading `.es` would restart a search that has met a termination criterion
        before = es.countiter
        super()._tell(fitness)
        if es.countiter != before + 1 or self._solver._es is not es:
            raise RuntimeError(f"CMA-ES refused a generation (pycma's stop(): {es.stop()})")
        es.sigma = max(es.sigma, self.sigma_min)

    def mean(self) -> np.ndarray:
        return self._start + self._solver._es.mean

    def statistics(self) -> dict[str, float]:
        es = self._solver._es
        return {"sigma": float(es.sigma), "condition_number": float(es.condition_number)}
