"""Runs a sweep file's points, each at most once, and says after each what came of them."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from anx.commands.evaluate import make_console
from anx.commands.run import run
from anx.errors import ConfigError
from anx.experiment.check import check_writable
from anx.experiment.command_line import MULTIRUN, command_line, evaluation_of, key_of, without
from anx.experiment.file_base import read_override
from anx.experiment.trust import check_overrides, trust_override
from anx.experiment.weights import read_weights
from anx.files import write_whole
from anx.signals import Interrupted
from anx.sweep.command import Flags
from anx.sweep.distribution import Choice, Point
from anx.sweep.file import SweepFile
from anx.sweep.launch import Launches, Task, exit_code, open_launches
from anx.sweep.points import is_finished, last_value, launch_overrides, name_of, to_overrides
from anx.sweep.search import Bayes, Grid, Random, Search
from anx.sweep.table import Row, contents, means, print_tables, rank, to_csv, to_markdown
from anx.views.figures import save
from anx.views.figures.sweep import sweep_figure

log = logging.getLogger(__name__)

FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
OWN_KEYS = ("ckpt_path", "run_dir", "hydra.mode", *FOLDERS)
NO_FLAGS = Flags()
PATIENCE = 100  # proposals in a row that bring nothing new before a search has seen all


class Sweep:
    """A sweep in its folder.

    What is in the folder says how far it is: a point is finished once its run has a report.json, goes on from its
    checkpoint where it was cut off, and is tried again where it failed. A search is replayed from its seed and told the
    same results, so it proposes the same points.

    Args:
        file: the sweep.
        folder: where its runs go, and the tables and the picture of them.
        count: runs at most; None leaves that to the file.
        overrides: given to every run; they replace the file's own with the same key.
        task: what a run is.
        flags: given to every run; they replace the file's own.
    """

    def __init__(
        self,
        file: SweepFile,
        folder: Path,
        count: int | None,
        overrides: Sequence[str],
        task: Task = run,
        *,
        flags: Flags = NO_FLAGS,
    ) -> None:
        keys = [check_override(file, override) for override in overrides]
        check_overrides(overrides_of(file), str(file.path), read_override(overrides, "trust") or ())
        self.file = file
        self.folder = folder
        self.rows: dict[str, Row] = {}  # by the names of the points' folders
        self._count = find_count(file, count)
        own = without(file.overrides, *keys, *FOLDERS)  # W&B's agent needs to be told where runs go
        for override in own:
            check_override(file, override, swept_is_wrong=False)  # as for W&B's agent, the point comes later and wins
        self._flags = flags.or_else(file.flags)
        self._overrides = [*own, *overrides]
        self._task = task
        self.interrupted = 0  # the exit code that says so, once it was

    def run(self) -> bool:
        """Run what is not finished, a batch as wide as the launcher at a time; False where it was interrupted."""
        with open_launches(self._overrides, self.folder, self._task, self._flags) as launches:
            check_writable(self.folder)
            self._claim(launches.width)
            if self.file.early_terminate:
                log.info("early_terminate is W&B's: here every run goes to its end")
            try:
                return self._search(launches, make_search(self.file))
            except (KeyboardInterrupt, Interrupted) as stop:
                self.interrupted = exit_code(stop)
                return False
            finally:
                self._write()

    def _search(self, launches: Launches, search: Search) -> bool:
        repeated = 0
        while len(self.rows) < self._count and repeated < PATIENCE:
            asked = [search.ask() for _ in range(min(launches.width, self._count - len(self.rows)))]
            new = {name_of(point): point for point in asked if name_of(point) not in self.rows}
            repeated = 0 if new else repeated + len(asked)
            if not self._run_batch(launches, new):
                return False
            for point in asked:
                search.tell(point, self.rows[name_of(point)].value)
        if repeated >= PATIENCE:
            log.info("the search proposes nothing new after %d runs", len(self.rows))
        return True

    def _run_batch(self, launches: Launches, points: dict[str, Point]) -> bool:
        """Give each point its row, from its folder or from a run; False where that was interrupted."""
        waiting = {}
        for name, point in points.items():
            if is_finished(self.folder / name):
                self._add(name, point)
            else:
                waiting[name] = point
        if not waiting:
            return True
        for number, name in enumerate(waiting, start=len(self.rows) + 1):
            log.info("run %d of %d: %s", number, self._count, name)
        outcomes = launches([launch_overrides(point, self.folder / name) for name, point in waiting.items()])
        for (name, point), outcome in zip(waiting.items(), outcomes, strict=True):
            if is_finished(self.folder / name) or not outcome.interrupted:
                self._add(name, point, outcome.reason)
        self._write()
        self.interrupted = max(outcome.interrupted for outcome in outcomes)
        return not self.interrupted

    def _add(self, name: str, point: Point, reason: str | None = None) -> None:
        folder = self.folder / name
        if not is_finished(folder):
            self.rows[name] = Row(point, folder, reason=reason or "the run left no report.json")
            log.info("failed: %s: %s", name, self.rows[name].reason)
            return
        value = last_value(folder, self.file.metric)
        self.rows[name] = Row(point, folder, reason=value) if isinstance(value, str) else Row(point, folder, value)

    def _claim(self, width: int) -> None:
        """Write what the folder's sweep is; ConfigError where it is of another one."""
        identity: dict[str, Any] = {
            "method": self.file.method,
            "metric": self.file.metric,
            "goal": "maximize" if self.file.maximize else "minimize",
            "overrides": [each for each in self._overrides if not is_of_hydra(each)],
        }
        if self._flags.config_dir:
            identity["config_dir"] = str(Path(self._flags.config_dir).absolute())
        if self._flags.config_name:
            identity["config_name"] = self._flags.config_name
        if self.file.method == "grid":  # further values of a key are further points
            identity["keys"] = list(self.file.parameters)
        else:  # other proposals would follow from the same results
            identity["parameters"] = {key: str(each) for key, each in self.file.parameters.items()}
        if self.file.method == "bayes":
            identity["at_once"] = width
        path = self.folder / "sweep.yaml"
        if not path.is_file():
            write_whole(path, yaml.safe_dump(identity, sort_keys=False))
            return
        other = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in {**identity, **other}:
            if identity.get(key) != other.get(key):
                raise ConfigError(
                    f"folder={self.folder} holds a sweep with {key}={other.get(key)}, this one has "
                    f"{key}={identity.get(key)}; choose another folder"
                )

    def _write(self) -> None:
        """The tables and the picture as of now."""
        rows, metric, maximize = list(self.rows.values()), self.file.metric, self.file.maximize
        if not rows:
            return
        title = f"{self.file.path.stem}: {metric}, {'more' if maximize else 'less'} is better"
        write_whole(self.folder / "table.csv", to_csv(rows, metric, maximize))
        write_whole(self.folder / "table.md", to_markdown(title, contents(rows, metric, maximize)))
        finished = [(row.point, row.value) for row in rows if row.value is not None]
        if finished:
            save(sweep_figure(finished, metric, maximize), self.folder / "sweep.png")

    def report(self) -> None:
        """Print the tables, where everything is, and how to have the best again."""
        rows, maximize = list(self.rows.values()), self.file.maximize
        if not rows:
            return
        print_tables(make_console(), contents(rows, self.file.metric, maximize))
        names = [name for name in ("table.csv", "table.md", "sweep.png") if (self.folder / name).is_file()]
        log.info("%s has %s and a folder for every run", self.folder, ", ".join(names))
        best = means(rows, maximize)
        if best:
            given = [*self._flags.arguments(), *without(self._overrides, *MULTIRUN)]
            setting = command_line("anx.run", *given, *to_overrides(best[0].point))
            log.info("the best setting:\n  %s", setting)
            agent = rank(rows, maximize)[0].folder / "agent.safetensors"
            trusted = trust_override(read_weights(agent).config or {}) if agent.is_file() else []
            log.info("the best run's agent:\n  %s", evaluation_of(agent, *trusted))


def overrides_of(file: SweepFile) -> list[str]:
    """What a sweep file sets its keys to; of those that are numbers, one each."""
    texts = {
        key: [value for value in each.values if isinstance(value, str)] if isinstance(each, Choice) else []
        for key, each in file.parameters.items()
    }
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


def check_override(file: SweepFile, override: str, *, swept_is_wrong: bool = True) -> str:
    """The key of an override that is given to every run; ConfigError where the sweep has to set it."""
    (parsed,) = OverridesParser.create().parse_overrides([override])
    key = parsed.key_or_group
    if parsed.is_sweep_override():
        raise ConfigError(f"{override} holds several values: {key} belongs into {file.path}")
    if swept_is_wrong and key in [each.lstrip("+") for each in file.parameters]:
        raise ConfigError(f"{override}: {key} is swept by {file.path}")
    if key in OWN_KEYS:
        raise ConfigError(f"{override}: {key} is set by the sweep of {file.path}; folder=PATH chooses its folder")
    return key


def is_of_hydra(override: str) -> bool:
    """Whether an override is about how runs are started and logged, not about what they are."""
    key = key_of(override)
    return key.startswith(("hydra.", "hydra/")) and key != "hydra.searchpath"
