"""How a run learned."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from anx.views.figures.logged import STEPS, Row, averaged, check_logged, column, label_axes, read_metrics

FITNESS = {"train/fitness_max": "fitness, best candidate", "train/fitness_mean": "fitness, all candidates"}
VALIDATION = re.compile(r"validation/(average_)?(.+)_mean")


def validations(rows: Sequence[Row], averaged: bool = False) -> dict[str, str]:
    """The metrics of a run's validations by their names.

    Args:
        rows: of the run.
        averaged: those of the agent's running average, instead of the agent's own.
    """
    found = (VALIDATION.fullmatch(metric) for metric in sorted({metric for row in rows for metric in row}))
    return {match[2]: match[0] for match in found if match and bool(match[1]) == averaged}


def of_population(rows: Sequence[Row]) -> bool:
    """Whether a population learned: its fitness was logged, and what was validated is its mean."""
    return any(metric in row for row in rows for metric in FITNESS)


def learning_curve(metrics: Path, points: int = 400, step: str = "generation", x: str = STEPS) -> Figure:
    """Fitness of the populations, where there are any, and the return on held-out episodes, as the run went on.

    Args:
        metrics: a run's metrics.csv.
        points: fitness is averaged over neighbouring steps to at most this many.
        step: what a step is called.
        x: drawn over `generations`, its steps whatever they are called, `env_steps` or `core_hours`.

    Raises:
        ConfigError: it does not say how far the run was on that scale.
    """
    rows = read_metrics(metrics)
    check_logged(rows, x, metrics)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for metric, label in FITNESS.items() if of_population(rows) else ():
        axis.plot(*averaged(column(rows, metric, x), points), linewidth=0.7, alpha=0.6, label=label)
    held_out = "the mean, held out" if of_population(rows) else "held out"
    drawn = {f"{held_out}, {name}": metric for name, metric in validations(rows).items()}
    drawn |= {f"its average, held out, {name}": metric for name, metric in validations(rows, averaged=True).items()}
    for (label, metric), style in zip(drawn.items(), itertools.cycle(("-", "--", ":", "-.")), strict=False):
        axis.plot(*column(rows, metric, x), style, label=label)
    label_axes(axis, x, "return", step)
    if axis.lines:
        axis.legend(loc="upper left", fontsize="small")
    return figure
