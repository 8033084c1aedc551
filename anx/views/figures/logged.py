"""What a run has logged, as lines to draw: a metric over its steps, what it has simulated, or what it has cost."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from anx.errors import ConfigError

Row = Mapping[str, str]  # of metrics.csv: what was logged after a step, by the metric's name


class Scale(NamedTuple):
    """What a curve can be drawn over."""

    metric: str  # that says how far a run was after a step
    label: str


STEPS = "generations"
SCALES = {
    STEPS: Scale("step", "generation"),
    "env_steps": Scale("train/env_steps", "environment steps"),
    "core_hours": Scale("perf/core_hours", "core-hours"),
}


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; a value that a step lacks is empty, a last row that was cut off is left out.

    Raises:
        ConfigError: it holds what no run has logged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restkey="beyond the header"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no table of metrics ({error})") from None
    if rows and None in rows[-1].values():  # every row that was written whole has all columns
        rows.pop()
    for line, row in enumerate(rows, start=2):
        for name, value in row.items():
            check_number(value, f"{path}, line {line}: {name}")
    return rows


def check_number(value: object, key: str) -> None:
    """ConfigError unless a value of metrics.csv is a number, or lacking."""
    try:
        float(cast(str, value) or 0)
    except (TypeError, ValueError):  # a list: of values behind the last column
        raise ConfigError(f"{key}={value} is no number") from None


def find_scale(x: str) -> Scale:
    """The scale of that name."""
    if x not in SCALES:
        raise ConfigError(f"x={x} is not one of {', '.join(SCALES)}")
    return SCALES[x]


def check_logged(rows: Sequence[Row], x: str, source: object) -> None:
    """ConfigError unless a run says how far it was on that scale: older ones tell their steps alone.

    Args:
        rows: of the run; of none, nothing is asked.
        x: the scale's name.
        source: of the rows, for the message.
    """
    metric = find_scale(x).metric
    if rows and not any(row.get(metric) for row in rows):
        raise ConfigError(f"x={x} needs {metric}, which {source} does not have; allowed: {STEPS}")


def column(rows: Sequence[Row], metric: str, x: str = STEPS) -> NDArray[np.float64]:
    """Where a run was, its steps counted from 1, and a metric's value then: of the rows that have both, [2, rows]."""
    place, first = find_scale(x).metric, x == STEPS
    both = [row for row in rows if row.get(metric) and row.get(place)]
    return np.array([(float(row[place]) + first, float(row[metric])) for row in both]).reshape(-1, 2).T


def averaged(values: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Places and values [2, rows] -> their means over neighbouring ones [2, at most `points`]."""
    groups = np.array_split(values, min(points, max(1, values.shape[1])), axis=1)
    return np.array([group.mean(1) for group in groups if group.size]).reshape(-1, 2).T


def label_axes(axis: Axes, x: str, y: str, step: str = SCALES[STEPS].label) -> None:
    """Say what is drawn over what.

    Args:
        axis: to be labelled.
        x: the scale's name.
        y: what is drawn.
        step: what a step of the run is called.
    """
    axis.set(xlabel=step if x == STEPS else find_scale(x).label, ylabel=y)
    if x == "env_steps":
        axis.xaxis.set_major_formatter(EngFormatter())
    axis.grid(alpha=0.3)
