"""A sweep's results: a row a run, and the means over seeds."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from anx.sweep.distribution import Point, Value


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


class Content(NamedTuple):
    """A table as texts."""

    title: str
    header: list[str]
    rows: list[list[str]]


def contents(rows: Sequence[Row], metric: str, maximize: bool) -> list[Content]:
    """The tables of a sweep: of its settings where seeds are swept, and of its runs."""
    keys = list(dict.fromkeys(key for row in rows for key in row.point))
    tables = []
    if "seed" in keys and any(row.value is not None for row in rows):
        settings = [key for key in keys if key != "seed"]
        tables.append(
            Content(
                f"{metric}, mean over seeds",
                [*settings, "mean", "std. error", "runs"],
                [
                    [
                        *(str(each.point[key]) for key in settings),
                        f"{each.mean:.6g}",
                        "-" if math.isnan(each.sem) else f"{each.sem:.3g}",
                        str(each.runs),
                    ]
                    for each in means(rows, maximize)
                ],
            )
        )
    lines = [
        [*(str(row.point[key]) for key in keys), "-" if row.value is None else f"{row.value:.6g}", row.reason]
        for row in rank(rows, maximize)
    ]
    header = [*keys, metric, "failed"]
    if not any(row.reason for row in rows):
        header, lines = header[:-1], [line[:-1] for line in lines]
    return [*tables, Content("runs", header, lines)]


def to_csv(rows: Sequence[Row], metric: str, maximize: bool) -> str:
    """A row a run: the swept keys, the metric's value in full, the folder, why it failed."""
    keys = list(dict.fromkeys(key for row in rows for key in row.point))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, metric, "folder", "failed"])
    for row in rank(rows, maximize):
        value = "" if row.value is None else row.value
        writer.writerow([*(row.point[key] for key in keys), value, row.folder, row.reason])
    return text.getvalue()


def to_markdown(title: str, tables: Iterable[Content]) -> str:
    parts = [f"# {title}"]
    for table in tables:
        lines = [table.header, ["---"] * len(table.header), *table.rows]
        escaped = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines]
        parts += [f"## {table.title}", "\n".join(f"| {line} |" for line in escaped)]
    return "\n\n".join(parts) + "\n"


def print_tables(console: Console, tables: Iterable[Content]) -> None:
    for content in tables:
        table = Table(title=content.title, title_justify="left")
        for header in content.header:
            table.add_column(header, justify="left" if header == "failed" else "right", overflow="fold")
        for line in content.rows:
            table.add_row(*line)
        console.print(table)
