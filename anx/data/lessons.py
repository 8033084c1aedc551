"""Recorded episodes as lessons: sequences for students with a memory, single steps for those without."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anx.data.base import Lesson, Lessons
from anx.data.layout import EPISODES, layout_of, read_description
from anx.envs.vector import Array
from anx.errors import ConfigError


class RecordedLessons(Lessons):
    """Stretches of recorded episodes, all of one length, each always in its place: read where they lie, on disk.

    Episodes are in the order of their numbers, whichever was over first.

    Args:
        path: of the folder that `python -m anx.record` has filled.
        length: T; an episode's last stretch is filled up with steps that do not count. 1: single steps; null: whole
            episodes, as long as the longest.
        episodes: how many of them, the first ones; null: all.
        unique: whether, of single steps with the same observation and previous action, only the first is a lesson.
            Sixty games of Pong's teacher, who wins by the same rallies, are 1,600 steps and their repetitions.
    """

    def __init__(self, path: str, *, length: int | None = 1, episodes: int | None = None, unique: bool = False) -> None:
        for name, value in (("length", length), ("episodes", episodes)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if unique and length != 1:
            raise ValueError(f"unique=true is for single steps, length=1; length={length}")
        self.path = Path(path)
        said = read_description(self.path)
        self.layout = layout_of(said)
        self.env = cast(Mapping[str, object] | None, said.get("env"))
        index = self.path / EPISODES
        found = np.load(index) if index.is_file() else []
        if len(found) < (episodes or 1):
            raise ConfigError(f"data.path={path} holds {len(found)} episodes; python -m anx.record records more")
        self.episodes = np.sort(found, order="number")[:episodes]  # [E]
        self.length = length or int(self.episodes["steps"].max())
        each = -(-self.episodes["steps"] // self.length)  # [E], stretches of an episode
        self._ends = np.cumsum(each)  # [E]
        self._begins = self._ends - each
        self._open: dict[str, Array] | None = None
        self._kept = np.fromiter(self._different(), dtype=np.int64) if unique else None  # the lessons that there are

    def _different(self) -> Iterator[int]:
        """The first lesson of each kind: of all that look the same after the same action."""
        known: set[bytes] = set()
        for episode, begin in zip(self.episodes, self._begins, strict=True):
            first, count = int(episode["step"]), int(episode["steps"])
            frames = self._rows("observations", int(episode["frame"]), count + self.layout.frames - 1)
            seen = [blake2b(frame.tobytes(), digest_size=16).digest() for frame in frames]
            done = [b"", *(action.tobytes() for action in self._rows("actions", first, count - 1))]
            for step, action in enumerate(done):
                key = b"".join([*seen[step : step + self.layout.frames], action])
                if key not in known:
                    known.add(key)
                    yield int(begin) + step

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": None}  # a process that reads ahead opens the files itself

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._kept is None else len(self._kept)

    def __getitem__(self, index: int) -> Lesson:
        if not 0 <= index < len(self):
            raise IndexError(index)
        index = index if self._kept is None else int(self._kept[index])
        which = int(np.searchsorted(self._ends, index, side="right"))
        episode, offset = self.episodes[which], self.length * int(index - self._begins[which])
        count = min(self.length, int(episode["steps"]) - offset)
        observations = self._observations(int(episode["frame"]) + offset, count)
        step = int(episode["step"]) + offset
        before = self._actions(step - 1, count) if offset else self._actions(step, count - 1)
        scores = torch.from_numpy(self._rows("scores", step, count))
        filled = self.length - count
        return Lesson(
            F.pad(observations, [0, 0] * (observations.dim() - 1) + [0, filled]),
            F.pad(before, (0, 0, 0 if offset else 1, filled)),
            F.pad(scores, (0, 0, 0, filled)),
            F.pad(torch.ones(count), (0, filled)),
        )

    def _observations(self, frame: int, count: int) -> Tensor:
        """The observations [count, ...] from a frame on."""
        frames = torch.from_numpy(self._rows("observations", frame, count + self.layout.frames - 1))
        if not self.layout.stacks:
            return frames
        return frames.unfold(0, self.layout.frames, 1).movedim(-1, 1)  # [count, S, height, width]

    def _actions(self, step: int, count: int) -> Tensor:
        """What was done in `count` steps from one on, [count, A]."""
        done = torch.from_numpy(self._rows("actions", step, count))
        return F.one_hot(done.long(), self.layout.action_size).float() if self.layout.discrete else done

    def _rows(self, name: str, first: int, count: int) -> Array:
        """A copy of rows of an array."""
        if self._open is None:
            self._open = {each: np.load(self.path / f"{each}.npy", mmap_mode="r") for each in self.layout.rows}
        return np.array(self._open[name][first : first + count])
