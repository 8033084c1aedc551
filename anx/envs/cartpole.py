"""CartPoleSwingUpHarder in torch: any number of episodes on any device."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from anx.envs.base import TorchEnvironment
from anx.envs.limits import MOST_STEPS, check_counts
from anx.spec import Spec

GRAVITY = 9.82
CART_MASS = 0.5
POLE_MASS = 0.5
POLE_LENGTH = 0.6
FRICTION = 0.1
FORCE = 10.0
DT = 0.01
X_LIMIT = 2.4
LARGE_ANGLE = 125.0  # rad; from here on SLEEF's vectorised sine and cosine in single precision take the longer way

WIDTH, HEIGHT = 600, 300  # of a picture, pixels
SCALE = WIDTH / (2 * X_LIMIT + 1)  # pixels a metre
SHARPNESS = 3  # drawn larger and reduced: smooth edges


class CartPoleState(NamedTuple):
    """Position (m), velocity (m/s), angle from upright (rad), angular velocity (rad/s); any shape, all the same."""

    x: Tensor
    x_dot: Tensor
    theta: Tensor
    theta_dot: Tensor


class CartPoleSwingUpHarder(TorchEnvironment[CartPoleState]):
    """Swing a pole up and keep it there, from a wide range of starts (Tang & Ha 2021, section 4.1).

    Args:
        max_steps: steps after which an episode ends.
    """

    def __init__(self, max_steps: int = 1000) -> None:
        check_counts(1, MOST_STEPS, max_steps=max_steps)
        self.spec = Spec(
            observation_shape=(5,),
            inputs=("x", "x velocity", "cos(angle)", "sin(angle)", "angular velocity"),
            actuators=("force",),
            max_steps=max_steps,
            fps=round(1 / DT),
        )

    def reset(self, episodes: int, generator: torch.Generator) -> CartPoleState:
        """The starts of `episodes` episodes, drawn on the CPU so that every device sees the same ones."""
        noise = 2 * torch.rand(episodes, 4, generator=generator) - 1
        spread = torch.tensor([X_LIMIT, 10.0, math.pi / 2, 10.0])
        centre = torch.tensor([0.0, 0.0, math.pi, 0.0])
        return CartPoleState(*(noise * spread + centre).unbind(-1))

    def observe(self, state: CartPoleState) -> Tensor:
        """State -> observation [..., 5]."""
        x, x_dot, theta, theta_dot = state
        theta = within_range(theta)
        return torch.stack([x, x_dot, theta.cos(), theta.sin(), theta_dot], dim=-1)

    def step(self, state: CartPoleState, action: Tensor) -> tuple[CartPoleState, Tensor, Tensor]:
        """State, action [..., 1] -> state, reward [...], done [...] (the step limit apart).

        Explicit Euler; the reward is the new state's.
        """
        x, v, theta, w = state
        force = FORCE * action.squeeze(-1).clamp(-1, 1)
        angle = within_range(theta)
        s, c = angle.sin(), angle.cos()
        m, length, total = POLE_MASS, POLE_LENGTH, CART_MASS + POLE_MASS
        push = force - FRICTION * v
        swing = m * length * w**2 * s
        x_accel = (-2 * swing + 3 * m * GRAVITY * s * c + 4 * push) / (4 * total - 3 * m * c**2)
        theta_accel = (-3 * swing * c + 6 * total * GRAVITY * s + 6 * push * c) / (
            4 * length * total - 3 * m * length * c**2
        )
        x, theta = x + DT * v, theta + DT * w
        v, w = v + DT * x_accel, w + DT * theta_accel
        reward = (within_range(theta).cos() + 1) / 2 * within_range(x / X_LIMIT * (math.pi / 2)).cos()
        return CartPoleState(x, v, theta, w), reward, x.abs() > X_LIMIT

    def render(self, state: CartPoleState) -> NDArray[np.uint8]:
        """The cart on its track and the pole of one episode, [300, 600, 3]."""
        return picture(float(state.x), float(state.theta))


def within_range(angle: Tensor) -> Tensor:
    """Angles in single precision, those of many turns without their turns.

    Vectorised sines take a longer way, which rounds differently, for all the numbers that they work on at once as soon
    as one of them is large: what an episode comes to would depend on those beside it.
    """
    if angle.dtype != torch.float32:
        return angle
    return torch.where(angle.abs() < LARGE_ANGLE, angle, angle - 2 * math.pi * (angle / (2 * math.pi)).round())


def picture(x: float, theta: float) -> NDArray[np.uint8]:
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
    return np.asarray(image.reduce(SHARPNESS))
