"""A sweep's results: a row a run, and the means over seeds."""

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from anx.sweep.distribution import Point, Value
from anx.views import table
from anx.views.table import Table


class Row(NamedTuple):
    """A run."""

    point: Point
    folder: Path
    value: float | None = None  # of the metric; None where the run failed
    reason: str = ""  # why it failed


class Mean(NamedTuple):
    """Runs that differ in nothing but their seed."""

    point: Point  # without the seed
    mean: float
    sem: float  # the mean's standard error; nan for a single run
    runs: int


def rank(rows: Iterable[Row], maximize: bool) -> list[Row]:
    """The best run first, those that failed last."""
    return sorted(rows, key=lambda row: (row.value is None, (-1 if maximize else 1) * (row.value or 0.0)))


def means(rows: Iterable[Row], maximize: bool) -> list[Mean]:
    """Over seeds, the best first; runs that failed are left out."""
    groups: dict[tuple[tuple[str, Value], ...], list[float]] = {}
    for row in rows:
        if row.value is not None:
            setting = tuple((key, value) for key, value in row.point.items() if key != "seed")
            groups.setdefault(setting, []).append(row.value)
    found = [Mean(dict(setting), *mean_and_error(values), len(values)) for setting, values in groups.items()]
    return sorted(found, key=lambda each: (-1 if maximize else 1) * each.mean)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, nan for a single value."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return statistics.fmean(values), error


def contents(rows: Sequence[Row], metric: str, maximize: bool) -> list[Table]:
    """The tables of a sweep: of its settings where seeds are swept, and of its runs."""
    seeds = "seed" in swept(rows) and any(row.value is not None for row in rows)
    return [*([of_settings(rows, metric, maximize)] if seeds else []), of_runs(rows, metric, maximize)]


def of_settings(rows: Sequence[Row], metric: str, maximize: bool) -> Table:
    """The mean over seeds of each setting of the other keys."""
    keys = [key for key in swept(rows) if key != "seed"]
    lines = [
        [
            *(str(each.point[key]) for key in keys),
            f"{each.mean:.6g}",
            "-" if math.isnan(each.sem) else f"{each.sem:.3g}",
            str(each.runs),
        ]
        for each in means(rows, maximize)
    ]
    header = [*keys, "mean", "std. error", "runs"]
    return Table(header, lines, "r" * len(header), f"{metric}, mean over seeds")


def of_runs(rows: Sequence[Row], metric: str, maximize: bool) -> Table:
    """A row a run, and where one failed, why."""
    keys, failed = swept(rows), any(row.reason for row in rows)
    lines = [
        [
            *(str(row.point[key]) for key in keys),
            "-" if row.value is None else f"{row.value:.6g}",
            *([row.reason] if failed else []),
        ]
        for row in rank(rows, maximize)
    ]
    header = [*keys, metric, *(["failed"] if failed else [])]
    return Table(header, lines, "r" * (len(keys) + 1) + "l" * failed, "runs")


def swept(rows: Iterable[Row]) -> list[str]:
    """The swept keys."""
    return list(dict.fromkeys(key for row in rows for key in row.point))


def to_csv(rows: Sequence[Row], metric: str, maximize: bool) -> str:
    """A row a run: the swept keys, the metric's value in full, the folder, why it failed."""
    keys = swept(rows)
    lines = [
        [
            *(str(row.point[key]) for key in keys),
            "" if row.value is None else str(row.value),
            str(row.folder),
            row.reason,
        ]
        for row in rank(rows, maximize)
    ]
    header = [*keys, metric, "folder", "failed"]
    return table.to_csv(Table(header, lines, "l" * len(header)))


def to_markdown(title: str, tables: Iterable[Table]) -> str:
    """The tables of a sweep under its title."""
    return "\n\n".join([f"# {title}", *map(table.to_markdown, tables)]) + "\n"


def print_tables(console: Console, tables: Iterable[Table]) -> None:
    """The tables of a sweep for a person to read."""
    for each in tables:
        table.print_table(console, each)
