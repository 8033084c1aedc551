"""Policies, without their heads: the latent code -> a context, from which the head scores the actuators."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from anx.agent.base import State
from anx.agent.ops import check_positive, lstm_step

VOTERS = 128  # latents whose votes are counted at once: all 1024 x 1024 would not fit a core's cache


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
        context_size: C.
    """

    def __init__(self, context_size: int) -> None:
        super().__init__()
        self.context_size = context_size

    def initial_state(self) -> State:
        """No state."""
        return ()

    @abstractmethod
    def context(self, latent: Tensor) -> Tensor:
        """Latent code [M, V] -> context [C]."""

    def forward(self, latent: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, State]:
        """Latent code [M, V] -> context [C], state."""
        return self.context(latent), state


class MLPPolicy(FeedForwardPolicy):
    """Linear layers, each with a tanh, on the flattened latent code; without any, the context is that code.

    Args:
        latent_shape: (M, V).
        action_size: not needed.
        hidden_sizes: sizes of the layers.
    """

    def __init__(self, latent_shape: Sequence[int], action_size: int, *, hidden_sizes: Sequence[int] = ()) -> None:
        if any(size < 1 for size in hidden_sizes):
            raise ValueError(f"hidden_sizes={list(hidden_sizes)} must all be at least 1")
        sizes = [latent_shape[0] * latent_shape[1], *hidden_sizes]
        super().__init__(context_size=sizes[-1])
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def context(self, latent: Tensor) -> Tensor:
        x = latent.reshape(-1)  # [M * V]
        for layer in self.layers:
            x = layer(x).tanh()
        return x


class SharedReadoutPolicy(FeedForwardPolicy):
    """A compact policy for many latents: one small projection, shared by all M latents.

    On Pong's 400 x 32 latent code a linear head alone needs 76,806 parameters, behind this policy 4,872 with it: few
    enough for evolution. The latents' order is fixed by the queries, so position in the code may carry meaning.

    Args:
        latent_shape: (M, V).
        action_size: not needed.
        channels: features that each latent is reduced to.
    """

    def __init__(self, latent_shape: Sequence[int], action_size: int, *, channels: int = 2) -> None:
        check_positive(channels=channels)
        super().__init__(context_size=latent_shape[0] * channels)
        self.reduce = nn.Linear(latent_shape[1], channels)

    def context(self, latent: Tensor) -> Tensor:
        reduced = torch.tanh(self.reduce(latent))  # [M, channels]
        return reduced.reshape(-1)


class CNNPolicy(FeedForwardPolicy):
    """The paper's policy for Pong: the latent code as a square picture of V channels goes through two convolutions
    (4x4 with stride 2, then 3x3) and a hidden layer, with ReLU (Tang & Ha 2021, section 4.3).

    On 20x20x32 latents it has 1.7 million parameters: made for cloning rather than for evolution.

    Args:
        latent_shape: (M, V); M is a square number.
        action_size: not needed.
        channels: of both convolutions.
        hidden_size: of the hidden layer, C.
        rectify: whether a ReLU comes first, as in the authors' clone: the latent code is there what a convolution was.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        action_size: int,
        *,
        channels: int = 64,
        hidden_size: int = 512,
        rectify: bool = False,
    ) -> None:
        super().__init__(context_size=hidden_size)
        self.rectify = rectify
        check_positive(channels=channels, hidden_size=hidden_size)
        self.side = side_of(latent_shape[0], "cnn")
        if self.side < 8:
            raise ValueError(
                f"policy=cnn needs pooler.num_queries of at least 64, a grid of 8x8, not {latent_shape[0]}"
            )
        left = (self.side - 4) // 2 + 1 - 2  # side of the picture after both convolutions
        self.first = nn.Conv2d(latent_shape[1], channels, 4, stride=2)
        self.second = nn.Conv2d(channels, channels, 3)
        self.hidden = nn.Linear(channels * left**2, hidden_size)

    def context(self, latent: Tensor) -> Tensor:
        picture = latent.T.reshape(1, -1, self.side, self.side)  # [1, V, side, side]
        picture = picture.relu() if self.rectify else picture
        picture = self.second(self.first(picture).relu()).relu()
        return self.hidden(picture.reshape(-1)).relu()


class AttentionAgentPolicy(nn.Module):
    """AttentionAgent: latents vote for one another; an LSTM sees only where those with the most votes lie.

    Tang, Nguyen & Ha 2020; with smoothing of the latent code in front of it, Tang & Ha 2021's policy for CarRacing
    (appendix A): m_t <- (1 - alpha) m_t + alpha m_(t-1), where alpha is 0 at first and then what a small network makes
    of the LSTM's last hidden state and the previous action.

    Args:
        latent_shape: (M, V); the M latents lie on a square grid, row by row.
        action_size: A.
        query_size: features into which latents are projected to vote, d.
        num_chosen: latents that the LSTM sees, those with the most votes first.
        hidden_size: of the LSTM, C.
        mixing_size: hidden layer of the network that decides how much to smooth; null: no smoothing.
        scale: whether dot products are divided by sqrt(d).
        offset: of the first latent's centre, in cells of the grid.
        extent: what positions are divided by, in cells; null: the grid's side.
    """

    last_in_vector = ("mixing",)  # as in the authors' files: it comes after the output layer

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
    ) -> None:
        super().__init__()
        num_latents, features = latent_shape
        check_positive(query_size=query_size, hidden_size=hidden_size, mixing_size=mixing_size)
        if not 1 <= num_chosen <= num_latents:
            raise ValueError(f"num_chosen={num_chosen} must be from 1 to the number of latents, {num_latents}")
        side = side_of(num_latents, "attention_agent")
        self.context_size = hidden_size
        self.latent_shape = (num_latents, features)
        self.num_chosen = num_chosen
        self.temperature = math.sqrt(query_size) if scale else 1.0
        number = torch.arange(num_latents)
        centres = (torch.stack([number // side, number % side], dim=1) + offset) / (extent or side)
        self.centres: Tensor
        self.register_buffer("centres", centres, persistent=False)  # [M, 2], rows and columns from 0 to 1
        self.query = nn.Linear(features, query_size)
        self.key = nn.Linear(features, query_size)
        self.cell = nn.LSTMCell(2 * num_chosen, hidden_size)
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
        """The hidden and the cell state [H]; where it smooths also the smoothed latent code [M, V] and whether there is
        one, 0 or 1 [1]."""
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

    def forward(self, latent: Tensor, previous_action: Tensor, state: State) -> tuple[Tensor, State]:
        """Latent code [M, V], previous action [A], state -> context [H], state."""
        hidden, memory, *smooth = state
        if self.mixing is not None:
            smoothed, begun = smooth
            alpha = begun * self.mixing(torch.cat([hidden, previous_action]))  # [1]
            latent = latent + alpha * (smoothed - latent)
            smooth = [latent, torch.ones_like(begun)]
        chosen = self.votes(latent).topk(self.num_chosen).indices  # the most voted first
        hidden, memory = lstm_step(self.cell, self.centres[chosen].reshape(-1), hidden, memory)
        return hidden, (hidden, memory, *smooth)
