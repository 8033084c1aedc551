"""Where on a frame an agent's inputs are, and how they look."""

import math
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.rollout.base import Rollout
from anx.rollout.trace import Moment, attention_to_inputs

Pixels = NDArray[np.uint8]  # [..., 3]

MOST_ATTENDED = 0.1  # of the inputs are highlighted
BACKGROUND, EMPTY = (18, 21, 26), (42, 47, 56)
HIGHLIGHT = (255, 128, 0)


class Patches(Protocol):
    """What a splitter says that cuts frames [S, H, W] into square patches, row by row (see `PatchSplitter`)."""

    num_inputs: int
    frames: int  # S
    grid: tuple[int, int]  # rows and columns
    patch_size: int  # pixels
    stride: int  # pixels from one patch to the next
    colours_last: bool  # a patch's features pixel by pixel; else frame by frame


def patches_of(rollout: Rollout) -> Patches:
    """How the agent of a rollout in a world of frames cuts them."""
    return cast(Patches, rollout.agent.splitter)


def is_coloured(patches: Patches) -> bool:
    """Whether the S pictures of an observation are one frame's colours; else they are gray frames, the newest last."""
    return patches.colours_last and patches.frames == 3


def newest_frame(observation: Tensor, patches: Patches) -> Pixels:
    """Stacked gray frames [S, H, W], or the colours of one -> the newest frame [H, W, 3]."""
    frame = observation if is_coloured(patches) else observation[-1:].expand(3, -1, -1)
    return cast(Pixels, frame.movedim(0, -1).to(torch.uint8).numpy())


def newest_patches(inputs: Tensor, patches: Patches) -> Pixels:
    """Inputs [N, F] of stacked gray frames or of one frame's colours -> the newest frame's patches [N, p, p, 3]."""
    size = patches.patch_size
    if patches.colours_last:
        pixels = inputs.reshape(len(inputs), size, size, patches.frames)
    else:
        pixels = inputs.reshape(len(inputs), patches.frames, size, size).movedim(1, -1)
    if not is_coloured(patches):
        pixels = pixels[..., -1:].expand(-1, -1, -1, 3)
    return (pixels.clamp(0, 1) * 255).round().numpy().astype(np.uint8)


def most_attended(attention: Tensor) -> Tensor:
    """Attention [N] -> which of the inputs are the most attended tenth, at least one; of no attention [0]: none."""
    return attention.argsort(descending=True, stable=True)[: max(1, round(MOST_ATTENDED * len(attention)))]


def corner_of(origin: int, patches: Patches) -> NDArray[np.int64]:
    """The top and the left of a patch, pixels of the frame."""
    return np.array(divmod(origin, patches.grid[1])) * patches.stride


def on_picture(moment: Moment, patches: Patches) -> Pixels:
    """What a person sees, with the most attended patches highlighted where they are; the picture is the whole of the
    frame [H, W], perhaps in another size."""
    assert moment.picture is not None
    picture = moment.picture.copy()
    scale = np.divide(picture.shape[:2], moment.observation.shape[-2:])
    origins = moment.origins[most_attended(attention_to_inputs(moment.attention))]
    inside = np.zeros(picture.shape[:2], dtype=bool)
    for origin in origins[origins >= 0].tolist():  # noise is nowhere on the picture
        corner = corner_of(origin, patches)
        top, left = (scale * corner).round().astype(int)
        bottom, right = (scale * (corner + patches.patch_size)).round().astype(int)
        inside[top:bottom, left:right] = True
    picture[inside] = highlighted(picture[inside])
    return picture


def mosaic(moment: Moment, patches: Patches, width: int, height: int) -> Pixels:
    """The inputs as tiles, row by row in the order in which the agent gets them, the most attended ones highlighted."""
    rows, columns = mosaic_grid(len(moment.inputs), patches.grid)
    cell = min(width // columns, height // rows)
    tiles = np.full((rows * columns, cell, cell, 3), BACKGROUND, dtype=np.uint8)
    tiles[:, :-1, :-1] = EMPTY
    enlarged = np.arange(cell - 1) * patches.patch_size // (cell - 1)
    tiles[: len(moment.inputs), :-1, :-1] = newest_patches(moment.inputs, patches)[:, enlarged][:, :, enlarged]
    most = most_attended(attention_to_inputs(moment.attention)).numpy()
    tiles[most, :-1, :-1] = highlighted(tiles[most, :-1, :-1])
    return tiles.reshape(rows, columns, cell, cell, 3).swapaxes(1, 2).reshape(rows * cell, columns * cell, 3)


def mosaic_grid(count: int, grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns for so many tiles: the frame's where they fit, else more in about its shape."""
    if count <= grid[0] * grid[1]:
        return grid
    columns = math.ceil(math.sqrt(count * grid[1] / grid[0]))
    return math.ceil(count / columns), columns


def highlighted(pixels: Pixels) -> Pixels:
    """Pixels [..., 3], tinted."""
    return (pixels // 2 + np.array(HIGHLIGHT) // 2).astype(np.uint8)
