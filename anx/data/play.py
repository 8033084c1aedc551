"""Episodes in which a teacher says to every step what it would do."""

from collections.abc import Iterator, Sequence, Sized
from contextlib import closing
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from anx.data.base import Lesson
from anx.envs.base import HostEnvironment
from anx.envs.vector import Array, AtOnce, Envs, Flags, Info, Readable, SplitStep
from anx.rollout.jobs import episode_seeds
from anx.rollout.slots import into
from anx.seeds import TEACHING, derive_seed
from anx.spec import Spec
from anx.teachers.base import Seen, Teacher


class Episode(NamedTuple):
    """One of T steps."""

    number: int  # of the seed's
    observations: Array  # [T, ...]
    actions: NDArray[np.float32]  # [T, A], what was done
    scores: NDArray[np.float32]  # [T, A], the teacher's
    rewards: NDArray[np.float32]  # [T]


class Step(NamedTuple):
    """One step of one slot."""

    observation: Array
    action: NDArray[np.float32]
    scores: NDArray[np.float32]
    reward: float


def play(
    env: HostEnvironment,
    teacher: Teacher,
    seed: int,
    numbers: Sequence[int],
    *,
    slots: int = 8,
    epsilon: float = 0.0,
    player: Teacher | None = None,
    beta: float = 0.0,
) -> Iterator[Episode]:
    """Play episodes side by side; each comes as soon as it is over. What is in one does not depend on the others.

    Args:
        env: where.
        teacher: whose scores are noted.
        seed: of the episodes.
        numbers: which of the seed's.
        slots: of them side by side, at most.
        epsilon: probability with which a step is not what the teacher would do, but drawn at random: a button, or
            numbers from -1 to 1.
        player: who acts, where that is not the teacher: a student that is taught (DAgger, Ross et al. 2011).
        beta: probability with which a step is the teacher's all the same.
    """
    if not numbers:
        return
    slots = min(slots, len(numbers))
    with closing(Stage(env, teacher, player, slots, Chances(epsilon, beta))) as stage:
        yield from stage.play(seed, numbers)


class Chances(NamedTuple):
    """With which a step is not the player's; as `play` has them."""

    epsilon: float
    beta: float


class Stage:
    """Slots on which episodes are played.

    Args:
        env, teacher, player, slots: as `play` has them.
        chances: of a step that is not the player's.
    """

    def __init__(
        self, env: HostEnvironment, teacher: Teacher, player: Teacher | None, slots: int, chances: Chances
    ) -> None:
        self.spec = env.spec
        self.readable: Readable | None = None
        if teacher.reads_memory or (player is not None and player.reads_memory):
            self.readable = env.make_readable(slots)
        self.envs: SplitStep = self.readable or split(env.make(slots, training=False), env.overlaps)
        self.to_space = into(self.envs.single_action_space)
        self.teacher, self.player, self.chances = teacher, player, chances
        self.number = np.full(slots, -1)  # of the episode that each slot plays; -1: none
        self.random = [np.random.default_rng()] * slots
        self.steps: list[list[Step]] = [[] for _ in range(slots)]
        self.done = torch.zeros(slots, env.spec.action_size)  # [S, A], the actions before

    def play(self, seed: int, numbers: Sequence[int]) -> Iterator[Episode]:
        """The episodes, as they end."""
        waiting, seeds = iter(numbers), episode_seeds(seed, max(numbers) + 1)
        for slot in range(len(self.number)):
            self.number[slot] = next(waiting, -1)
        start = self.number >= 0
        observations: Array = np.empty(0)
        while (self.number >= 0).any():
            while start.any():
                self._start(start, seed)
                options = None if start.all() else {"reset_mask": start}
                observations, info = self.envs.reset(seed=seeds[self.number].tolist(), options=options)
                start = self._lost(info)
            new = np.array([not steps for steps in self.steps])
            self._act(new, observations, seeds[self.number])
            observations, rewards, terminated, truncated, info = self.envs.step_wait()
            start = self._lost(info)
            for slot in map(int, np.flatnonzero((self.number >= 0) & ~start)):
                self.steps[slot][-1] = self.steps[slot][-1]._replace(reward=float(rewards[slot]))
                if terminated[slot] or truncated[slot] or len(self.steps[slot]) >= self.spec.max_steps:
                    yield episode_of(int(self.number[slot]), self.steps[slot])
                    self.number[slot] = next(waiting, -1)
                    start[slot] = self.number[slot] >= 0

    def _start(self, start: Flags, seed: int) -> None:
        for slot in map(int, np.flatnonzero(start)):
            self.random[slot] = np.random.default_rng(derive_seed(seed, TEACHING, int(self.number[slot])))
            self.steps[slot] = []
            self.done[slot] = 0

    def _lost(self, info: Info) -> Flags:
        """The slots whose episode has to begin again, since the process that played it is gone."""
        return info["lost"] & (self.number >= 0) if "lost" in info else np.zeros(len(self.number), dtype=bool)

    def _act(self, new: Flags, observations: Array, seeds: NDArray[np.int64]) -> None:
        """Ask what to do, do it, and note both."""
        memory = self.readable.memory() if self.readable else np.zeros((len(new), 0), dtype=np.uint8)
        seen = Seen(new, observations, self.done, memory, seeds)
        scores = self.teacher(seen)  # [S, A]
        taught = as_action(scores, self.spec.discrete)
        self.done = taught if self.player is None else as_action(self.player(seen), self.spec.discrete)
        epsilon, beta = self.chances
        for slot in map(int, np.flatnonzero(self.number >= 0)):
            if beta and self.random[slot].random() < beta:
                self.done[slot] = taught[slot]
            if epsilon and self.random[slot].random() < epsilon:
                self.done[slot] = random_action(self.random[slot], self.spec)
            step = Step(observations[slot].copy(), self.done[slot].numpy().copy(), scores[slot].numpy().copy(), 0.0)
            self.steps[slot].append(step)
        self.envs.step_async(self.to_space(self.done))

    def close(self) -> None:
        self.envs.close()


def remind(teacher: Teacher, lessons: Dataset[Lesson]) -> None:
    """Tell a teacher what it has said before this process; the lessons are read for one that needs to know only."""
    for index in range(len(cast(Sized, lessons)) if teacher.recalls else 0):
        lesson = lessons[index]
        counts = lesson.weights > 0
        observations, previous, scores = (each[counts] for each in lesson[:3])
        teacher.recall(observations.numpy(), previous, scores)


def split(envs: Envs, overlaps: bool) -> SplitStep:
    """A vector environment as one whose step is two calls."""
    return cast(SplitStep, envs) if overlaps else AtOnce(envs)


def as_action(scores: Tensor, discrete: bool) -> Tensor:
    """Scores [S, A] -> actions [S, A], as an agent's."""
    return F.one_hot(scores.argmax(-1), scores.shape[-1]).float() if discrete else scores.tanh()


def random_action(random: np.random.Generator, spec: Spec) -> Tensor:
    """Any button, or any numbers from -1 to 1, [A]."""
    if spec.discrete:
        return F.one_hot(torch.tensor(int(random.integers(spec.action_size))), spec.action_size).float()
    return torch.from_numpy(random.uniform(-1, 1, spec.action_size).astype(np.float32))


def episode_of(number: int, steps: Sequence[Step]) -> Episode:
    """The steps of an episode as one."""
    observations, actions, scores, rewards = zip(*steps, strict=True)
    rewarded = np.array(rewards, dtype=np.float32)
    return Episode(number, np.stack(observations), np.stack(actions), np.stack(scores), rewarded)
