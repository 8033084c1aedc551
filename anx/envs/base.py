"""What an environment is: one written in torch, or one that steps on the CPU."""

from __future__ import annotations  # torch is for type checkers only: processes that step environments do without

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from anx.envs.vector import Envs, Native, Pixels, Readable
from anx.errors import ConfigError
from anx.spec import Spec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

State = TypeVar("State")


class TorchEnvironment(ABC, Generic[State]):
    """An environment written in torch: any number of episodes are stepped as one batch, on any device.

    A state is a tensor, or a tuple (a NamedTuple, a list, a dict) of tensors, whose first axis after `reset` is the
    episodes. `observe` and `step` are given the states of a batch of any axes [...], also of none, in any precision:
    they index from the last axis, draw no random numbers, and change nothing in place. `check_env` says whether they
    do. Whoever needs random numbers in an episode draws their seed, or the numbers, in `reset`.

    `_target_: my_package.MyWorld` in place of env's is all that a run needs to use one.
    """

    rollout: ClassVar[str] = "device"  # what plays it: `rollout=device`
    backgrounds: ClassVar[tuple[str, ...]] = ()  # what it draws has none to change
    spec: Spec

    @abstractmethod
    def reset(self, episodes: int, generator: torch.Generator) -> State:
        """The starts of `episodes` episodes [episodes, ...], drawn on the CPU: every device sees the same ones.

        More episodes leave the first ones as they were wherever each draws its numbers in a row of its own.
        """

    @abstractmethod
    def observe(self, state: State) -> Tensor:
        """State [...] -> observation [..., *spec.observation_shape]; frames from 0 to 255."""

    @abstractmethod
    def step(self, state: State, action: Tensor) -> tuple[State, Tensor, Tensor]:
        """State [...], action [..., A] -> state [...], reward [...], done [...], a bool; `max_steps` apart.

        Actions are numbers from -1 to 1, or, where `spec.discrete`, a one for the button that is pressed among zeros.
        """

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures of it."""
        return type(self).render is not TorchEnvironment.render

    def render(self, state: State) -> Pixels:
        """The state of one episode -> what a person sees, [height, width, 3].

        Raises:
            ConfigError: it draws no pictures.
        """
        raise without_pictures(f"env={type(self).__name__}")


class HostEnvironment(ABC):
    """An environment that steps on the CPU: it makes vector environments of gymnasium's kind.

    `_target_: my_package.MyEnvironment` in place of env's, and `rollout=host`, is all that a run needs to use one. A
    single environment of gymnasium's needs no class: `env=gymnasium env.id=my_package:MyEnv-v0`.
    """

    native: Native | None = None  # the spaces of what it is made of, where agents get others (see `anx.envs.spaces`)
    rollout: ClassVar[str] = "host"  # what plays it: `rollout=host`
    overlaps: ClassVar[bool] = False  # whether it steps elsewhere while the policy acts for others
    stacks: ClassVar[bool] = False  # whether its frames are the newest of a film: a step brings one, the oldest goes
    has_pictures: bool = True  # whether there are pictures of it
    backgrounds: tuple[str, ...] = ()  # names of pictures that can be put behind while it is played
    spec: Spec

    @abstractmethod
    def make(self, slots: int, training: bool, pictures: bool = False) -> Envs:
        """A vector environment of `slots` environments, each of which plays one episode after the other.

        `reset(seed=[slots], options={"reset_mask": [slots]})` resets the chosen slots, each to its own seed, and leaves
        the others as they are; without options it resets all. It returns observations [slots, *spec.observation_shape],
        float32 or uint8, and a dict. `step(actions)` takes an int each, [slots], or numbers within the bounds of
        `single_action_space`, [slots, A], and returns observations, rewards [slots], terminated [slots], truncated
        [slots] and a dict. A slot whose episode has ended waits for its reset: what it returns until then is not
        counted. The vector environments of one that `overlaps` are a `SplitStep` (see `anx.envs.vector`).

        Args:
            slots: environments side by side.
            training: whether it is trained on: some environments are rewarded differently then.
            pictures: whether `render()` is to give a picture [height, width, 3] for each slot.
        """

    def make_readable(self, slots: int) -> Readable:
        """As `make`, with the machines' memory to read, which some teachers look at; training changes nothing.

        Raises:
            ConfigError: there is no such memory.
        """
        raise ConfigError(f"env={type(self).__name__} has no memory that a teacher could read; allowed: env=pong")

    def change_background(self, envs: Envs, background: str | None) -> None:
        """Put a picture behind what these vector environments show from now on, also to agents.

        Args:
            envs: that `make` made.
            background: one of `backgrounds`; None: the one that it came with.
        """
        raise ConfigError(f"background={background}: env={type(self).__name__} has no other")


def without_pictures(env: str) -> ConfigError:
    """What is said where an environment that draws none is filmed.

    Args:
        env: as a command line would choose it, env.id=MyEnv-v0.
    """
    return ConfigError(f"{env} draws no pictures: it can't be filmed")
