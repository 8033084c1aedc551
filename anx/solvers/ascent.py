"""Rules by which a mean climbs along an estimated gradient."""

from abc import ABC, abstractmethod

import numpy as np

from anx.errors import ConfigError
from anx.solvers.base import Array
from anx.solvers.state import State, take


class Ascent(ABC):
    """A rule over D dimensions. What it remembers of earlier steps is its state."""

    @abstractmethod
    def step(self, gradient: Array, lr: float) -> Array:
        """What to add to the mean, [D].

        Args:
            gradient: of what is maximised, [D].
            lr: the learning rate.
        """

    @property
    @abstractmethod
    def state(self) -> State:
        """Copies of what the next steps depend on."""

    @state.setter
    @abstractmethod
    def state(self, state: State) -> None:
        """Go on from there."""


class ClipUp(Ascent):
    """Normalised gradients with momentum and a speed limit (Toklu, Liskowski & Srivastava 2020, algorithm 1).

    Args:
        dimension: D.
        momentum: m, from 0 to less than 1.
        max_speed: v_max, the most that the mean moves in a generation.
    """

    def __init__(self, dimension: int, *, momentum: float, max_speed: float) -> None:
        check_momentum(momentum)
        if max_speed <= 0:
            raise ConfigError(f"max_speed={max_speed} must be greater than 0")
        self.momentum = momentum
        self.max_speed = max_speed
        self._velocity = np.zeros(dimension)

    def step(self, gradient: Array, lr: float) -> Array:
        # v <- m v + alpha g / |g|; where |v| > v_max, v <- v_max v / |v|
        length = np.linalg.norm(gradient)
        towards = gradient / length if length else gradient  # 0 where all candidates are equal
        velocity = self.momentum * self._velocity + lr * towards
        speed = np.linalg.norm(velocity)
        self._velocity = velocity * (self.max_speed / speed) if speed > self.max_speed else velocity
        return self._velocity

    @property
    def state(self) -> State:
        return {"velocity": self._velocity.copy()}

    @state.setter
    def state(self, state: State) -> None:
        self._velocity = take(state, "velocity", np.ndarray).copy()


class Adam(Ascent):
    """Adam (Kingma & Ba 2015, algorithm 1), upwards.

    Args:
        dimension: D.
        momentum: beta1, from 0 to less than 1.
        beta2: the same for the squares.
        epsilon: keeps the division from dividing by 0.
    """

    def __init__(self, dimension: int, *, momentum: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        check_momentum(momentum)
        self.momentum = momentum
        self.beta2 = beta2
        self.epsilon = epsilon
        self._steps = 0  # t
        self._first, self._second = np.zeros(dimension), np.zeros(dimension)  # m, v

    def step(self, gradient: Array, lr: float) -> Array:
        # m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; both over what has been given so far of 1
        self._steps += 1
        self._first = self.momentum * self._first + (1 - self.momentum) * gradient
        self._second = self.beta2 * self._second + (1 - self.beta2) * gradient**2
        first = self._first / (1 - self.momentum**self._steps)
        second = self._second / (1 - self.beta2**self._steps)
        return lr * first / (np.sqrt(second) + self.epsilon)

    @property
    def state(self) -> State:
        return {"steps": self._steps, "first": self._first.copy(), "second": self._second.copy()}

    @state.setter
    def state(self, state: State) -> None:
        self._steps = take(state, "steps", int)
        self._first = take(state, "first", np.ndarray).copy()
        self._second = take(state, "second", np.ndarray).copy()


def check_momentum(momentum: float) -> None:
    """ConfigError unless old gradients fade."""
    if not 0 <= momentum < 1:
        raise ConfigError(f"momentum={momentum} must be at least 0 and less than 1")
