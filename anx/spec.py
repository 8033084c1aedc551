"""What an environment says of itself: all that an agent, a rollout or a film needs to know of it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Spec:
    """What goes into an agent and what comes out of it.

    Args:
        observation_shape: (N,) for N scalars; (frames, height, width), or (colours, height, width), for pictures.
        actuators: the names of what an action drives, A of them: motors, or buttons.
        max_steps: steps after which an episode ends.
        discrete: one button is pressed at a time; else every motor gets a number from -1 to 1.
        inputs: the names of the N scalars; without: their numbers.
        fps: steps that make a second.
        rest: what tells each motor to do nothing, A numbers from -1 to 1; without: 0.
    """

    observation_shape: tuple[int, ...]
    actuators: tuple[str, ...]
    max_steps: int
    discrete: bool = False
    inputs: tuple[str, ...] = ()
    fps: float = 30.0
    rest: tuple[float, ...] = ()

    @property
    def action_size(self) -> int:
        """A."""
        return len(self.actuators)


class Specified(Protocol):
    """An environment of any kind: it says what it is."""

    @property
    def spec(self) -> Spec: ...

    @property
    def rollout(self) -> str:
        """What plays it: device, or host."""

    @property
    def backgrounds(self) -> tuple[str, ...]:
        """The names of pictures that can be put behind while it is played."""

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures of it."""
