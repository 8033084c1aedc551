"""A solver's state as data: arrays by name, and their way into a checkpoint and back."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from anx.errors import ConfigError

State = dict[str, object]  # name -> array, number, bool, text, or again a State

T = TypeVar("T")


def take(state: State, name: str, kind: type[T]) -> T:
    """A part of a state; ConfigError unless it is there and of its kind."""
    value = state.get(name)
    if not isinstance(value, kind):
        raise ConfigError(
            f"the state has no {name} that is {kind.__name__}: another solver, or another version, left it"
        )
    return value


def to_tensors(state: State) -> State:
    """Arrays become tensors of their own, numpy's numbers Python's: what `torch.load(weights_only=True)` reads."""

    def convert(value: object) -> object:
        if isinstance(value, dict):
            return to_tensors(value)
        if isinstance(value, np.ndarray):
            return torch.from_numpy(np.array(value, order="K"))
        return value.item() if isinstance(value, np.generic) else value

    return {key: convert(value) for key, value in state.items()}


def to_arrays(state: State) -> State:
    """The inverse of `to_tensors`."""

    def convert(value: object) -> object:
        if isinstance(value, dict):
            return to_arrays(value)
        return np.array(value.cpu().numpy(), order="K") if isinstance(value, Tensor) else value

    return {key: convert(value) for key, value in state.items()}


def random_state_to_data(random_state: np.random.RandomState) -> State:
    """numpy's random state as arrays and numbers."""
    state = random_state.get_state(legacy=False)
    assert isinstance(state, dict)
    return {**state, "state": {**state["state"], "key": state["state"]["key"].astype(np.int64)}}


def random_state_from_data(random_state: np.random.RandomState, state: State) -> None:
    """Set a random state to what `random_state_to_data` made of another."""
    words = take(state, "state", dict)
    random_state.set_state({**state, "state": {**words, "key": words["key"].astype(np.uint32)}})
