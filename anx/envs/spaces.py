"""gymnasium's spaces: what an agent can observe and do, and how it gets and does that.

An agent observes scalars, [N] float32, or frames, [frames, height, width] uint8, and its actions are numbers from -1 to
1, one for each actuator, or one button of several.
"""

from collections.abc import Callable

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Space

from anx.envs.vector import Array

Env = gymnasium.Env[Array, Array]

FLATTEN = "wrap it with gymnasium.wrappers.FlattenObservation"
BOUND = "wrap it with gymnasium.wrappers.RescaleAction, or state finite bounds"


class Plain(gymnasium.Wrapper[Array, Array, Array, Array]):
    """An environment as agents need it: scalars or frames, and numbers from -1 to 1 or the index of a button.

    Args:
        env: any whose spaces are a Box or Discrete, see `plain_observation` and `plain_action`.

    Raises:
        ValueError: its spaces are others.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self._seen, self._done = env.observation_space, env.action_space
        self._plain = plain_observation(self._seen)
        self.observation_space = self._plain
        self.action_space = plain_action(self._done)  # type: ignore[assignment]  # an index is an array, too

    def reset(self, *, seed: int | None = None, options: dict[str, object] | None = None) -> tuple[Array, dict]:
        observation, info = self.env.reset(seed=seed, options=options)
        return observed(observation, self._seen, self._plain), info

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict]:
        observation, reward, terminated, truncated, info = self.env.step(taken(action, self._done))
        seen = observed(observation, self._seen, self._plain)
        return seen, float(reward), bool(terminated), bool(truncated), info


def plain_observation(space: Space[Array]) -> Box:
    """The space that an agent observes instead.

    A Discrete one is a scalar for each of its values, of which one is 1. A Box of up to one axis is scalars. One of two
    or three axes is frames, if its type is uint8: their channels are the shorter of the first and the last axis.

    Raises:
        ValueError: there is none.
    """
    if isinstance(space, Discrete):
        return Box(0.0, 1.0, (int(space.n),), np.float32)
    if not isinstance(space, Box):
        raise ValueError(f"its observations are {brief(space)}; allowed: Box and Discrete: {FLATTEN}")
    if len(space.shape) < 2:
        low, high = (np.atleast_1d(bound).astype(np.float32) for bound in (space.low, space.high))
        return Box(low, high, dtype=np.float32)
    if len(space.shape) > 3 or space.dtype != np.uint8:
        raise ValueError(
            f"its observations are {brief(space)}; of more than one axis allowed are frames, of type uint8, [height, "
            f"width], [height, width, channels] or [channels, height, width]; for scalars {FLATTEN}"
        )
    return Box(0, 255, to_frames(np.zeros(space.shape, np.uint8)).shape, np.uint8)


def plain_action(space: Space[Array]) -> Box | Discrete:
    """The space in which an agent acts instead.

    Raises:
        ValueError: there is none.
    """
    if isinstance(space, Discrete):
        return Discrete(int(space.n))
    if not isinstance(space, Box) or not np.issubdtype(space.dtype, np.floating):
        raise ValueError(f"its actions are {brief(space)}; allowed: Discrete, and a Box of floats")
    check_bounds(space)
    return Box(-1.0, 1.0, (int(np.prod(space.shape)),), np.float32)


def observed(observation: Array, space: Space[Array], plain: Box) -> Array:
    """An observation in a space -> in the agent's, see `plain_observation`."""
    if isinstance(space, Discrete):
        return (np.arange(space.n) == observation - space.start).astype(np.float32)
    if plain.dtype == np.uint8:
        return to_frames(np.asarray(observation))
    return np.asarray(observation, dtype=np.float32).reshape(plain.shape)


def taken(action: Array, space: Space[Array]) -> Array:
    """An agent's action, a button's index [...] or numbers from -1 to 1 [..., A] -> in a space.

    Numbers are stretched to the bounds, as Tang & Ha 2021 do for CarRacing.

    Raises:
        ValueError: the space has no bounds.
    """
    return taking(space)(action)


def taking(space: Space[Array]) -> Callable[[Array], Array]:
    """`taken` for one action after the other: what follows from the space is worked out once."""
    if isinstance(space, Discrete):
        return lambda action: action + space.start  # a number stays one: environments look it up in tables
    assert isinstance(space, Box)
    check_bounds(space)
    centre, reach = (space.high + space.low) / 2, (space.high - space.low) / 2

    def stretched(action: Array) -> Array:
        shape = (*action.shape[:-1], *space.shape)
        return np.asarray(action.reshape(shape) * reach + centre).astype(np.result_type(space.dtype, action.dtype))

    return stretched


def resting(space: Space[Array]) -> tuple[float, ...]:
    """What an agent tells each actuator, from -1 to 1, that it takes for 0, or for what is nearest; of buttons none."""
    if not isinstance(space, Box):
        return ()
    check_bounds(space)
    centre, reach = (space.high + space.low) / 2, (space.high - space.low) / 2
    zero = np.clip(0, space.low, space.high) - centre
    return tuple(np.divide(zero, reach, out=np.zeros_like(zero), where=reach > 0).flatten().tolist())


def check_bounds(space: Box) -> None:
    """ValueError, unless every action has a least and a greatest value."""
    if not space.is_bounded("both"):
        raise ValueError(f"its actions are {brief(space)}, without bounds: {BOUND}")


def to_frames(picture: Array) -> Array:
    """Frames [height, width], [height, width, channels] or [channels, height, width] -> [channels, height, width]."""
    if picture.ndim == 2:
        return picture[None]
    first, *_, last = picture.shape
    return np.ascontiguousarray(np.moveaxis(picture, -1, 0)) if last <= first else picture


def brief(space: Space[Array]) -> str:
    """A space in a line that is not too long."""
    text = " ".join(str(space).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
