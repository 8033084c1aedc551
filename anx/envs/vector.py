"""Environments side by side: gymnasium's vector environments, and those whose step is two calls."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

Array = NDArray[np.generic]
Native = tuple[Space[Array], Space[Array]]  # of observations, of actions
Flags = NDArray[np.bool_]
Rewards = NDArray[np.float64]
Pixels = NDArray[np.uint8]

Seeds = Sequence[int] | NDArray[np.int64] | int | None  # one a slot; an int: that and those after it
Options = dict[str, Flags] | None  # `reset_mask`: the slots to reset
Info = dict[str, Flags]
Answer = tuple[Array, Rewards, Flags, Flags, Info]  # observations, rewards, terminated, truncated, each [slots, ...]

Envs = VectorEnv[Array, Array, Rewards | Flags]


class SplitStep(Envs, ABC):
    """A vector environment whose step is two calls: whoever acts may act for others in between."""

    @abstractmethod
    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Array, Info]:
        """Reset the slots of `options["reset_mask"]` [slots], or all, each to its own seed."""

    @abstractmethod
    def step_async(self, actions: Array) -> None:
        """Send actions [slots, ...]; `step_wait` answers."""

    @abstractmethod
    def step_wait(self) -> Answer:
        """The answers to the actions sent: observations [slots, ...], rewards, terminated, truncated, each [slots],
        info."""

    def step(self, actions: Array) -> Answer:
        """Both at once."""
        self.step_async(actions)
        return self.step_wait()


class Readable(SplitStep):
    """A vector environment whose machines' memory can be read."""

    @abstractmethod
    def memory(self) -> Pixels:
        """The memory of each slot's machine as it is now, [slots, bytes]."""


class AtOnce(SplitStep):
    """Any vector environment as one of two calls: it steps in the second.

    Args:
        envs: that vector environment.
    """

    def __init__(self, envs: Envs) -> None:
        self.envs = envs
        self.num_envs = envs.num_envs
        self.single_action_space, self.action_space = envs.single_action_space, envs.action_space

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Array, Info]:
        return self.envs.reset(seed=seed, options=options)  # type: ignore[arg-type]  # gymnasium's is said to be an int

    def step_async(self, actions: Array) -> None:
        self._sent = actions

    def step_wait(self) -> Answer:
        return self.envs.step(self._sent)  # type: ignore[return-value]  # it has one type for rewards and flags

    def render(self) -> tuple[Pixels, ...] | None:
        return self.envs.render()  # type: ignore[return-value]  # could be texts

    def close(self, **kwargs: object) -> None:
        self.envs.close(**kwargs)


def chosen(options: Options, slots: int) -> Flags:
    """The slots to reset [slots]: those of `options["reset_mask"]`, or all."""
    return options["reset_mask"] if options else np.ones(slots, dtype=bool)


def each_seed(seed: Seeds, slots: int) -> list[int | None]:
    """The seed of each slot [slots], as gymnasium's vector environments have them."""
    if seed is None:
        return [None] * slots
    return [seed + slot for slot in range(slots)] if isinstance(seed, int) else [int(each) for each in seed]
