"""A heat map: scores over two shares."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Scores = NDArray[np.float64]  # [rows, columns]; nan where there is none


def heat_figure(
    panels: Mapping[str, Scores], rows: Sequence[float], columns: Sequence[float], axes: tuple[str, str]
) -> Figure:
    """Scores as colours and numbers, side by side on one scale.

    Args:
        panels: scores [rows, columns] by their title; in the first there is one at least.
        rows: what they lie over, from below.
        columns: from the left.
        axes: what rows and columns are.
    """
    least, most = (float(function(np.stack(list(panels.values())))) for function in (np.nanmin, np.nanmax))
    size = 0.62 * len(columns) + 1.2, 0.5 * len(rows) + 1.2
    figure = Figure(figsize=(max(3.2, size[0]) * len(panels) + 0.8, max(2.8, size[1])), layout="constrained")
    plots = figure.subplots(1, len(panels), squeeze=False)[0]
    for plot, (title, scores) in zip(plots, panels.items(), strict=True):
        image = plot.imshow(scores, cmap="viridis", vmin=least, vmax=most, origin="lower", aspect="auto")
        plot.set_facecolor("0.9")  # where nobody has played
        for (row, column), score in np.ndenumerate(scores):
            if np.isfinite(score):
                bright = np.dot(image.cmap(image.norm(score))[:3], (0.299, 0.587, 0.114)) > 0.5
                text = f"{score:.0f}" if abs(score) >= 100 else f"{score:.1f}"
                plot.text(column, row, text, ha="center", va="center", color="k" if bright else "w", fontsize="small")
        plot.set_title(title)
        plot.set_ylabel(axes[0])
        plot.set_xlabel(axes[1])
        plot.set_yticks(range(len(rows)), [f"{each:g}" for each in rows])
        plot.set_xticks(range(len(columns)), [f"{each:g}" for each in columns])
    figure.colorbar(image, ax=list(plots), pad=0.02)
    return figure
