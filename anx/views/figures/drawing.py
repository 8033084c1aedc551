"""What the figures share."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from anx.files import write_whole


class ColourScale(NamedTuple):
    """What numbers look like in a picture of them."""

    colours: str  # by matplotlib's name
    least: float
    most: float


def colour_scale(*values: NDArray[np.floating]) -> ColourScale:
    """One colour scale for all of `values`: symmetric about a white 0 where some are negative."""
    most = float(max(np.abs(each).max() for each in values)) or 1.0
    signed = min(each.min() for each in values) < 0
    return ColourScale("RdBu_r", -most, most) if signed else ColourScale("magma", 0, most)


def draw_rows(axis: Axes, values: NDArray[np.floating], steps: int, scale: ColourScale) -> AxesImage:
    """Values [K, rows] of an episode of so many steps as a picture: a row each, time to the right."""
    return axis.imshow(
        values.T,
        aspect="auto",
        interpolation="nearest",
        extent=(0, steps, values.shape[1], 0),
        cmap=scale.colours,
        vmin=scale.least,
        vmax=scale.most,
    )


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_whole(path, picture.getvalue())
