"""Policies: the latent code -> an action."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anx.agent.neuron import State
from anx.agent.ops import lstm_step

Output = Literal["tanh", "one_hot"]

VOTERS = 128  # latents whose votes are counted at once: all 1024 x 1024 would not fit a core's cache


def as_action(scores: Tensor, output: Output) -> Tensor:
    """Scores [A] -> a continuous action in [-1, 1], or the best of A discrete actions as one-hot vector."""
    if output == "tanh":
        return scores.tanh()
    return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)


def check_output(output: str) -> None:
    if output not in ("tanh", "one_hot"):
        raise ValueError(f"policy.output={output} is not one of tanh, one_hot")


def side_of(num_latents: int, policy: str) -> int:
    """The side of the square grid on which M latents lie, row by row."""
    side = math.isqrt(num_latents)
    if side * side != num_latents:
        raise ValueError(
            f"policy={policy} lays the latents on a square grid, but pooler.num_queries={num_latents} is no square "
            f"number; the nearest are {side**2} and {(side + 1) ** 2}"
        )
    return side


class FeedForwardPolicy(nn.Module, ABC):
    """A policy without memory: the latent code alone decides.

    Args:
        output: `tanh` for continuous actions, `one_hot` for discrete ones.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        check_output(output)
        self.output = output

    def initial_state(self) -> State:
        """No state."""
        return ()

    @abstractmethod
    def scores(self, latent: Tensor) -> Tensor:
        """Latent code [M, V] -> scores [A]."""

    def forward(self, latent: Tensor, state: State) -> tuple[Tensor, State]:
        """Latent code [M, V], state -> action [A], state."""
        return as_action(self.scores(latent), self.output), state


class MLPPolicy(FeedForwardPolicy):
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
        super().__init__(output)
        if any(size < 1 for size in hidden_sizes):
            raise ValueError(f"policy.hidden_sizes={list(hidden_sizes)} must all be at least 1")
        sizes = [latent_shape[0] * latent_shape[1], *hidden_sizes, action_size]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def scores(self, latent: Tensor) -> Tensor:
        x = latent.reshape(-1)
        for layer in self.layers[:-1]:
            x = layer(x).tanh()
        return self.layers[-1](x)


class SharedReadoutPolicy(FeedForwardPolicy):
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
        super().__init__(output)
        if channels < 1:
            raise ValueError(f"policy.channels={channels} must be at least 1")
        self.reduce = nn.Linear(latent_shape[1], channels)
        self.read = nn.Linear(latent_shape[0] * channels, action_size)

    def scores(self, latent: Tensor) -> Tensor:
        reduced = torch.tanh(self.reduce(latent))  # [M, channels]
        return self.read(reduced.reshape(-1))


