"""CartPoleSwingUpHarder in torch: any number of episodes on any device."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

GRAVITY = 9.82
CART_MASS = 0.5
POLE_MASS = 0.5
POLE_LENGTH = 0.6
FRICTION = 0.1
FORCE = 10.0
DT = 0.01
X_LIMIT = 2.4


class CartPoleState(NamedTuple):
    """Position (m), velocity (m/s), angle from upright (rad), angular velocity (rad/s); any shape, all the same."""

    x: Tensor
    x_dot: Tensor
    theta: Tensor
    theta_dot: Tensor


class CartPoleSwingUpHarder:
    """Swing a pole up and keep it there, from a wide range of starts (Tang & Ha 2021, section 4.1).

    Args:
        max_steps: steps after which an episode ends.
    """

    observation_shape = (5,)
    input_names = ("x", "x velocity", "cos(angle)", "sin(angle)", "angular velocity")
    action_size = 1
    discrete = False

    def __init__(self, max_steps: int = 1000) -> None:
        if max_steps < 1:
            raise ValueError(f"env.max_steps={max_steps} must be at least 1")
        self.max_steps = max_steps

    def reset(self, episodes: int, generator: torch.Generator) -> CartPoleState:
        """The starts of `episodes` episodes, drawn on the CPU so that every device sees the same ones."""
        noise = 2 * torch.rand(episodes, 4, generator=generator) - 1
        spread = torch.tensor([X_LIMIT, 10.0, math.pi / 2, 10.0])
        centre = torch.tensor([0.0, 0.0, math.pi, 0.0])
        return CartPoleState(*(noise * spread + centre).unbind(-1))

    def observe(self, state: CartPoleState) -> Tensor:
        """State -> observation [..., 5]."""
        x, x_dot, theta, theta_dot = state
        return torch.stack([x, x_dot, theta.cos(), theta.sin(), theta_dot], dim=-1)

    def step(self, state: CartPoleState, action: Tensor) -> tuple[CartPoleState, Tensor, Tensor]:
        """State, action [..., 1] -> state, reward [...], done [...] (the step limit apart).

        Explicit Euler; the reward is the new state's.
        """
        x, v, theta, w = state
        force = FORCE * action.squeeze(-1).clamp(-1, 1)
        s, c = theta.sin(), theta.cos()
        m, length, total = POLE_MASS, POLE_LENGTH, CART_MASS + POLE_MASS
        push = force - FRICTION * v
        swing = m * length * w**2 * s
        x_accel = (-2 * swing + 3 * m * GRAVITY * s * c + 4 * push) / (4 * total - 3 * m * c**2)
        theta_accel = (-3 * swing * c + 6 * total * GRAVITY * s + 6 * push * c) / (
            4 * length * total - 3 * m * length * c**2
        )
        x, theta = x + DT * v, theta + DT * w
        v, w = v + DT * x_accel, w + DT * theta_accel
        reward = (theta.cos() + 1) / 2 * (x / X_LIMIT * (math.pi / 2)).cos()
        return CartPoleState(x, v, theta, w), reward, x.abs() > X_LIMIT
