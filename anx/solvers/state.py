"""A solver's state as data: arrays by name, and their way into a checkpoint and back."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

State = dict[str, Any]  # str -> array, number, bool, text, or again a State


def to_tensors(state: State) -> State:
    """Arrays become tensors of their own, numpy's numbers Python's: what `torch.load(weights_only=True)` reads."""

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return to_tensors(value)
        if isinstance(value, np.ndarray):
            return torch.from_numpy(np.array(value, order="K"))
        return value.item() if isinstance(value, np.generic) else value

    return {key: convert(value) for key, value in state.items()}


def to_arrays(state: State) -> State:
    """The inverse of `to_tensors`."""

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return to_arrays(value)
        return np.array(value.cpu().numpy(), order="K") if isinstance(value, Tensor) else value

    return {key: convert(value) for key, value in state.items()}


def random_state_to_data(random_state: np.random.RandomState) -> State:
    """numpy's random state as arrays and numbers."""
    state: State = random_state.get_state(legacy=False)
    return {**state, "state": {**state["state"], "key": state["state"]["key"].astype(np.int64)}}


def random_state_from_data(random_state: np.random.RandomState, state: State) -> None:
    """Set a random state to what `random_state_to_data` made of another."""
    random_state.set_state({**state, "state": {**state["state"], "key": state["state"]["key"].astype(np.uint32)}})


def check_has(owner: Any, names: Iterable[str], library: str) -> None:
    """RuntimeError unless a library's object has what anx relies on and its authors do not promise."""
    if missing := [name for name in names if not hasattr(owner, name)]:
        raise RuntimeError(f"{library} {version(library)} is not one that anx knows: it has no {', '.join(missing)}")
