"""How a run learned."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; a value that a generation lacks is empty."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def learning_curve(metrics: Path, points: int = 400) -> Figure:
    """Fitness of the populations, and the mean's return on held-out episodes, over the generations.

    Args:
        metrics: a run's metrics.csv.
        points: fitness is averaged over neighbouring generations to at most this many.
    """
    rows = read_metrics(metrics)

    def column(name: str) -> np.ndarray:
        """Generation and value of the rows that have one [2, rows]."""
        return np.array([(int(row["step"]) + 1, float(row[name])) for row in rows if row.get(name)]).reshape(-1, 2).T

    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for name, label in (("max", "best candidate"), ("mean", "all candidates")):
        values = column(f"train/fitness_{name}")
        groups = np.array_split(values, min(points, max(1, values.shape[1])), axis=1)
        averages = np.array([group.mean(1) for group in groups if group.size]).reshape(-1, 2).T
        axis.plot(*averages, linewidth=0.7, alpha=0.6, label=f"fitness, {label}")
    for name, style in (("plain", "-"), ("shuffled", "--")):
        axis.plot(*column(f"validation/{name}_mean"), style, label=f"the mean, held out, {name}")
    axis.set(xlabel="generation", ylabel="return")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", fontsize="small")
    return figure
