"""Figures of a sweep: what each swept key does to the metric."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

Value = bool | int | float | str
Run = tuple[Mapping[str, Value], float]  # a value for each swept key, and the metric's

COLUMNS = 3
MOST_TICKS = 10  # of an axis that names every value


def sweep_figure(runs: Sequence[Run], metric: str, maximize: bool = True) -> Figure:
    """The metric against each swept key, and over both where there are two; a seed is no key but a repetition.

    Args:
        runs: those that finished, at least one.
        metric: its name.
        maximize: whether more is better.
    """
    values = {key: distinct(runs, key) for key in dict.fromkeys(key for point, _ in runs for key in point)}
    keys = [key for key, each in values.items() if key != "seed" and len(each) > 1] or [next(iter(values))]
    panels = len(keys) + (len(keys) == 2)
    columns, rows = min(panels, COLUMNS), -(-panels // COLUMNS)
    figure = Figure(figsize=(4.2 * columns + 0.6, 3.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for index, axis in enumerate(axes.flat):
        if index >= panels:
            axis.set_visible(False)
        elif index < len(keys):
            draw_effect(axis, runs, keys[index])
            axis.sharey(axes.flat[0])
            axis.set_ylabel(metric if index % columns == 0 else "")
        else:
            colours = draw_both(axis, runs, keys[0], keys[1], maximize)
            seeds = ", mean over seeds" if len(values.get("seed", [])) > 1 else ""
            figure.colorbar(colours, ax=axis, pad=0.02, label=metric + seeds)
    if labelled := [axis for axis in axes.flat if axis.get_legend_handles_labels()[0]]:
        labelled[0].legend(loc="best", fontsize="small", framealpha=0.6)
    return figure


def distinct(runs: Sequence[Run], key: str) -> list[Value]:
    """The values of a key: numbers in their order, names in that of the runs."""
    values = list(dict.fromkeys(point[key] for point, _ in runs if key in point))
    return [*sorted(values)] if is_numeric(values) else values


def is_numeric(values: Sequence[Value]) -> TypeGuard[Sequence[float]]:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def draw_effect(axis: Axes, runs: Sequence[Run], key: str) -> None:
    """Every run as a dot over its value of `key`; mean and standard error where values repeat."""
    values = distinct(runs, key)
    positions = scale(axis, "x", key, values)
    found = [(point[key], value) for point, value in runs if key in point]
    axis.plot([positions[each] for each, _ in found], [value for _, value in found], "o", markersize=5, alpha=0.4)
    if len(values) < len(found) and len(values) <= MOST_TICKS:
        groups = [np.array([value for each, value in found if each == own]) for own in values]
        axis.errorbar(
            [positions[each] for each in values],
            [group.mean() for group in groups],
            [group.std(ddof=1) / len(group) ** 0.5 if len(group) > 1 else 0.0 for group in groups],
            fmt="o-" if is_numeric(values) else "o",
            color="tab:orange",
            capsize=3,
            label="mean ± standard error",
        )
    axis.grid(alpha=0.3)


def scale(axis: Axes, name: Literal["x", "y"], key: str, values: Sequence[Value]) -> dict[Value, float]:
    """Scale and label an axis for a key's values; where each of them lies on it.

    Numbers lie on a numeric axis, names stand side by side.
    """
    own = axis.xaxis if name == "x" else axis.yaxis
    own.set_label_text(key.lstrip("+"))
    if not is_numeric(values):
        own.set_ticks(range(len(values)), [str(value) for value in values])
        if name == "x":
            axis.set_xlim(-0.5, len(values) - 0.5)
            if sum(len(str(value)) for value in values) > 30:
                for label in axis.get_xticklabels():
                    label.set(rotation=25, ha="right", rotation_mode="anchor")
        return {value: float(index) for index, value in enumerate(values)}
    if grows_geometrically(values):
        axis.set(**{f"{name}scale": "log"})
        own.set_major_locator(LogLocator(subs=(1, 2, 5) if values[-1] < 1000 * values[0] else (1,)))
        own.set_major_formatter("{x:g}")
        own.set_minor_locator(NullLocator())
    if len(values) <= MOST_TICKS:
        own.set_ticks(values, [f"{value:g}" for value in values])
    return {value: value for value in values}


def grows_geometrically(values: Sequence[float]) -> bool:
    """Whether sorted numbers span a factor of eight or more and rather multiply than add up."""
    low, middle, high = values[0], float(np.median(values)), values[-1]
    return low > 0 and high >= 8 * low and middle - (low * high) ** 0.5 < (low + high) / 2 - middle


def draw_both(axis: Axes, runs: Sequence[Run], down: str, across: str, maximize: bool) -> ScalarMappable:
    """The metric over two keys: a heat map of means with numbers, or dots where the values are too many for one."""
    rows, columns = distinct(runs, down), distinct(runs, across)
    colours = "viridis" if maximize else "viridis_r"
    if len(rows) > MOST_TICKS or len(columns) > MOST_TICKS:
        x, y = scale(axis, "x", across, columns), scale(axis, "y", down, rows)
        positions = np.array([(x[point[across]], y[point[down]]) for point, _ in runs])
        axis.grid(alpha=0.3)
        return axis.scatter(positions[:, 0], positions[:, 1], c=[value for _, value in runs], cmap=colours, zorder=2)
    means = np.full((len(rows), len(columns)), np.nan)
    for row, column in np.ndindex(means.shape):
        cell = [value for point, value in runs if (point[down], point[across]) == (rows[row], columns[column])]
        if cell:
            means[row, column] = np.mean(cell)
    image = axis.imshow(means, cmap=colours, aspect="auto", origin="lower")
    axis.set_facecolor("0.9")  # where no run finished
    decimals = max(0, 2 - int(np.floor(np.log10(np.nanmax(np.abs(means)) or 1.0))))
    for (row, column), mean in np.ndenumerate(means):
        if np.isfinite(mean):
            bright = np.dot(image.cmap(image.norm(mean))[:3], (0.299, 0.587, 0.114)) > 0.5
            colour = "black" if bright else "white"
            axis.text(column, row, f"{mean:.{decimals}f}", ha="center", va="center", color=colour, fontsize="small")
    best = np.nanargmax(means) if maximize else np.nanargmin(means)
    row, column = np.unravel_index(best, means.shape)
    axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, linewidth=2.5, color="tab:orange"))
    for own, key, values in ((axis.xaxis, across, columns), (axis.yaxis, down, rows)):
        own.set_label_text(key.lstrip("+"))
        own.set_ticks(range(len(values)), [f"{each:g}" if is_numeric(values) else str(each) for each in values])
    return image
