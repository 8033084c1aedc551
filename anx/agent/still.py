"""Still inputs are one.

Inputs in which nothing moves have the same key, so they are attended to alike: what they say can be added up before
anyone attends to it. Of Pong's 196 patches all but ten or so are still in most frames: most of the work is not there.

A neuron that knows which of its inputs are still has them in `still_inputs`; a pooler that takes `counts`, how many
inputs a row stands for, says so by `takes_counts = True`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor

from anx.agent.agent import Agent, AgentState
from anx.agent.base import Prepared, State
from anx.agent.ops import normalise
from anx.internal.pytree import tree_map

Answer = TypeVar("Answer")


class CountingPooler(Protocol):
    """A pooler that can take some inputs as one."""

    def __call__(self, prepared: Prepared, keys: Tensor, values: Tensor, counts: Tensor) -> Tensor:
        """Keys [N, K], values [N, V], how many inputs each stands for [N] -> latent code [M, V']."""


@dataclass(frozen=True)
class StillFrames:
    """Which stacks of frames are still, and what these say together.

    Args:
        frames: in a stack, S.
        pixels: of a frame, p.
        normalised: whether values are layer-normalised, frame by frame; else they are the frames.
        apart: how many inputs keep a row of their own, at least all that move; the others become one.
    """

    frames: int
    pixels: int
    normalised: bool
    apart: int

    def marks(self, inputs: Tensor) -> Tensor:
        """Inputs [..., S * p] -> in which nothing moves [...]: their keys are all the same."""
        frames = inputs.unflatten(-1, (self.frames, self.pixels))
        return (frames[..., 1:, :] - frames[..., :-1, :]).abs_().amax(dim=(-2, -1)) == 0

    def value(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Inputs [N, S * p], weights [N], 0 but for still inputs -> the sum of values with these weights [S * p].

        The frames of a still input are all the same: one is enough.
        """
        newest = inputs[:, -self.pixels :]
        return (weights @ (normalise(newest) if self.normalised else newest)).repeat(self.frames)

    def divide(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [..., N, S * p] -> which of them keep a row of their own, and whether so few may: see `divided`."""
        return divided(self.marks(inputs), self.apart)


def divided(still: Tensor, apart: int) -> tuple[Tensor, Tensor]:
    """Which inputs keep a row of their own, given which ones have the same key, `still` [..., N].

    Returns:
        The inputs' numbers [..., apart + 1]: all that are not still, then others; the last one is still.
        Whether that is so [...]: not where too many are not still.
    """
    moving = ~still
    rows = moving.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., : apart + 1]
    return rows, moving.sum(dim=-1) < rows.shape[-1]


def still_inputs(agent: Agent) -> StillFrames | None:
    """What the neuron knows of its still inputs, if it does and the pooler can take them as one."""
    return getattr(agent.neuron, "still_inputs", None) if getattr(agent.pooler, "takes_counts", False) else None


def merges(agent: Agent) -> bool:
    """Whether still inputs can become one."""
    return still_inputs(agent) is not None


def merged(
    agent: Agent, prepared: Prepared, inputs: Tensor, state: AgentState, rows: Tensor
) -> tuple[Tensor, AgentState]:
    """What `agent` itself gives, up to rounding: inputs [N, F], state -> action [A], state.

    All inputs but the first of `rows` [apart + 1] (see `divided`) are still, and become one: the last of them.
    """
    latent, neuron_state = merged_latent(agent, prepared, inputs, state, rows)
    _, action, after = agent.act(latent, neuron_state, state)
    return action, after


def merged_latent(
    agent: Agent, prepared: Prepared, inputs: Tensor, state: AgentState, rows: Tensor
) -> tuple[Tensor, State]:
    """On the way there: the latent code [M, V] and the neurons' state."""
    still = still_inputs(agent)
    assert still is not None
    own, count = rows[:-1], len(inputs)
    keys, values, neuron_state = agent.sense(inputs[rows], state)
    weights = inputs.new_full((count,), 1 / (count - len(own))).scatter(0, own, 0.0)  # of a mean over the others
    values = torch.cat([values[:-1], still.value(inputs, weights).unsqueeze(0)])
    counts = torch.cat([inputs.new_ones(len(own)), inputs.new_full((1,), count - len(own))])
    return cast(CountingPooler, agent.pooler)(prepared, keys, values, counts), neuron_state


def in_two(
    few: Tensor,
    whole: Callable[..., Answer],
    merged: Callable[..., Answer],
    batch: tuple[object, ...],
    rows: Tensor,
) -> Answer:
    """A batch [B, ...] -> `merged(*batch, rows)` where inputs can be divided, `few` [B], elsewhere `whole(*batch)`.

    What an episode gets hangs on no other.
    """
    if few.all():
        return merged(*batch, rows)
    if not few.any():
        return whole(*batch)
    one, other = few.nonzero()[:, 0], (~few).nonzero()[:, 0]
    answers = merged(*tree_map(lambda x: x[one], batch), rows[one]), whole(*tree_map(lambda x: x[other], batch))
    order = torch.cat([one, other]).argsort()
    return tree_map(lambda x, y: torch.cat([x, y])[order], *answers)
