"""What a generation's ask and tell cost: ours, nevergrad's own and pycma alone, in turns, for the default agent.

The fitness is noise, the populations are equal to the bit, and so is the work: the difference is what stands around it.
"""

import statistics
import time
from collections.abc import Callable

import cma
import nevergrad as ng
import numpy as np
from comparison import arguments, rounds_of
from nevergrad.optimization.utils import Pruning

from anx.internal.pycma import RULES
from anx.solvers.cmaes import CMAES

DIMENSION = 913
SETTINGS = ((64, "tpa", 6), (256, "csa", 3))  # popsize, step-size rule, generations a round

Generation = Callable[[np.ndarray], None]  # fitness [P] -> nothing


def make_ours(popsize: int, step_size: str) -> Generation:
    solver = CMAES(DIMENSION, popsize=popsize, sigma0=0.1, step_size=step_size)

    def generation(fitness: np.ndarray) -> None:
        solver.ask()
        solver.tell(fitness)

    return generation


def make_nevergrad(popsize: int, step_size: str) -> Generation:
    array = ng.p.Array(shape=(DIMENSION,))
    array.random_state = np.random.RandomState(0)
    options = {"AdaptSigma": RULES[step_size], "tolfun": 0, "tolfunhist": 0}
    solver = ng.optimizers.ParametrizedCMA(scale=0.1, popsize=popsize, inopts=options)(array, num_workers=1)
    solver.pruning = Pruning(1, 2)

    def generation(fitness: np.ndarray) -> None:
        asked = [solver.ask() for _ in range(popsize)]
        np.stack([candidate.value for candidate in asked])
        for candidate, value in zip(asked, fitness, strict=True):
            solver.tell(candidate, -value)

    return generation


def make_pycma(popsize: int, step_size: str) -> Generation:
    options = {"popsize": popsize, "AdaptSigma": RULES[step_size], "verbose": -9, "seed": np.nan}
    options["randn"] = np.random.RandomState(0).randn
    strategy = cma.CMAEvolutionStrategy(np.zeros(DIMENSION), 0.1, options)

    def generation(fitness: np.ndarray) -> None:
        asked = strategy.ask()
        strategy.tell(asked, (-fitness).tolist())

    return generation


SIDES = {"ours": make_ours, "nevergrad": make_nevergrad, "pycma": make_pycma}


def compare(popsize: int, step_size: str, generations: int, rounds: int) -> None:
    """Print all sides' generations/s, medians over rounds in turns, and `ratio: NUMBER`, ours over theirs."""
    runs = {side: make(popsize, step_size) for side, make in SIDES.items()}
    fitness = np.random.RandomState(1).rand(rounds + 1, generations, popsize)
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    for number, played in enumerate(fitness):
        for side, generation in runs.items():
            started = time.perf_counter()
            for each in played:
                generation(each)
            if number:  # the first round warms up
                speeds[side].append(generations / (time.perf_counter() - started))
    name = f"solver {popsize} x {DIMENSION} {step_size}"
    medians = {side: statistics.median(measured) for side, measured in speeds.items()}
    for side, measured in speeds.items():
        spread = f"{min(measured):.2f} to {max(measured):.2f}"
        print(f"{name:24s} {side:10s} {medians[side]:6.2f} generations/s ({spread})")
    for side in ("nevergrad", "pycma"):
        print(f"{name:24s} ours over {side:10s} ratio: {medians['ours'] / medians[side]:.2f}", flush=True)


if __name__ == "__main__":
    args = arguments(__doc__).parse_args()
    for popsize, step_size, generations in SETTINGS:
        compare(popsize, step_size, 1 if args.quick else generations, rounds_of(args))
