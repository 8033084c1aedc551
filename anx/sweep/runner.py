"""Runs a sweep file's points, each at most once, and keeps what came of them."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from anx.errors import ConfigError
from anx.experiment.config.command_line import without
from anx.experiment.config.writable import check_writable
from anx.experiment.file_base import read_override
from anx.experiment.files.trust import check_overrides
from anx.progress import clock
from anx.signals import Interrupted
from anx.sweep.command import FOLDERS, OWN_KEYS, Flags, check_override, is_of_hydra
from anx.sweep.distribution import Point
from anx.sweep.file import SweepFile
from anx.sweep.folder import claim, read_points, write_points, write_tables
from anx.sweep.launch import Launches, Task, exit_code, open_launches
from anx.sweep.points import is_finished, last_value, launch_overrides, name_of
from anx.sweep.search import Bayes, Grid, Random, Result, Search
from anx.sweep.table import Row

log = logging.getLogger(__name__)

NO_FLAGS = Flags()


class Sweep:
    """A sweep in its folder.

    What is in the folder says how far it is: a point is finished once its run has a report.json, goes on from its
    checkpoint where it was cut off, and is tried again where it failed. A search's points are in points.yaml before
    they are run; told the same results, it proposes the same ones after them.

    Args:
        file: the sweep.
        folder: where its runs go, and the tables and the picture of them.
        count: runs at most; None leaves that to the file.
        overrides: given to every run; they replace the file's own with the same key.
        task: what a run is.
        flags: given to every run; they replace the file's own. Without a folder of configs it is ./configs.
    """

    def __init__(
        self,
        file: SweepFile,
        folder: Path,
        count: int | None,
        overrides: Sequence[str],
        task: Task,
        *,
        flags: Flags = NO_FLAGS,
    ) -> None:
        keys = [check_override(override, file.path, file.parameters) for override in overrides]
        if own := sorted(set(file.parameters) & set(OWN_KEYS)):
            raise ConfigError(f"{file.path}: parameters.{own[0]} can't be swept: it is set by the sweep")
        check_overrides(overrides_of(file), str(file.path), read_override(overrides, "trust") or ())
        self.file = file
        self.folder = folder
        self.interrupted = 0  # the exit code that says so, once it was
        own = without(file.overrides, *keys, *FOLDERS)  # W&B's agent needs to be told where runs go
        for override in own:  # it may be of a swept key: as for W&B's agent, the point comes later and wins
            check_override(override, file.path)
        self.flags = flags.or_else(file.flags).or_found()
        self.overrides = [*own, *overrides]
        self._count = find_count(file, count)
        self._points: list[Point] = []  # in the order in which they are run
        self._rows: dict[str, Row] = {}  # by the names of the points' folders
        self._task = task
        self._pace: list[float] = []  # seconds a run, of each batch

    @property
    def rows(self) -> dict[str, Row]:
        """What came of the points that were run, in their order, by the names of their folders."""
        return {name: self._rows[name] for name in map(name_of, self._points) if name in self._rows}

    def run(self) -> bool:
        """Run what is not finished, a batch as wide as the launcher at a time; False where it was interrupted."""
        with open_launches(self.overrides, self.folder, self._task, self.flags) as launches:
            check_writable(self.folder)
            claim(self.folder, self._identity())
            if self.file.early_terminate:
                log.info("early_terminate is W&B's: here every run goes to its end")
            try:
                return self._search(launches, make_search(self.file))
            except (KeyboardInterrupt, Interrupted) as stop:
                self.interrupted = exit_code(stop)
                return False
            finally:
                self._write_tables()

    def _search(self, launches: Launches, search: Search) -> bool:
        """Run what is planned, then what is proposed; False where that was interrupted."""
        self._points = list(search.planned(read_points(self.folder)))[: self._count]
        for first in range(0, len(self._points), launches.width):
            if not self._run_batch(launches, self._points[first : first + launches.width]):
                return False
        while len(self._points) < self._count:
            batch = self._propose(search, min(launches.width, self._count - len(self._points)))
            if not batch:
                log.info("the search proposes nothing new after %d runs", len(self._points))
                break
            self._points += batch
            write_points(self.folder, self._points)
            if not self._run_batch(launches, batch):
                return False
        return True

    def _propose(self, search: Search, most: int) -> list[Point]:
        """Points to be run at once, after those that were run."""
        results = [Result(point, self._rows[name_of(point)].value) for point in self._points]
        batch: list[Point] = []
        while len(batch) < most and (point := search.propose(results, batch)):
            batch.append(point)
        return batch

    def _run_batch(self, launches: Launches, points: Sequence[Point]) -> bool:
        """Give each point its row, from its folder or from a run; False where that was interrupted."""
        waiting = {}
        for point in points:
            if is_finished(self.folder / name_of(point)):
                self._add(point)
            else:
                waiting[name_of(point)] = point
        if not waiting:
            return True
        left = self._time_left()
        for number, name in enumerate(waiting, start=len(self._rows) + 1):
            log.info("run %d of %d: %s%s", number, self._count, name, left)
        start = time.monotonic()
        outcomes = launches([launch_overrides(point, self.folder / name) for name, point in waiting.items()])
        for (name, point), outcome in zip(waiting.items(), outcomes, strict=True):
            if is_finished(self.folder / name) or not outcome.interrupted:
                self._add(point, outcome.reason)
        self._pace.append((time.monotonic() - start) / len(waiting))
        self._write_tables()
        self.interrupted = max(outcome.interrupted for outcome in outcomes)
        return not self.interrupted

    def _time_left(self) -> str:
        """How long all runs that are left take at the pace of those before; nothing before there is one."""
        if not self._pace:
            return ""
        return f", about {clock((self._count - len(self._rows)) * sum(self._pace) / len(self._pace))} left"

    def _add(self, point: Point, reason: str | None = None) -> None:
        """Give a point its row."""
        name = name_of(point)
        folder = self.folder / name
        if not is_finished(folder):
            self._rows[name] = Row(point, folder, reason=reason or "the run left no report.json")
            log.info("failed: %s: %s", name, self._rows[name].reason)
            return
        value = last_value(folder, self.file.metric)
        self._rows[name] = Row(point, folder, reason=value) if isinstance(value, str) else Row(point, folder, value)

    def _identity(self) -> dict[str, object]:
        """What tells this sweep from others."""
        identity: dict[str, object] = {
            "method": self.file.method,
            "metric": self.file.metric,
            "goal": "maximize" if self.file.maximize else "minimize",
            "overrides": [each for each in self.overrides if not is_of_hydra(each)],
        }
        if self.flags.config_dir:
            identity["config_dir"] = self.flags.config_dir
        if self.flags.config_name:
            identity["config_name"] = self.flags.config_name
        if self.file.method == "grid":  # further values of a key are further points
            identity["keys"] = list(self.file.parameters)
        else:  # other proposals would follow from the same results
            identity["search"] = "optuna"
            identity["parameters"] = {key: str(each) for key, each in self.file.parameters.items()}
        return identity

    def _write_tables(self) -> None:
        """The tables and the picture as of now."""
        rows = list(self.rows.values())
        if rows:
            metric, maximize = self.file.metric, self.file.maximize
            title = f"{self.file.name}: {metric}, {'more' if maximize else 'less'} is better"
            write_tables(self.folder, title, rows, metric, maximize)


def overrides_of(file: SweepFile) -> list[str]:
    """What a sweep file sets its keys to; of those that are numbers, one each."""
    texts = {key: [each for each in of.values if isinstance(each, str)] for key, of in file.parameters.items()}
    return [*file.overrides, *(f"{key}={value}" for key, values in texts.items() for value in values or ["0"])]


def find_count(file: SweepFile, count: int | None) -> int:
    """How many points a sweep has: those of a grid, at most `count`, else the file's `run_cap`."""
    count = count or file.run_cap
    if file.method == "grid":
        size = Grid(file.parameters).size
        return size if count is None else min(count, size)
    if count is None:
        raise ConfigError(f"{file.path}: method={file.method} without run_cap never ends; give count=N")
    return count


def make_search(file: SweepFile) -> Search:
    """What proposes the points of a sweep."""
    if file.method == "grid":
        return Grid(file.parameters)
    return Random(file.parameters) if file.method == "random" else Bayes(file.parameters, file.maximize)
