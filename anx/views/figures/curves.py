"""What several runs have logged, in one picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

from anx.errors import ConfigError
from anx.views.figures.logged import STEPS, averaged, check_logged, column, label_axes, read_metrics

SHUFFLED = "validation/shuffled_mean"


def compare_runs(runs: Mapping[str, Path], x: str = STEPS, y: str = SHUFFLED, points: int = 400) -> Figure:
    """A metric of several runs over the same axes.

    Args:
        runs: the metrics.csv of each by its label.
        x: `generations`, `env_steps` or `core_hours`.
        y: the metric.
        points: a line is averaged over neighbouring values to at most this many.

    Raises:
        ConfigError: a run has not logged one of them.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    label_axes(axis, x, y)
    axis.set_prop_cycle(cycler(linestyle=["-", "--", ":", "-."]) * matplotlib.rcParams["axes.prop_cycle"])
    for label, path in runs.items():
        rows = read_metrics(path)
        check_logged(rows, x, path)
        logged = {metric for row in rows for metric, value in row.items() if value} - {"step"}
        if y not in logged:
            raise ConfigError(f"y={y} was not logged in {path}; allowed: {', '.join(sorted(logged)) or 'nothing'}")
        axis.plot(*averaged(column(rows, y, x), points), label=label, linewidth=1.5)
    axis.legend(loc="best", fontsize="small")
    return figure
