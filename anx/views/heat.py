"""Attention to scalars, in colours."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from numpy.typing import NDArray

from anx.rollout.trace import Moment, attention_to_inputs
from anx.views.patches import BACKGROUND, EMPTY, Pixels

COLOURS = matplotlib.colormaps["RdBu_r"]


def in_true_order(moment: Moment, count: int) -> NDArray[np.float64]:
    """Attention to each of the splitter's `count` inputs, then to those that noise added; NaN to one that is missing.

    To copies of an input it is their mean: one scale fits them and what the agent gets.
    """
    origins = moment.origins.numpy().copy()
    noise = origins < 0
    origins[noise] = count + np.arange(noise.sum())
    total = np.bincount(origins, attention_to_inputs(moment.attention).numpy(), minlength=count)
    with np.errstate(invalid="ignore"):
        return np.divide(total, np.bincount(origins, minlength=count))


def heat_map(history: Sequence[NDArray[np.float64]], window: int, scale: float, cell: int) -> Pixels:
    """Attention to each input over the last steps, the newest at the right, [rows * cell, window, 3].

    Occlusion may hit another number of noise inputs each time they are reshuffled: not all steps have all rows.
    """
    attention = np.full((max(map(len, history)), window), np.nan)
    for column, weights in enumerate(history, start=window - len(history)):
        attention[: len(weights), column] = weights
    pixels = colours(attention, scale).repeat(cell, axis=0)
    if cell > 4:
        pixels[cell - 1 :: cell] = BACKGROUND
    return pixels


def colours(attention: NDArray[np.floating], scale: float) -> Pixels:
    """Attention [...] -> [..., 3]: red, blue where negative, the fuller the nearer to the scale; dark where NaN."""
    shades = COLOURS(0.5 + 0.5 * attention / scale, bytes=True)[..., :3]
    return np.where(np.isnan(attention)[..., None], EMPTY, shades).astype(np.uint8)
