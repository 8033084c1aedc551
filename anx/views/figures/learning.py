"""How a run learned."""

import csv
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Row = Mapping[str, str]  # of metrics.csv: what was logged after a step, by the metric's name

FITNESS = {"train/fitness_max": "fitness, best candidate", "train/fitness_mean": "fitness, all candidates"}
VALIDATION = re.compile(r"validation/(.+)_mean")


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; a value that a step lacks is empty."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def validations(rows: Sequence[Row]) -> dict[str, str]:
    """The metrics of a run's validations by their names."""
    found = (VALIDATION.fullmatch(metric) for metric in sorted({metric for row in rows for metric in row}))
    return {match[1]: match[0] for match in found if match}


def of_population(rows: Sequence[Row]) -> bool:
    """Whether a population learned: its fitness was logged, and what was validated is its mean."""
    return any(metric in row for row in rows for metric in FITNESS)


def learning_curve(metrics: Path, points: int = 400, step: str = "generation") -> Figure:
    """Fitness of the populations, where there are any, and the return on held-out episodes, over the steps.

    Args:
        metrics: a run's metrics.csv.
        points: fitness is averaged over neighbouring steps to at most this many.
        step: what a step is called.
    """
    rows = read_metrics(metrics)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for metric, label in FITNESS.items() if of_population(rows) else ():
        axis.plot(*averaged(column(rows, metric), points), linewidth=0.7, alpha=0.6, label=label)
    held_out = "the mean, held out" if of_population(rows) else "held out"
    for (name, metric), style in zip(validations(rows).items(), itertools.cycle(("-", "--", ":", "-.")), strict=False):
        axis.plot(*column(rows, metric), style, label=f"{held_out}, {name}")
    axis.set(xlabel=step, ylabel="return")
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend(loc="upper left", fontsize="small")
    return figure


def column(rows: Sequence[Row], metric: str) -> NDArray[np.float64]:
    """Step, counted from 1, and value of the rows that have one [2, rows]."""
    return np.array([(int(row["step"]) + 1, float(row[metric])) for row in rows if row.get(metric)]).reshape(-1, 2).T


def averaged(values: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Steps and values [2, rows] -> their means over neighbouring ones [2, at most `points`]."""
    groups = np.array_split(values, min(points, max(1, values.shape[1])), axis=1)
    return np.array([group.mean(1) for group in groups if group.size]).reshape(-1, 2).T
