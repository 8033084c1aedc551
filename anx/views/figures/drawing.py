"""What the figures share."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from anx.files import write_whole


def colour_scale(*values: NDArray[Any]) -> dict[str, Any]:
    """One colour scale for all of `values`, for `imshow`: symmetric about a white 0 where some are negative."""
    most = max(np.abs(each).max() for each in values) or 1.0
    signed = min(each.min() for each in values) < 0
    return {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if signed else {"cmap": "magma", "vmin": 0, "vmax": most}


def newest_frame(observation: Tensor, splitter: Any) -> NDArray[np.uint8]:
    """Stacked gray frames [S, H, W], or the colours of one -> the newest frame [H, W, 3]."""
    coloured = splitter.colours_last and splitter.frames == 3
    frame = observation if coloured else observation[-1:].expand(3, -1, -1)
    return frame.movedim(0, -1).to(torch.uint8).cpu().numpy()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_whole(path, picture.getvalue())
