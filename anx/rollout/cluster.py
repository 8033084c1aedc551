"""A generation on many machines: any rollout, played in fixed chunks by whoever is there."""

import logging
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cloudpickle
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.perturb.base import Perturbation
from anx.rollout.base import Episodes, Rollout, count_groups
from anx.rollout.chunk import Chunk, Recipe, processor, versions
from anx.rollout.collecting import Collected, collect
from anx.rollout.engine import Engine, Said
from anx.rollout.trace import Moment

log = logging.getLogger(__name__)

CHUNKS = 32  # of a generation, where nobody says how many candidates a chunk has


class ClusterRollout(Rollout):
    """Plays populations elsewhere, and single agents here, as `rollout` does.

    Which candidates a chunk has does not depend on who is there, and what they achieve on nothing but the chunk: all is
    as one process would have played it, to the bit on one kind of processor, whoever dies, joins or is slow.

    Args:
        rollout: plays what has one candidate: validations, evaluations, films.
        build: builds the same rollout in another process; can be pickled.
        open_engine: what carries chunks; called when there is something to play.
    """

    def __init__(self, rollout: Rollout, build: Callable[[], Rollout], open_engine: Callable[[], Engine]) -> None:
        self.agent, self.env = rollout.agent, rollout.env
        self.evaluation_dtype = rollout.evaluation_dtype
        self._rollout = rollout
        self._build = build
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._recipe: bytes | None = None
        self._processors = {processor()}

    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
        repeated: bool = False,
        candidates: int | None = None,
        group: Tensor | None = None,
        groups: int | None = None,
    ) -> Episodes:
        if (candidates or len(population)) == 1:
            return self._rollout(population, episodes, seed, perturbations, training=training, repeated=repeated)
        if self._engine is None:
            self._engine = self._open_engine()
        common = Common(
            self._pickled(),
            cloudpickle.dumps(tuple(perturbations)),
            episodes,
            seed,
            training,
            candidates or len(population),
            groups or count_groups(group),
        )
        size = Said(self._engine).chunk or even_part(len(population))
        collected = collect(self._engine, chunks_of(common, population, group, size))
        self.statistics = statistics(collected)
        self._warn_of_processors(collected)
        return Episodes(
            joined([each.returns for each in collected.played], population.device),
            joined([each.steps for each in collected.played], population.device),
        )

    def _pickled(self) -> bytes:
        """The recipe; the agent's buffers are as they are now that it has its weights."""
        if self._recipe is None:
            buffers = {name: buffer.cpu().numpy() for name, buffer in self.agent.named_buffers()}
            self._recipe = cloudpickle.dumps(Recipe(self._build, buffers), pickle.HIGHEST_PROTOCOL)
        return self._recipe

    def _warn_of_processors(self, collected: Collected) -> None:
        new = {each.processor for each in collected.played} - self._processors
        if new:
            self._processors |= new
            log.warning(
                "processors of several kinds play (%s): they round differently, the same seed may become another run",
                ", ".join(sorted(self._processors)),
            )

    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        return self._rollout.watch(vector, seed, perturbations, pictures=pictures)

    def from_env(self, observation: NDArray[np.generic]) -> NDArray[np.generic]:
        return self._rollout.from_env(observation)

    def for_env(self, action: Tensor) -> NDArray[np.generic]:
        return self._rollout.for_env(action)

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.shutdown(cancel_futures=True)
        self._rollout.close()


class Common(NamedTuple):
    """What all chunks of a generation have."""

    recipe: bytes
    perturbations: bytes
    episodes: int
    seed: int
    training: bool
    candidates: int
    groups: int


def chunks_of(common: Common, population: Tensor, group: Tensor | None, size: int) -> list[Chunk]:
    """A population [P, D] in chunks of `size` candidates, the last one with what is left."""
    vectors = population.detach().cpu().numpy()
    groups = None if group is None else group.cpu().numpy()
    return [
        Chunk(
            common.recipe,
            common.perturbations,
            first,
            vectors[first : first + size],
            None if groups is None else groups[first : first + size],
            common.episodes,
            common.seed,
            common.training,
            common.candidates,
            common.groups,
            versions(),
        )
        for first in range(0, len(vectors), size)
    ]


def even_part(candidates: int) -> int:
    """Candidates a chunk: an even number, so that pairs stay together."""
    return 2 * -(-candidates // (2 * CHUNKS))


def statistics(collected: Collected) -> Mapping[str, float]:
    """What a run logs of how its last generation was played."""
    workers = max(1, collected.workers)
    computing = sum(each.seconds for each in collected.played)
    return {
        "cluster/workers": float(collected.workers),
        "cluster/busy": min(1.0, computing / (workers * collected.seconds)),
        "cluster/redone": float(collected.redone),
    }


def joined(parts: Sequence[NDArray[np.generic]], device: torch.device) -> Tensor:
    """Parts [p, R] of all chunks -> [P, R]."""
    return torch.from_numpy(np.concatenate(parts)).to(device)
