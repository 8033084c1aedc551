"""Figures: each function takes what a rollout traced, or what a run logged, and returns a matplotlib figure."""

import csv
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anx.rollout.base import Trace


def attention_figure(trace: Trace, env: Any) -> Figure:
    """What the agent attends to in one episode: over time for scalars, on the frame for patches."""
    if trace.observations.dim() == 2:
        return attention_over_time(trace, getattr(env, "input_names", ()))
    return attention_on_frames(trace)


def learning_curve(metrics: Path, points: int = 400) -> Figure:
    """Fitness of the populations, and the mean's return on held-out episodes, over the generations.

    Args:
        metrics: a run's metrics.csv.
        points: fitness is averaged over neighbouring generations to at most this many.
    """
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> np.ndarray:
        """Generation and value of the rows that have one [2, rows]."""
        return np.array([(int(row["step"]) + 1, float(row[name])) for row in rows if row.get(name)]).reshape(-1, 2).T

    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, label in (("max", "best candidate"), ("mean", "all candidates")):
        values = column(f"train/fitness_{name}")
        groups = np.array_split(values, min(points, max(1, values.shape[1])), axis=1)
        averages = np.array([group.mean(1) for group in groups if group.size]).reshape(-1, 2).T
        axis.plot(*averages, linewidth=0.7, alpha=0.6, label=f"fitness, {label}")
    for name, style in (("plain", "-"), ("shuffled", "--")):
        axis.plot(*column(f"validation/{name}_mean"), style, label=f"the mean, held out, {name}")
    axis.set(xlabel="generation", ylabel="return")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    return figure


def attention_over_time(trace: Trace, names: tuple[str, ...]) -> Figure:
    """Attention to each input [N], averaged over the queries, over the steps [T], above the return so far.

    The inputs are drawn in the environment's order, whatever order the agent saw them in.
    """
    steps, count = trace.observations.shape
    attention = np.zeros((steps, count))
    for t, (origins, weights) in enumerate(zip(trace.origins.tolist(), trace.attention.tolist(), strict=True)):
        for origin, weight in zip(origins, weights, strict=True):
            if origin >= 0:
                attention[t, origin] += weight
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8, 4.5), sharex=True, height_ratios=(2.2, 1), layout="constrained"
    )
    most = np.abs(attention).max()
    colours = {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if attention.min() < 0 else {"cmap": "magma", "vmin": 0}
    image = top.imshow(attention.T, aspect="auto", interpolation="nearest", extent=(0, steps, count, 0), **colours)
    top.set_yticks(np.arange(count) + 0.5, names if len(names) == count else range(count))
    top.set_title("attention to each input (mean over the queries)")
    figure.colorbar(image, ax=top, pad=0.01)
    bottom.plot(trace.rewards.cumsum(0).cpu().numpy(), color="tab:blue")
    bottom.set(xlabel="step", ylabel="return so far", xlim=(0, steps))
    bottom.grid(alpha=0.3)
    return figure


def attention_on_frames(trace: Trace, count: int = 4, share: float = 0.1) -> Figure:
    """The newest frame at `count` times of an episode, with its most attended patches outlined.

    Args:
        trace: with observations [T, S, H, W] that were split into square patches.
        count: frames drawn.
        share: of the patches outlined.
    """
    stacked, _, width = trace.observations.shape[1:]
    size = round((trace.inputs.shape[-1] / stacked) ** 0.5)
    times = np.linspace(0, len(trace.observations) - 1, count).round().astype(int)
    figure, axes = plt.subplots(1, count, figsize=(3 * count, 3.3), layout="constrained")
    for axis, t in zip(np.atleast_1d(axes), times, strict=True):
        attention = trace.attention[t]  # [N']
        most = attention.argsort(descending=True)[: max(1, round(share * len(attention)))]
        axis.imshow(trace.observations[t, -1].cpu().numpy(), cmap="gray", vmin=0, vmax=255)
        for origin in trace.origins[t, most].tolist():
            row, column = divmod(origin, width // size)
            corner = (column * size - 0.5, row * size - 0.5)
            axis.add_patch(Rectangle(corner, size, size, fill=False, color="tab:orange"))
        axis.set(title=f"step {t}", xticks=[], yticks=[])
    figure.suptitle(f"the {share:.0%} most attended patches (the agent saw them shuffled)")
    return figure
