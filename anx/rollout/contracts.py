"""What a rollout needs of an environment, and of the vector environments that one makes."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from gymnasium.spaces import Space
from numpy.typing import NDArray
from torch import Tensor

from anx.spec import Spec

State = TypeVar("State")  # a tensor, or a tree of tensors

Mask: TypeAlias = NDArray[np.bool_]  # [slots]
Numbers: TypeAlias = NDArray[np.generic]
Info: TypeAlias = Mapping[str, object]
# Observations [slots, ...], rewards, terminated, truncated, each [slots], and what else there is to say: after a
# process's death `lost` [slots], whose episodes are gone with it, and `died` [slots], which may have been the cause.
Answer: TypeAlias = tuple[Numbers, NDArray[np.floating], Mask, Mask, Info]


class TorchEnvironment(Protocol[State]):
    """Episodes written in torch: any number of them, on any device."""

    @property
    def spec(self) -> Spec: ...

    def reset(self, episodes: int, generator: torch.Generator) -> State:
        """The starts of so many episodes, [episodes, ...], drawn on the CPU."""

    def observe(self, state: State) -> Tensor:
        """State [...] -> observation [..., *spec.observation_shape]."""

    def step(self, state: State, action: Tensor) -> tuple[State, Tensor, Tensor]:
        """State [...], action [..., A] -> state, reward [...], done [...]."""

    def render(self, state: State) -> NDArray[np.uint8]:
        """The state of one episode -> what a person sees, [height, width, 3]."""


class VectorEnvironment(Protocol):
    """Episodes side by side, as gymnasium has them."""

    @property
    def num_envs(self) -> int: ...

    @property
    def single_action_space(self) -> Space[Numbers]: ...

    def reset(self, *, seed: Sequence[int], options: dict[str, Mask] | None = None) -> tuple[Numbers, Info]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed -> observations, information."""

    def step(self, actions: Numbers) -> Answer:
        """Actions [slots] or [slots, A] -> the answers to them."""

    def render(self) -> Sequence[NDArray[np.uint8]]:
        """For each slot what a person sees, [height, width, 3]."""

    def close(self) -> None: ...


class Asked(Protocol):
    """Episodes side by side that are asked first, and answer later."""

    @property
    def num_envs(self) -> int: ...

    @property
    def single_action_space(self) -> Space[Numbers]: ...

    def reset(self, *, seed: Sequence[int], options: dict[str, Mask] | None = None) -> tuple[Numbers, Info]: ...

    def step_async(self, actions: Numbers) -> None:
        """Send actions [slots] or [slots, A]; `step_wait` answers."""

    def step_wait(self) -> Answer: ...

    def close(self) -> None: ...


class HostEnvironment(Protocol):
    """Makes vector environments that step on the CPU."""

    @property
    def spec(self) -> Spec: ...

    @property
    def overlaps(self) -> bool:
        """Whether its vector environments step while the policy acts for others: they have `step_async` and
        `step_wait`, too (see `Asked`)."""

    def make(self, slots: int, training: bool, pictures: bool = False) -> VectorEnvironment:
        """So many environments; some are rewarded differently in training, some render only with `pictures`."""
