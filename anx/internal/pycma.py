"""The one door to pycma's strategy, which nevergrad builds: what of its insides anx relies on stands here.

nevergrad's own ask and tell go candidate by candidate through an archive and objects that take as long as the search
itself, and restart it at 0, without a word, once one of pycma's termination criteria (`stop()`) fires. Here the
strategy is asked and told directly, in whole populations: the numbers are the same to the bit, and as nothing ever
calls `stop()`, no criterion can end or restart a search.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import TypeAlias

import nevergrad as ng
import numpy as np
from cma import CMAEvolutionStrategy
from cma.sigma_adaptation import CMAAdaptSigmaCSA, CMAAdaptSigmaTPA
from numpy.typing import NDArray

from anx.errors import ConfigError
from anx.internal.known import check_has

Parts: TypeAlias = dict[str, dict[str, object]]  # of a strategy: its attributes by name

RULES = {"csa": CMAAdaptSigmaCSA, "tpa": CMAAdaptSigmaTPA}

# pycma moves the coordinates when they differ by 1e8 in scale, which stays within its state; at a condition of 1e12 it
# would also turn them, after which its mean is no longer a candidate's.
OPTIONS = {"conditioncov_alleviate": [1e8, 0]}

# What a strategy's next generations depend on, part by part; all else follows from its options. `mean_old` comes with
# the first generation, `ps` of two-point adaptation too, `standard_deviations` when sigma grows a billionfold.
STATE = {
    "strategy": ("mean", "mean_old", "sigma", "pc", "pc2", "countiter", "countevals"),
    "sampler": ("C", "B", "D", "last_update", "count_tell", "count_eigen", "standard_deviations"),
    "step_size": ("ps", "s"),
    "scaling": ("scaling", "is_identity", "dim"),
}
NEEDED = {
    "strategy": ("mean", "sigma", "pc", "pc2", "countiter", "countevals", "pop_injection_directions"),
    "scaling": STATE["scaling"],
}


def build(
    dimension: int, *, popsize: int, sigma0: float, diagonal: bool, step_size: str, random_state: np.random.RandomState
) -> CMAEvolutionStrategy:
    """pycma's strategy around 0, as nevergrad sets it up."""
    array = ng.p.Array(shape=(dimension,))
    array.random_state = random_state
    factory = ng.optimizers.ParametrizedCMA(
        scale=sigma0, popsize=popsize, diagonal=diagonal, inopts={**OPTIONS, "AdaptSigma": RULES[step_size]}
    )
    strategy = factory(array, budget=None, num_workers=1).es
    for part, names in NEEDED.items():
        check_has(_owners(strategy)[part], names, "cma")
    return strategy


def _owners(strategy: CMAEvolutionStrategy) -> dict[str, object]:
    return {
        "strategy": strategy,
        "sampler": strategy.sm,
        "step_size": strategy.adapt_sigma,
        "scaling": strategy.sigma_vec,
    }


def get_directions(strategy: CMAEvolutionStrategy) -> NDArray[np.float64]:
    """A copy of the steps [n, D] that the next population begins with (two-point adaptation)."""
    return np.array(strategy.pop_injection_directions).reshape(-1, strategy.N)


def get_state(strategy: CMAEvolutionStrategy) -> Parts:
    """Copies of what `STATE` names. Matrices keep their layout, on which the last bit of a product depends."""
    state: Parts = {"versions": {name: version(name) for name in ("cma", "nevergrad")}}
    for part, owner in _owners(strategy).items():
        state[part] = {name: _copy(getattr(owner, name)) for name in STATE[part] if hasattr(owner, name)}
    return state


def set_state(strategy: CMAEvolutionStrategy, state: Mapping[str, object], directions: NDArray[np.float64]) -> None:
    """Give a strategy fresh from `build` the state of another; ConfigError where it has no place for it."""
    parts = {part: values for part, values in state.items() if isinstance(values, dict)}
    if parts.get("strategy", {}).get("countiter"):  # what pycma makes only in its first generation is made
        strategy.tell(strategy.ask(), list(range(strategy.popsize)))
    for part, owner in _owners(strategy).items():
        values = parts.get(part, {})
        needed = {name for name in STATE[part] if hasattr(owner, name)}
        if odd := (needed - values.keys()) | (values.keys() - set(STATE[part])):
            raise ConfigError(
                f"pycma {version('cma')} can't go on from what pycma {parts.get('versions', {}).get('cma')} left "
                f"(it differs in {', '.join(sorted(odd))}); resume it with that version"
            )
        for name, value in values.items():
            copy = _copy(value)
            setattr(owner, name, np.float64(copy) if isinstance(copy, float) else copy)
    strategy.pop_injection_directions = [direction.copy() for direction in directions]
    strategy.mean_after_tell = np.array(strategy.mean)
    strategy._updateBDfromSM(strategy.sm)


def _copy(value: object) -> object:
    return np.array(value, order="K") if isinstance(value, np.ndarray) else value
