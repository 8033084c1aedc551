"""An episode step by step, and what figures show of it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

QUERIES = 16  # whose attention a trace keeps, at most
STEPS = 2048  # that a trace keeps, at most; even


class Moment(NamedTuple):
    """One step of one episode, and how the agent came to its action; on the CPU, whatever the agent computes on."""

    observation: Tensor  # [...], as the environment gives it
    inputs: Tensor  # [N, F], as the neurons get them
    origins: Tensor  # [N], which of the splitter's inputs each one is; -1 for one that noise added
    attention: Tensor  # [N, M]; M = 0 for an agent without attention
    latent: Tensor  # [M, V]
    scores: Tensor  # [A]
    action: Tensor  # [A]
    reward: Tensor  # []
    picture: NDArray[np.uint8] | None  # [height, width, 3], what a person sees before the action


def on_cpu(moment: Moment) -> Moment:
    """The same, to be looked at."""
    return Moment._make(each.cpu() if isinstance(each, Tensor) else each for each in moment)


class Trace(NamedTuple):
    """What figures show of one episode of T steps: K of them, all or, of more than `STEPS`, evenly spaced ones."""

    steps: Tensor  # [K], which those are
    observations: Tensor  # [K, ...]
    origins: Tensor  # [K, N]
    attention: Tensor  # [K, N], the mean over the queries; [K, 0] for an agent without attention
    attention_by_query: Tensor  # [K, N, Q], of up to `QUERIES` evenly spaced queries; of patches: none
    latents: Tensor  # [K, M, V]
    rewards: Tensor  # [T]

    @property
    def scalars(self) -> bool:
        """Whether the inputs are the observation's scalars; else they are patches of frames."""
        return self.observations.dim() == 2

    @property
    def attends(self) -> bool:
        """Whether the agent has attention."""
        return self.attention.shape[1] > 0


def evenly_spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the numbers 0 to count - 1, evenly spaced, with the first and the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def attention_to_inputs(attention: Tensor) -> Tensor:
    """Attention [N, M] -> its mean over the queries [N]; without attention: [0]."""
    return attention.mean(-1) if attention.shape[-1] else attention.new_zeros(0)


def shown(moment: Moment) -> tuple[Tensor, ...]:
    """What figures show of a step: see `Trace`."""
    attention = moment.attention
    queries = evenly_spaced(attention.shape[1], QUERIES if moment.observation.dim() == 1 else 0)
    mean = attention_to_inputs(attention)
    return moment.observation, moment.origins, mean, attention[:, queries], moment.latent


def trace_of(moments: Iterable[Moment]) -> Trace:
    """What figures show of an episode, as long as it may be, in bounded memory."""
    kept: list[tuple[Tensor, ...]] = []
    rewards = []
    every = 1
    for step, moment in enumerate(moments):
        rewards.append(moment.reward)
        if step % every:
            continue
        if len(kept) == STEPS:
            kept, every = kept[::2], 2 * every  # of which this step is still a multiple
        kept.append((torch.tensor(step), *shown(moment)))
    return Trace._make([*map(torch.stack, zip(*kept, strict=True)), torch.stack(rewards)])
