"""Policies: the latent code -> an action."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Output = Literal["tanh", "one_hot"]


def as_action(scores: Tensor, output: Output) -> Tensor:
    """Scores [A] -> a continuous action in [-1, 1], or the best of A discrete actions as one-hot vector."""
    if output == "tanh":
        return scores.tanh()
    return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)


def check_output(output: str) -> None:
    if output not in ("tanh", "one_hot"):
        raise ValueError(f"policy.output={output} is not one of tanh, one_hot")


class MLPPolicy(nn.Module):
    """Linear layers with tanh between them on the flattened latent code; no hidden layer makes it linear.

    Args:
        latent_shape: (M, V).
        action_size: A.
        hidden_sizes: sizes of the hidden layers.
        output: `tanh` for continuous actions, `one_hot` for discrete ones.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        action_size: int,
        *,
        hidden_sizes: Sequence[int] = (),
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        check_output(output)
        if any(size < 1 for size in hidden_sizes):
            raise ValueError(f"policy.hidden_sizes={list(hidden_sizes)} must all be at least 1")
        self.output = output
        sizes = [latent_shape[0] * latent_shape[1], *hidden_sizes, action_size]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, latent: Tensor) -> Tensor:
        """Latent code [M, V] -> action [A]."""
        x = latent.reshape(-1)
        for layer in self.layers[:-1]:
            x = layer(x).tanh()
        return as_action(self.layers[-1](x), self.output)


class SharedReadoutPolicy(nn.Module):
    """A compact policy for many latents: one small projection, shared by all M latents, then a linear layer.

    On Pong's 400 x 32 latent code a plain linear layer needs 76,806 parameters, this one 4,872: few enough for
    evolution. The latents' order is fixed by the queries, so position in the code may carry meaning.

    Args:
        latent_shape: (M, V).
        action_size: A.
        channels: features that each latent is reduced to.
        output: `tanh` for continuous actions, `one_hot` for discrete ones.
    """

    def __init__(
        self, latent_shape: Sequence[int], action_size: int, *, channels: int = 2, output: Output = "one_hot"
    ) -> None:
        super().__init__()
        check_output(output)
        if channels < 1:
            raise ValueError(f"policy.channels={channels} must be at least 1")
        self.output = output
        self.reduce = nn.Linear(latent_shape[1], channels)
        self.read = nn.Linear(latent_shape[0] * channels, action_size)

    def forward(self, latent: Tensor) -> Tensor:
        """Latent code [M, V] -> action [A]."""
        reduced = torch.tanh(self.reduce(latent))  # [M, channels]
        return as_action(self.read(reduced.reshape(-1)), self.output)
