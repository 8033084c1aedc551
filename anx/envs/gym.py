"""CartPoleSwingUpHarder as a gymnasium environment: `import anx; gymnasium.make("anx/CartPoleSwingUpHarder-v0")`."""

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anx.envs.cartpole import POLE_LENGTH, X_LIMIT, CartPoleState, CartPoleSwingUpHarder

WIDTH, HEIGHT = 600, 300  # pixels
SCALE = WIDTH / (2 * X_LIMIT + 1)  # pixels a metre
SHARPNESS = 3  # drawn larger and reduced: smooth edges


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
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        generator = torch.Generator().manual_seed(int(self.np_random.integers(2**31)))
        self._state = CartPoleState(*(x[0] for x in self.world.reset(1, generator)))
        return self._observation(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        assert self._state is not None, "reset comes before step"
        self._state, reward, done = self.world.step(self._state, torch.as_tensor(action, dtype=torch.float32))
        return self._observation(), float(reward), bool(done), False, {}

    def _observation(self) -> NDArray[np.float32]:
        assert self._state is not None
        return self.world.observe(self._state).numpy()

    def render(self) -> NDArray[np.uint8] | None:
        """The cart on its track and the pole, uint8 [300, 600, 3]."""
        if self.render_mode is None or self._state is None:
            return None
        return draw(float(self._state.x), float(self._state.theta))


def draw(x: float, theta: float) -> NDArray[np.uint8]:
    """A picture of a cart at x (m) with its pole at angle theta from upright (rad)."""
    scale = SCALE * SHARPNESS
    image = Image.new("RGB", (WIDTH * SHARPNESS, HEIGHT * SHARPNESS), "white")
    canvas = ImageDraw.Draw(image)
    middle, ground = WIDTH * SHARPNESS / 2, HEIGHT * SHARPNESS * 0.55

    def box(cx: float, cy: float, w: float, h: float) -> tuple[float, float, float, float]:
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2

    left, right = middle - X_LIMIT * scale, middle + X_LIMIT * scale
    canvas.line((left, ground, right, ground), fill="#888888", width=2 * SHARPNESS)
    for end in (left, right):
        canvas.line((end, ground - 0.1 * scale, end, ground + 0.1 * scale), fill="#888888", width=2 * SHARPNESS)
    cart = middle + x * scale
    canvas.rounded_rectangle(box(cart, ground, 0.5 * scale, 0.25 * scale), radius=0.05 * scale, fill="#35618f")
    tip = (cart + POLE_LENGTH * scale * math.sin(theta), ground - POLE_LENGTH * scale * math.cos(theta))
    canvas.line((cart, ground, *tip), fill="#d1723f", width=6 * SHARPNESS)
    for point, size in ((tip, 0.12), ((cart, ground), 0.08)):
        canvas.ellipse(box(*point, size * scale, size * scale), fill="#d1723f")
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))
