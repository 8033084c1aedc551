"""A teacher that answers alike to what looks alike to its student."""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from anx.envs.vector import Array
from anx.errors import ConfigError
from anx.spec import Specified
from anx.teachers.base import Seen, Teacher


class Consistent(Teacher):
    """Another teacher that is held to its word: where the patches of an observation, in whatever order, and the
    previous action are as in a step before, it says what it said then.

    A teacher that sees more than its student, or remembers more, answers the same question in different ways; no
    student can learn that, and one that errs a single time in a game without chance has never seen what comes next.
    This one is a function of what a student of shuffled patches without a memory sees. What it says depends on the
    episodes before, in the order in which they were played; a recording or a training that goes on reads them first.

    Args:
        env: whose observations are frames.
        teacher: env -> the one that is asked first.
        patch: side of the patches; frames are cut into them from the upper left.
        still: whether patches count in which nothing moves: a student hardly sees them, since they share its attention.
    """

    recalls = True

    def __init__(
        self, env: Specified, *, teacher: Callable[[Specified], Teacher], patch: int = 6, still: bool = True
    ) -> None:
        shape = env.spec.observation_shape
        if len(shape) != 3 or shape[1] % patch or shape[2] % patch:
            raise ConfigError(
                f"teacher.patch={patch}: this teacher is for frames that it divides; the environment's observations "
                f"are {list(shape)}"
            )
        self.teacher = teacher(env)
        self.patch = patch
        self.still = still
        self.reads_memory = self.teacher.reads_memory
        self.said: dict[bytes, Tensor] = {}  # scores [A], by what was seen

    def __call__(self, seen: Seen) -> Tensor:
        scores = self.teacher(seen)
        rows = zip(seen.observations, seen.previous_actions, scores, strict=True)
        return torch.stack([self.held(observation, before, each) for observation, before, each in rows])

    def recall(self, observations: Array, previous_actions: Tensor, scores: Tensor) -> None:
        for observation, before, each in zip(observations, previous_actions, scores, strict=True):
            self.held(observation, before, each)

    def held(self, observation: Array, before: Tensor, scores: Tensor) -> Tensor:
        """The scores [A] of the first time that this was seen: an observation [C, height, width], an action [A]."""
        key = b"".join([bag(observation, self.patch, self.still), before.float().numpy().tobytes()])
        return self.said.setdefault(blake2b(key, digest_size=16).digest(), scores.clone())


def bag(frames: Array, side: int, still: bool = True) -> bytes:
    """Frames [C, height, width] -> their patches in an order that does not depend on where they are; with `still`, also
    those that are alike in all frames."""
    channels, height, width = frames.shape
    grid = frames.reshape(channels, height // side, side, width // side, side).transpose(1, 3, 0, 2, 4)
    patches = np.ascontiguousarray(grid).reshape(-1, channels, side * side)
    if not still:
        patches = patches[(patches != patches[:, :1]).any(axis=(1, 2))]
    rows = patches.reshape(len(patches), channels * side * side)
    return np.sort(rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))), axis=0).tobytes()
