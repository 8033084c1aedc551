"""What frames of a film are drawn on."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from anx.views.patches import BACKGROUND, Pixels

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels of a frame

TEXT, FAINT = (235, 235, 235), (160, 166, 176)


class Canvas:
    """A frame that is empty at first.

    Args:
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def pixels(self) -> Pixels:
        """What is drawn, [height, width, 3]."""
        return np.asarray(self._image)

    def text(self, x: int, y: int, text: str, fill: Colour, size: int, anchor: str = "lm") -> None:
        """A line of text; `anchor` is the point of it that lies at x and y, as Pillow names them."""
        self._draw.text((x, y), text, fill, font(size), anchor=anchor)

    def label(self, x: int, top: int, height: int, text: str, fill: Colour, anchor: str) -> None:
        """A line of text in the middle of a row, if it is high enough for one."""
        if height > 6:
            self._draw.text((x, top + 0.5 * height), text, fill, font(min(height - 2, 12)), anchor=anchor)

    def rectangle(self, box: Box, fill: Colour) -> None:
        """A full rectangle, with its right and its bottom."""
        self._draw.rectangle(box, fill)

    def paste(self, pixels: Pixels, x: int, y: int) -> None:
        """A picture as it is."""
        self._image.paste(Image.fromarray(pixels), (x, y))

    def put(self, pixels: Pixels, box: Box) -> None:
        """A picture as large as its box allows, in the box's middle."""
        left, top, right, bottom = box
        size = right - left, bottom - top
        small = 2 * max(pixels.shape[:2]) < max(size)  # a game's: its pixels are to be seen
        method = Image.Resampling.NEAREST if small else Image.Resampling.BICUBIC
        fitted = ImageOps.contain(Image.fromarray(pixels), size, method)
        self._image.paste(fitted, (left + (size[0] - fitted.width) // 2, top + (size[1] - fitted.height) // 2))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """matplotlib brings a font: no machine need have one."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def fitting(text: str, width: int) -> int:
    """The size of the largest font, of readable ones, in which the text is at most so wide."""
    return next((size for size in range(16, 8, -1) if font(size).getlength(text) <= width), 8)
