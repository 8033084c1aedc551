"""A folder that episodes are recorded to, one after the other."""

import errno
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import yaml
from filelock import FileLock, Timeout

from anx.data.growing import Growing
from anx.data.layout import DESCRIPTION, EPISODE, EPISODES, STEPS, Layout, read_description
from anx.data.play import Episode
from anx.errors import ConfigError
from anx.files import whole, write_whole

FULL = (errno.ENOSPC, errno.EDQUOT)


class Folder:
    """What has been recorded to a folder, open for more. An episode is in it as a whole or not at all.

    Args:
        path: of the folder; it is made, if there is none.
        layout: of the episodes.
        settings: with which they are recorded. A folder of others is refused.
        notes: what is written down besides, where the folder is new.
        keep: how many of the episodes that are there, the first ones; None: all.
        key: of the folder in a configuration, for messages.

    Raises:
        ConfigError: it was recorded with other settings, or another process is recording to it.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        settings: Mapping[str, object],
        notes: Mapping[str, object] | None = None,
        *,
        keep: int | None = None,
        key: str = "output",
    ) -> None:
        self.path = path
        self.layout = layout
        self.name = f"{key}={path}"
        path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise ConfigError(f"{self.name} is being recorded to by another process") from None
        said = {**settings, "layout": {**layout._asdict(), "observation_shape": list(layout.observation_shape)}}
        if (path / DESCRIPTION).exists():
            check_same(self.name, read_description(path), said)
        else:
            write_whole(path / DESCRIPTION, yaml.safe_dump({**said, **(notes or {})}, sort_keys=False))
        done = np.load(path / EPISODES) if (path / EPISODES).exists() else np.zeros(0, EPISODE)
        self.episodes = done  # [E], in the order in which they came
        if keep is not None and keep < len(done):
            self._write_episodes(done[:keep])
        self._arrays = self._open()

    def _open(self) -> dict[str, Growing]:
        """The arrays, as long as the episodes that are known."""
        done, layout = self.episodes, self.layout
        last = done[-1] if len(done) else np.zeros((), EPISODE)
        steps = int(last["step"] + last["steps"])
        frames = int(last["frame"] + last["steps"] + layout.frames - 1) if len(done) else 0
        return {
            name: Growing(self.path / f"{name}.npy", *row, rows=steps if name in STEPS else frames)
            for name, row in layout.rows.items()
        }

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for array in self._arrays.values():
            array.close()
        self._lock.release()

    @property
    def steps(self) -> int:
        """Of all episodes."""
        return int(self.episodes["steps"].sum())

    def append(self, episode: Episode) -> None:
        """Add an episode.

        Raises:
            ConfigError: the disk is full; what was there before is there still.
        """
        place = self._arrays["observations"].rows, self._arrays["rewards"].rows
        row = np.array([(episode.number, *place, len(episode.rewards), episode.rewards.sum(dtype=float))], EPISODE)
        try:
            for name, rows in self._rows(episode).items():
                self._arrays[name].append(rows)
            self._write_episodes(np.concatenate([self.episodes, row]))
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise ConfigError(
                f"{self.name}: the disk is full after {len(self.episodes)} episodes, which are kept; it goes on where "
                "there is room"
            ) from None

    def _rows(self, episode: Episode) -> dict[str, np.ndarray]:
        """What is added to each array."""
        observations = episode.observations
        if self.layout.stacks:
            assert (observations[1:, :-1] == observations[:-1, 1:]).all(), "a step brings one frame"
            observations = np.concatenate([observations[0], observations[1:, -1]])
        actions = episode.actions.argmax(-1) if self.layout.discrete else episode.actions
        return {
            "observations": observations,
            "actions": actions,
            "scores": episode.scores,
            "rewards": episode.rewards,
        }

    def _write_episodes(self, episodes: np.ndarray) -> None:
        """The last of the files to be written: what it does not know of is not there."""
        with whole(self.path / EPISODES) as unfinished:
            np.save(unfinished, episodes)
        self.episodes = episodes


def check_same(name: str, before: Mapping[str, object], now: Mapping[str, object]) -> None:
    """ConfigError where a recording of other settings would be gone on with; it names the first that differs."""
    then, ours = flat(before), flat(now)
    for key in ours:
        if then.get(key) != ours[key]:
            raise ConfigError(f"{name} was recorded with {key}={then.get(key)}, not {ours[key]}; choose another folder")


def flat(settings: Mapping[str, object], within: str = "") -> dict[str, object]:
    """Nested settings by their dotted keys."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        found |= flat(value, f"{within}{key}.") if isinstance(value, Mapping) else {f"{within}{key}": value}
    return found
