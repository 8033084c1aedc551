"""The one door to nevergrad's TBPSA: what of its insides anx relies on stands here.

A solver is asked and told through nevergrad's public methods; its state is not among what nevergrad promises.
"""

from collections.abc import Mapping
from importlib.metadata import version

import nevergrad as ng
import numpy as np
from nevergrad.optimization.base import Optimizer
from nevergrad.optimization.utils import Pruning

from anx.errors import ConfigError
from anx.internal.known import check_has

CONTROLLER = ("llambda", "mu")  # the sizes that nevergrad adapts, by its names


def build(dimension: int, *, popsize: int, sigma0: float, random_state: np.random.RandomState) -> Optimizer:
    """nevergrad's solver around 0."""
    array = ng.p.Array(shape=(dimension,))
    array.set_mutation(sigma=sigma0)
    array.random_state = random_state
    factory = ng.optimizers.ParametrizedTBPSA(naive=False, initial_popsize=max(popsize // 4, 1))
    # As many workers as candidates: the size never falls below P.
    solver = factory(array, budget=None, num_workers=popsize)
    check_has(solver, ("children", "current_center", "sigma", "popsize"), "nevergrad")
    check_has(solver.popsize, (*CONTROLLER, "_loss_record"), "nevergrad")
    solver.pruning = Pruning(1, 2)  # nevergrad keeps every point ever told otherwise
    return solver


def get_sigma(solver: Optimizer) -> float:
    """The step size."""
    return float(solver.sigma * solver.parametrization.sigma.value)


def get_state(solver: Optimizer) -> dict[str, object]:
    """Copies of what the next generations depend on, but for its random state."""
    children = solver.children  # told, and not yet learnt from
    return {
        "versions": {"nevergrad": version("nevergrad")},
        "center": np.array(solver.current_center),
        "sigma": float(solver.sigma),
        "controller": {name: getattr(solver.popsize, name) for name in CONTROLLER},
        "losses": np.array(solver.popsize._loss_record, dtype=np.float64),
        "children": {
            "values": np.array([child.value for child in children]).reshape(-1, solver.dimension),
            "losses": np.array([child.loss for child in children], dtype=np.float64),
            "sigmas": np.array([child._meta["sigma"] for child in children], dtype=np.float64),
        },
    }


def set_state(solver: Optimizer, state: Mapping[str, object]) -> None:
    """Give a solver fresh from `build` the state of another; ConfigError where it has no place for it."""
    parts = {part: values for part, values in state.items() if isinstance(values, dict)}
    if parts.get("controller", {}).keys() != set(CONTROLLER):
        raise ConfigError(
            f"nevergrad {version('nevergrad')} can't go on from what nevergrad "
            f"{parts.get('versions', {}).get('nevergrad')} left; resume it with that version"
        )
    solver.current_center, solver.sigma = np.array(state["center"]), state["sigma"]
    for name, value in parts["controller"].items():
        setattr(solver.popsize, name, value)
    solver.popsize._loss_record = np.asarray(state["losses"]).tolist()
    told = parts["children"]
    for value, loss, sigma in zip(told["values"], told["losses"], told["sigmas"], strict=True):
        child = solver.parametrization.spawn_child(new_value=value)
        child.loss = float(loss)
        child._meta["sigma"] = sigma
        solver.children.append(child)
