"""DAgger: the student plays, the teacher says to each step what it would do (Ross, Gordon & Bagnell 2011)."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch.utils.data import ConcatDataset, Dataset

from anx.data.base import Lesson, Lessons
from anx.data.folder import Folder
from anx.data.layout import layout_for
from anx.data.lessons import RecordedLessons
from anx.data.play import play, remind
from anx.data.size import size_in_words
from anx.envs.base import HostEnvironment
from anx.errors import ConfigError
from anx.learners.base import Parts, check_counts
from anx.population import get_vector, with_vector
from anx.seeds import DAGGER, derive_seed
from anx.teachers.acting import Acting
from anx.teachers.base import Teacher

log = logging.getLogger(__name__)


class Dagger:
    """How often a student plays to be taught, and how much. A teacher's episodes show nothing of what follows on a
    student's own errors: these do.

    Args:
        path: of the folder that its episodes go to; the run's own. A run that starts anew empties it.
        every: batches after which there is another round.
        episodes: of a round.
        beta: probability with which a step of the first round is the teacher's; of the i-th round, beta to the power
            of i.
        slots: episodes side by side.
        unique: whether, of its single steps that look the same, only the first is a lesson.
    """

    def __init__(
        self,
        path: str,
        *,
        every: int = 500,
        episodes: int = 8,
        beta: float = 0.5,
        slots: int = 8,
        unique: bool = False,
    ) -> None:
        self.path = Path(path)
        self.every = every
        self.episodes = episodes
        self.beta = beta
        self.slots = slots
        self.unique = unique


class Rounds:
    """The rounds of a run, and the lessons that there are after each.

    Args:
        dagger: how many and how large they are.
        data: the lessons that there are before; those that come are of the same length.
        parts: of the learner.
    """

    def __init__(self, dagger: Dagger, data: Lessons, parts: Parts) -> None:
        env = parts.rollout.env
        check_counts(**{f"dagger.{name}": getattr(dagger, name) for name in ("every", "episodes", "slots")})
        if not 0 <= dagger.beta <= 1:
            raise ValueError(f"dagger.beta={dagger.beta} must be from 0 to 1")
        if parts.teacher is None:
            raise ConfigError(
                "teacher=null: learner=dagger asks one; allowed: teacher=pong, teacher=pong_consistent, teacher=agent"
            )
        if getattr(env, "rollout", None) != "host":
            raise ConfigError(
                "learner=dagger: a student plays in environments that step on the CPU, rollout=host's: env=pong, ant, "
                "car_racing, gymnasium"
            )
        self.env = cast(HostEnvironment, env)
        self.teacher: Teacher = parts.teacher(self.env)
        self.dagger = dagger
        self.parts = parts
        self.data = data
        self.length = len(data[0].weights)
        self.layout = layout_for(self.env)
        self.done = 0
        self.seconds = 0.0  # in which the student has played
        self.lessons: Dataset[Lesson] = data
        self.played: RecordedLessons | None = None
        self._known = 0  # of the rounds, those that are in the lessons
        self._reminded = False

    @property
    def state(self) -> dict[str, object]:
        """What the next batches depend on, besides the episodes in the folder."""
        return {"done": self.done, "seconds": self.seconds}

    @state.setter
    def state(self, state: Mapping[str, object]) -> None:
        self.done, self.seconds = cast(int, state["done"]), cast(float, state["seconds"])

    @property
    def metrics(self) -> dict[str, float]:
        """What has been played so far, as it is logged."""
        if self.played is None:
            return {}
        episodes = self.played.episodes
        return {
            "train/played_mean": float(episodes["return"][-self.dagger.episodes :].mean()),
            "train/played_steps": float(episodes["steps"].sum()),
        }

    def seed(self, number: int) -> int:
        """Of the order of lessons after so many rounds."""
        return derive_seed(self.parts.seed, DAGGER, number) if number else self.parts.seed

    def announce(self, batches: int) -> None:
        """Say how much will be recorded at most, before anything is.

        Args:
            batches: of the run; -1: nobody knows, what is said is of a round.
        """
        dagger = self.dagger
        rounds = (batches - 1) // dagger.every - self.done if batches > 0 else 1
        dagger.path.mkdir(parents=True, exist_ok=True)
        size = size_in_words(dagger.path, self.layout, rounds * dagger.episodes, self.env.spec.max_steps)
        which = f"{rounds} rounds" if batches > 0 else "each round"
        log.info("the student plays, %s of %d episodes to %s: %s", which, dagger.episodes, dagger.path, size)

    def check(self, done: int) -> None:
        """ConfigError unless the folder has the episodes of so many rounds."""
        wanted = done * self.dagger.episodes
        if wanted:
            try:
                RecordedLessons(str(self.dagger.path), episodes=wanted)
            except ConfigError:
                raise ConfigError(
                    f"learner.dagger.path={self.dagger.path} must be the folder of the run that goes on, with the "
                    f"{wanted} episodes that it has played"
                ) from None

    def play(self, until: int) -> None:
        """Play the rounds that are missing; episodes of rounds that are not done are played again."""
        self._remind()
        dagger, start = self.dagger, time.perf_counter()
        settings = {key: getattr(dagger, key) for key in ("every", "episodes", "beta", "slots")}
        said = {"env": dict(cast(Mapping[str, object], self.parts.agent_config.get("env") or {}))}
        kept = self.done * dagger.episodes
        with Folder(
            dagger.path,
            self.layout,
            {"dagger": {**settings, "seed": self.parts.seed}},
            said,
            keep=kept,
            key="learner.dagger.path",
        ) as folder:
            vector = get_vector(self.parts.agent).to(self.parts.rollout.evaluation_dtype)
            student = Acting(with_vector(self.parts.agent, vector), self.parts.perturbations)
            for number in range(self.done + 1, until + 1):
                first, seed = (number - 1) * dagger.episodes, derive_seed(self.parts.seed, DAGGER)
                for episode in play(
                    self.env,
                    self.teacher,
                    seed,
                    range(first, first + dagger.episodes),
                    slots=dagger.slots,
                    player=student,
                    beta=dagger.beta**number,
                ):
                    folder.append(episode)
        self.seconds += time.perf_counter() - start

    def _remind(self) -> None:
        """Once, tell the teacher what it has said: in the lessons that were there, and in rounds before a resume."""
        if not self._reminded:
            self.read(self.done)
            remind(self.teacher, self.lessons)
            self._reminded = True

    def read(self, done: int) -> None:
        """Take in the episodes of so many rounds, whoever has played them."""
        self.done = done
        if done != self._known:
            self.played = RecordedLessons(
                str(self.dagger.path),
                length=self.length,
                episodes=done * self.dagger.episodes,
                unique=self.dagger.unique,
            )
            self.lessons, self._known = ConcatDataset([self.data, self.played]), done