class CNNPolicy(FeedForwardPolicy):
    """The paper's policy for Pong: the latent code as a square picture of V channels goes through two convolutions
    (4x4 with stride 2, then 3x3), a hidden layer and an output layer, with ReLU (Tang & Ha 2021, section 4.3).

    On 20x20x32 latents it has 1.7 million parameters: made for cloning rather than for evolution.

    Args:
        latent_shape: (M, V); M is a square number.
        action_size: A.
        channels: of both convolutions.
        hidden_size: of the hidden layer.
        output: `tanh` for continuous actions, `one_hot` for discrete ones.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        action_size: int,
        *,
        channels: int = 64,
        hidden_size: int = 512,
        output: Output = "one_hot",
    ) -> None:
        super().__init__(output)
        if min(channels, hidden_size) < 1:
            raise ValueError(f"policy.channels={channels} and policy.hidden_size={hidden_size} must be at least 1")
        self.side = side_of(latent_shape[0], "cnn")
        if self.side < 8:
            raise ValueError(
                f"policy=cnn needs pooler.num_queries of at least 64, a grid of 8x8, not {latent_shape[0]}"
            )
        left = (self.side - 4) // 2 + 1 - 2  # side of the picture after both convolutions
        self.first = nn.Conv2d(latent_shape[1], channels, 4, stride=2)
        self.second = nn.Conv2d(channels, channels, 3)
        self.hidden = nn.Linear(channels * left**2, hidden_size)
        self.read = nn.Linear(hidden_size, action_size)

    def scores(self, latent: Tensor) -> Tensor:
        picture = latent.T.reshape(1, -1, self.side, self.side)  # [1, V, side, side]
        picture = self.second(self.first(picture).relu()).relu()
        return self.read(self.hidden(picture.reshape(-1)).relu())


class AttentionAgentPolicy(nn.Module):
    """AttentionAgent: latents vote for one another; an LSTM sees only where those with the most votes lie.

    Tang, Nguyen & Ha 2020; with smoothing of the latent code in front of it, Tang & Ha 2021's policy for CarRacing
    (appendix A): m_t <- (1 - alpha) m_t + alpha m_(t-1), where alpha is 0 at first and then what a small network makes
    of the LSTM's hidden state and the action.

    Args:
        latent_shape: (M, V); the M latents lie on a square grid, row by row.
        action_size: A.
        query_size: features into which latents are projected to vote, d.
        num_chosen: latents that the LSTM sees, those with the most votes first.
        hidden_size: of the LSTM.
        mixing_size: hidden layer of the network that decides how much to smooth; null: no smoothing.
        scale: whether dot products are divided by sqrt(d).
        offset: of the first latent's centre, in cells of the grid.
        extent: what positions are divided by, in cells; null: the grid's side.
        output: `tanh` for continuous actions, `one_hot` for discrete ones.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        action_size: int,
        *,
        query_size: int = 4,
        num_chosen: int = 10,
        hidden_size: int = 16,
        mixing_size: int | None = 16,
        scale: bool = False,
        offset: float = 0.0,
        extent: float | None = None,
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        check_output(output)
        num_latents, features = latent_shape
        if min(query_size, hidden_size) < 1 or (mixing_size is not None and mixing_size < 1):
            raise ValueError(
                f"policy.query_size={query_size}, policy.hidden_size={hidden_size} and "
                f"policy.mixing_size={mixing_size} must be at least 1"
            )
        if not 1 <= num_chosen <= num_latents:
            raise ValueError(f"policy.num_chosen={num_chosen} must be from 1 to the number of latents, {num_latents}")
        side = side_of(num_latents, "attention_agent")
        self.output = output
        self.latent_shape = (num_latents, features)
        self.num_chosen = num_chosen
        self.temperature = math.sqrt(query_size) if scale else 1.0
        place = torch.arange(num_latents)
        centres = (torch.stack([place // side, place % side], dim=1) + offset) / (extent or side)
        self.register_buffer("centres", centres, persistent=False)  # [M, 2], rows and columns from 0 to 1
        self.query = nn.Linear(features, query_size)
        self.key = nn.Linear(features, query_size)
        self.cell = nn.LSTMCell(2 * num_chosen, hidden_size)
        self.read = nn.Linear(hidden_size, action_size)
        self.mixing: nn.Sequential | None = None
        if mixing_size:
            layers = (
                nn.Linear(hidden_size + action_size, mixing_size),
                nn.Tanh(),
                nn.Linear(mixing_size, 1),
                nn.Sigmoid(),
            )
            self.mixing = nn.Sequential(*layers)

    def initial_state(self) -> State:
        """The hidden and the cell state [H]; where it smooths also the smoothed latent code [M, V] and alpha [1]."""
        weight = self.cell.weight_hh
        zeros = weight.new_zeros(self.cell.hidden_size)
        if self.mixing is None:
            return zeros, zeros
        return zeros, zeros, weight.new_zeros(self.latent_shape), weight.new_zeros(1)

    def votes(self, latent: Tensor) -> Tensor:
        """Latent code [M, V] -> what each latent gets from all together [M]."""
        queries, keys = self.query(latent) / self.temperature, self.key(latent).T
        votes = latent.new_zeros(len(latent))
        for voters in queries.split(VOTERS):
            votes = votes + (voters @ keys).softmax(dim=-1).sum(dim=0)  # [VOTERS, M] -> [M]
        return votes

    def forward(self, latent: Tensor, state: State) -> tuple[Tensor, State]:
        """Latent code [M, V], state -> action [A], state."""
        hidden, memory, *smooth = state
        if smooth:
            smoothed, alpha = smooth
            latent = latent + alpha * (smoothed - latent)
        chosen = self.votes(latent).topk(self.num_chosen).indices  # the most voted first
        centres: Tensor = self.centres  # type: ignore[assignment]
        seen = centres[chosen].reshape(-1)
        hidden, memory = lstm_step(self.cell, seen, hidden, memory)
        action = as_action(self.read(hidden), self.output)
        if self.mixing is None:
            return action, (hidden, memory)
        alpha = self.mixing(torch.cat([hidden, action]))
        return action, (hidden, memory, latent, alpha)
