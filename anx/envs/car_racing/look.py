"""What an agent gets to see of a simulator's pictures."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from anx.envs.vector import Pixels

SIZE = 96  # side of an observation, pixels
INDICATORS = 12  # rows at the bottom that show speed, steering and brakes
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # of backgrounds; Pillow's others may start programs
BACKGROUNDS = Path(__file__).parent / "backgrounds"


class Look:
    """What an agent gets to see of a simulator's pictures.

    Args:
        frames: S, stacked.
        colour: RGB, [3 S, 96, 96]; else gray without the indicators, [S, 96, 96].
        background: picture in the place of the grass.
    """

    def __init__(self, frames: int, colour: bool, background: Image.Image | None) -> None:
        self.frames = frames
        self.colour = colour
        self._picture = background
        self.background = None if background is None else fit(background, SIZE, SIZE)

    def frame(self, pictures: Pixels) -> Pixels:
        """Pictures [B, 96, 96, 3] -> one frame each, [B, 1 or 3, 96, 96]."""
        if self.background is not None:
            pictures = replace_grass(pictures, self.background)
        if self.colour:
            return pictures.transpose(0, 3, 1, 2)
        # ITU-R BT.601 in 14 bits, the rounding of the usual conversion
        gray = (pictures @ np.array([4899, 9617, 1868], np.uint32) + 8192) >> 14
        gray[:, -INDICATORS:] = 0
        return gray[:, None].astype(np.uint8)

    def picture(self, picture: Pixels) -> Pixels:
        """What a person sees [height, width, 3] -> the same, with the background."""
        if self._picture is None:
            return picture
        return replace_grass(picture, fit(self._picture, *picture.shape[1::-1]))


def replace_grass(pictures: Pixels, background: Pixels) -> Pixels:
    """Pictures [..., height, width, 3] with the two greens of the grass replaced by a background [height, width, 3]."""
    red, green, blue = np.moveaxis(pictures, -1, 0)
    lighter = green - red
    # (102, 204, 102) and (102, 230, 102); gymnasium draws both two levels darker
    grass = ((red == 102) | (red == 100)) & (blue == red) & ((lighter == 102) | (lighter == 128))
    return np.where(grass[..., None], background, pictures)


def fit(picture: Image.Image, width: int, height: int) -> Pixels:
    """A picture as pixels [height, width, 3]."""
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def shipped_backgrounds() -> tuple[str, ...]:
    """The names of the pictures that come along."""
    return tuple(sorted(path.stem for path in BACKGROUNDS.glob("*.png")))


def read_picture(background: str) -> Image.Image:
    """A picture file, or one that comes along, by its name."""
    shipped = shipped_backgrounds()
    path = BACKGROUNDS / f"{background}.png" if background in shipped else Path(background)
    try:
        if not path.is_file():  # a pipe would be waited for
            raise FileNotFoundError(path)
        return Image.open(path, formats=FORMATS).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        raise ValueError(f"background={background} is neither a picture file nor one of {', '.join(shipped)}") from None
