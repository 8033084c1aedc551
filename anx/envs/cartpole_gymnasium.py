"""CartPoleSwingUpHarder as a gymnasium environment: see `anx.envs.registration`."""

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from anx.envs.cartpole import CartPoleState, CartPoleSwingUpHarder


class CartPoleEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One episode of the torch environment. Observation [5], action [1] in [-1, 1]; renders `rgb_array`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012 (gymnasium's own convention)

    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode={render_mode} is not one of rgb_array, None")
        self.render_mode = render_mode
        self.world = CartPoleSwingUpHarder()
        self.observation_space = Box(-np.inf, np.inf, (5,), np.float32)
        self.action_space = Box(-1.0, 1.0, (1,), np.float32)
        self._state: CartPoleState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, object]]:
        super().reset(seed=seed)
        generator = torch.Generator().manual_seed(int(self.np_random.integers(2**31)))
        self._state = CartPoleState(*(x[0] for x in self.world.reset(1, generator)))
        return self._observation(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, object]]:
        assert self._state is not None, "reset comes before step"
        self._state, reward, done = self.world.step(self._state, torch.as_tensor(action, dtype=torch.float32))
        return self._observation(), float(reward), bool(done), False, {}

    def _observation(self) -> NDArray[np.float32]:
        assert self._state is not None
        return self.world.observe(self._state).numpy()

    def render(self) -> NDArray[np.uint8] | None:
        """The world's picture."""
        if self.render_mode is None or self._state is None:
            return None
        return self.world.render(self._state)
