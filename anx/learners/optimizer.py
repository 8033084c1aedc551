"""A solver as a torch optimizer: one step is one generation, ask -> fitness -> tell."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from anx.cores import one_core_algebra
from anx.errors import ConfigError
from anx.population import get_vector
from anx.solvers.base import Array, Solver
from anx.solvers.state import take, to_arrays, to_tensors

HOPELESS = -1e9  # told of all where all are broken: lower than any return, and whole, so that their spread is 0


class SolverOptimizer(torch.optim.Optimizer):
    """A solver that searches over a module's parameters. Fitness is maximised. A generation is

        population = optimizer.ask()        # [P, D]
        fitness = evaluate(population)      # [P]
        optimizer.step(lambda: fitness)     # told; the parameters are the mean

    and a `training_step` of Lightning's manual optimization reads the same, with `self.optimizers().step(...)`, which
    counts the step and passes the closure on. The closure may as well do all of it: `step` asks for nothing itself.

    Args:
        params: the module's parameters; their values are where the search starts.
        make_solver: D -> the solver.
    """

    def __init__(self, params: Iterable[Tensor], make_solver: Callable[[int], Solver]) -> None:
        super().__init__(params, {})
        self.nan_count = 0  # of the last generation
        self._start: Array = parameters_to_vector(self._parameters()).detach().double().cpu().numpy()
        self._asked: Array | None = None  # candidates that were asked for and not yet told, around 0
        self.solver = make_solver(len(self._start))
        self.jumped = False  # whether the mean is of another search than a generation ago
        self.moved: Array = np.zeros_like(self._start)  # the last step of the mean [D]; a jump is none

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    @property
    def popsize(self) -> int:
        """P, candidates a generation."""
        return self.solver.popsize

    def begin(self, draw: Callable[[], nn.Module]) -> None:
        """Let the solver begin with the module as it is and modules like it that are drawn.

        Raises:
            ConfigError: it draws its first candidates itself.
        """
        drawn = [get_vector(draw()).double().numpy() - self._start for _ in range(self.popsize - 1)]
        self.solver.begin(np.stack([np.zeros_like(self._start), *drawn]))

    def ask(self) -> Tensor:
        """The candidates [P, D], in the parameters' dtype, on their device.

        They are the same again until their fitness is told: a generation that was interrupted starts anew.
        """
        if self._asked is None:
            with one_core_algebra():
                asked = self.solver.ask()
            self._asked = self._check(asked, "ask()", self.popsize, len(self._start))
        return torch.from_numpy(self._start + self._asked).to(self._parameters()[0])

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Tell the fitness [P] that the closure returns, and return it; the mean becomes the parameters."""
        fitness = closure()
        if fitness.shape != (self.popsize,):
            raise ValueError(f"the closure returned fitness of shape {tuple(fitness.shape)}, not ({self.popsize},)")
        if self._asked is None:
            raise RuntimeError("nobody asked for candidates: fitness is told once for each population")
        before, search = np.array(self.solver.mean), self.solver.mean_of  # a solver may go on writing to its own mean
        with one_core_algebra():
            self.solver.tell(self._rank_nan_last(fitness.double().cpu().numpy()))
        self._asked = None
        vector_to_parameters(torch.from_numpy(self.mean()).to(self._parameters()[0]), self._parameters())
        self.jumped = self.solver.mean_of != search
        self.moved = np.zeros_like(before) if self.jumped else self.solver.mean - before
        return fitness

    def _rank_nan_last(self, fitness: Array) -> Array:
        broken = ~np.isfinite(fitness)
        self.nan_count = int(broken.sum())
        if self.nan_count == len(fitness):
            return np.full_like(fitness, HOPELESS)
        worst, best = fitness[~broken].min(), fitness[~broken].max()
        return np.where(broken, worst - (best - worst) - 1, fitness)

    def mean(self) -> Array:
        """The solver's estimate of the best parameters [D]."""
        return self._start + self._check(self.solver.mean, "mean", len(self._start))

    def _check(self, values: Array, what: str, *shape: int) -> Array:
        """An array that the solver, which may be anybody's, gave; ConfigError unless it has this shape."""
        if np.shape(values) != shape:
            name = type(self.solver).__name__
            raise ConfigError(f"{what} of the solver {name} has the shape {np.shape(values)}; it must be {shape}")
        return values

    def statistics(self) -> dict[str, float]:
        """What to log of the solver's state."""
        return self.solver.statistics()

    def state_dict(self) -> dict[str, object]:
        """Start and solver's state as tensors and plain values: a resumed run goes on bit for bit.

        Candidates that wait for their fitness are not in it: the resumed solver asks for the same ones. Nor are the
        solver's arguments: a checkpoint has them in the run's configuration.
        """
        return {"kind": self._kind(), "solver": to_tensors({"start": self._start, "state": self.solver.state})}

    def _kind(self) -> str:
        return f"{type(self.solver).__name__} over {len(self._start)} parameters"

    def check_resumable(self, state_dict: Mapping[str, object]) -> None:
        """Raise ConfigError unless `state_dict` is one of this search."""
        if not isinstance(state_dict.get("solver"), dict):
            raise ConfigError(
                "ckpt_path is of an older version, which kept the solver as code; it can't be resumed: give it as "
                "weights= to start a new search from its mean"
            )
        then = str(state_dict.get("kind")).replace("NevergradOptimizer", "Nevergrad")  # its name in older versions
        if then != self._kind():
            raise ConfigError(
                f"ckpt_path is of a search by {then}, this run's is by {self._kind()}; a run is resumed with the "
                "configuration it was started with"
            )

    def load_state_dict(self, state_dict: Mapping[str, object]) -> None:
        """Go on from `state_dict`."""
        self.check_resumable(state_dict)
        loaded = to_arrays(take(dict(state_dict), "solver", dict))
        try:
            with one_core_algebra():
                self.solver.state = take(loaded, "state", dict)
        except ConfigError as error:
            raise ConfigError(f"ckpt_path: {error}") from None
        self._start, self._asked = take(loaded, "start", np.ndarray), None
