"""A film of one episode: what a person sees beside what the agent gets, and what it attends to."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from anx.envs.base import without_pictures
from anx.files import whole
from anx.internal.pytree import tree_map_only
from anx.perturb.inputs import Perturbation
from anx.population import get_vector
from anx.rollout.base import Moment, attention_to_inputs

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels of a frame

WIDTH, HEIGHT = 960, 512  # of a frame, pixels: multiples of H.264's blocks of 16
CAPTION, TITLES = 18, 46  # height at which these lines of text have their middle
SQUARES = (12, 60, 468, 504), (492, 60, 948, 504)  # two panels of the same size: for patches
WIDE = (12, 60, 412, 492), (536, 60, 948, 492)  # for scalars; their names are left of the right one

MAX_FPS = 50
WINDOW = 200  # steps of the heat map, a pixel each
SHARE = 0.1  # of the inputs highlighted

BACKGROUND, EMPTY = (18, 21, 26), (42, 47, 56)
TEXT, FAINT = (235, 235, 235), (160, 166, 176)
HIGHLIGHT = (255, 128, 0)
COLOURS = matplotlib.colormaps["RdBu_r"]


def film(
    path: Path, rollout: Any, seed: int, perturbations: Sequence[Perturbation], caption: str, *, quality: float = 7
) -> None:
    """The first episode of `seed`, played by the rollout's agent, as an mp4 in real time.

    It plays in the precision of evaluations, and is left as it was. Quality goes from 0 to 10; less makes a smaller
    file.

    An environment says how many steps make a second (`Spec.fps`). Of more than 50, every second one is filmed,
    or every third, ..., and the last.
    """
    if not rollout.env.has_pictures:
        raise without_pictures(f"env={type(rollout.env).__name__}")
    speed = rollout.env.spec.fps
    every = math.ceil(speed / MAX_FPS)
    scene = Scene(rollout.agent.splitter, rollout.env.spec.inputs, caption)
    vector = get_vector(rollout.agent).to(rollout.evaluation_dtype)
    moments = rollout.watch(vector, seed, perturbations, pictures=True)
    with whole(path) as unfinished:
        writer: Any = imageio.get_writer(unfinished, fps=speed / every, codec="libx264", quality=quality)
        with writer:
            for moment in moments:
                scene.see(moment)
                if due := scene.step % every == 0:
                    writer.append_data(scene.frame())
            if not due:
                writer.append_data(scene.frame())
    log.info("written to %s", path)


class Scene:
    """What a film shows of an episode so far.

    Args:
        splitter: that made the inputs.
        names: of the N scalars of an observation; without: their numbers.
        caption: what is filmed.
    """

    def __init__(self, splitter: Any, names: Sequence[str], caption: str) -> None:
        self.splitter = splitter
        self.names = list(names) or [str(i) for i in range(splitter.num_inputs)]
        self.caption = caption
        self.step = 0
        self.total = 0.0
        self.history: deque[NDArray[np.float64]] = deque(maxlen=WINDOW)  # attention to each input, in true order
        self.scale = 1e-6  # the strongest attention so far

    def see(self, moment: Moment) -> None:
        """Take in the next step."""
        self.moment: Moment = tree_map_only(Tensor, Tensor.cpu, moment)
        self.step += 1
        self.total += float(moment.reward)
        if moment.attention.shape[-1]:
            self.history.append(in_true_order(self.moment, self.splitter.num_inputs))
            self.scale = max(self.scale, np.nanmax(np.abs(self.history[-1])))

    def frame(self) -> Pixels:
        """The step seen last and the return up to its reward, [HEIGHT, WIDTH, 3]."""
        image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
        canvas = ImageDraw.Draw(image)
        score = f"step {self.step}   return {self.total:.1f}"
        canvas.text((WIDTH - 12, CAPTION), score, TEXT, font(16), anchor="rm")
        canvas.text((12, CAPTION), self.caption, TEXT, fitting(self.caption, 700), anchor="lm")
        if self.moment.observation.dim() == 1:
            self._draw_scalars(image, canvas)
        else:
            self._draw_patches(image, canvas)
        return np.asarray(image)

    def _draw_patches(self, image: Image.Image, canvas: ImageDraw.ImageDraw) -> None:
        left, right = SQUARES
        attended = f", the {SHARE:.0%} most attended patches highlighted" if self.history else ""
        canvas.text((left[0], TITLES), f"what a person sees{attended}", FAINT, font(12), anchor="lm")
        put(image, on_picture(self.moment, self.splitter), left)
        title = f"what the agent gets: {len(self.moment.inputs)} patches in this order"
        canvas.text((right[0], TITLES), title, FAINT, font(12), anchor="lm")
        put(image, mosaic(self.moment, self.splitter, right[2] - right[0], right[3] - right[1]), right)

    def _draw_scalars(self, image: Image.Image, canvas: ImageDraw.ImageDraw) -> None:
        left, (x, top, _, bottom) = WIDE
        canvas.text((left[0], TITLES), "what a person sees", FAINT, font(12), anchor="lm")
        assert self.moment.picture is not None
        put(image, self.moment.picture, left)
        if self.history:
            canvas.text((x, TITLES), f"attention, the last {WINDOW} steps", FAINT, font(12), anchor="lm")
            rows = max(map(len, self.history))
            cell = max(1, (bottom - top) // rows)
            legend = f"blue {-self.scale:.2f}, white 0, red {self.scale:.2f}"
            canvas.text((x, bottom + 10), legend, FAINT, font(10), anchor="lm")
            image.paste(Image.fromarray(heat_map(self.history, self.scale, cell)), (x, top))
            for row in range(rows):
                name = self.names[row] if row < len(self.names) else "noise"
                label(canvas, x - 6, top + row * cell, cell, name, TEXT, "rm")
        else:
            canvas.text((x, TITLES), "this agent has no attention", FAINT, font(12), anchor="lm")
        self._draw_inputs(canvas, x + WINDOW + 24, top, bottom)

    def _draw_inputs(self, canvas: ImageDraw.ImageDraw, x: int, top: int, bottom: int) -> None:
        """The inputs in the order in which the agent gets them: attention, value and name."""
        canvas.text((x, TITLES), "what the agent gets, in order", FAINT, font(12), anchor="lm")
        cell = max(1, (bottom - top) // len(self.moment.inputs))
        shades = colours(attention_to_inputs(self.moment.attention).numpy(), self.scale)
        for place, origin in enumerate(self.moment.origins.tolist()):
            y = top + place * cell
            if len(shades):
                canvas.rectangle((x, y, x + 11, y + max(0, cell - 2)), tuple(shades[place].tolist()))
            label(canvas, x + 64, y, cell, f"{self.moment.inputs[place, 0]:+.2f}", TEXT, "rm")
            label(canvas, x + 74, y, cell, self.names[origin] if origin >= 0 else "noise", FAINT, "lm")


def most_attended(moment: Moment) -> NDArray[np.int64]:
    """The places of the most attended tenth among the inputs that the agent gets; without attention: none."""
    attention = attention_to_inputs(moment.attention)
    return attention.argsort(descending=True, stable=True)[: max(1, round(SHARE * len(attention)))].numpy()


def on_picture(moment: Moment, splitter: Any) -> Pixels:
    """What a person sees, with the most attended patches highlighted where they are; the picture is the whole of the
    frame [H, W], perhaps in another size."""
    assert moment.picture is not None
    picture = moment.picture.copy()
    scale = np.divide(picture.shape[:2], moment.observation.shape[-2:])
    origins = moment.origins.numpy()[most_attended(moment)]
    inside = np.zeros(picture.shape[:2], dtype=bool)
    for origin in origins[origins >= 0]:  # noise is nowhere on the picture
        corner = np.array(divmod(origin, splitter.grid[1])) * splitter.stride
        top, left = (scale * corner).round().astype(int)
        bottom, right = (scale * (corner + splitter.patch_size)).round().astype(int)
        inside[top:bottom, left:right] = True
    picture[inside] = highlighted(picture[inside])
    return picture


def mosaic(moment: Moment, splitter: Any, width: int, height: int) -> Pixels:
    """The inputs as tiles, row by row in the order in which the agent gets them, the most attended ones highlighted."""
    rows, columns = mosaic_grid(len(moment.inputs), splitter.grid)
    cell = min(width // columns, height // rows)
    tiles = np.full((rows * columns, cell, cell, 3), BACKGROUND, dtype=np.uint8)
    tiles[:, :-1, :-1] = EMPTY
    enlarged = np.arange(cell - 1) * splitter.patch_size // (cell - 1)
    tiles[: len(moment.inputs), :-1, :-1] = newest(moment.inputs, splitter)[:, enlarged][:, :, enlarged]
    most = most_attended(moment)
    tiles[most, :-1, :-1] = highlighted(tiles[most, :-1, :-1])
    return tiles.reshape(rows, columns, cell, cell, 3).swapaxes(1, 2).reshape(rows * cell, columns * cell, 3)


def mosaic_grid(count: int, grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns for so many tiles: the frame's where they fit, else more in about its shape."""
    if count <= grid[0] * grid[1]:
        return grid
    columns = math.ceil(math.sqrt(count * grid[1] / grid[0]))
    return math.ceil(count / columns), columns


def newest(inputs: Tensor, splitter: Any) -> Pixels:
    """Inputs [N, F] of stacked gray frames or of one frame's colours -> the newest frame's patches [N, p, p, 3]."""
    size = splitter.patch_size
    if splitter.colours_last:
        patches = inputs.reshape(len(inputs), size, size, splitter.frames)
    else:
        patches = inputs.reshape(len(inputs), splitter.frames, size, size).movedim(1, -1)
    if not (splitter.colours_last and splitter.frames == 3):
        patches = patches[..., -1:].expand(-1, -1, -1, 3)
    return (patches.clamp(0, 1) * 255).round().numpy().astype(np.uint8)


def highlighted(pixels: Pixels) -> Pixels:
    """Pixels [..., 3], tinted."""
    return (pixels // 2 + np.array(HIGHLIGHT) // 2).astype(np.uint8)


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


def heat_map(history: Sequence[NDArray[np.float64]], scale: float, cell: int) -> Pixels:
    """Attention to each input over the last steps, the newest at the right, [rows * cell, WINDOW, 3].

    Occlusion may hit another number of noise inputs each time they are reshuffled: not all steps have all rows.
    """
    attention = np.full((max(map(len, history)), WINDOW), np.nan)
    for column, weights in enumerate(history, start=WINDOW - len(history)):
        attention[: len(weights), column] = weights
    pixels = colours(attention, scale).repeat(cell, axis=0)
    if cell > 4:
        pixels[cell - 1 :: cell] = BACKGROUND
    return pixels


def colours(attention: NDArray[Any], scale: float) -> Pixels:
    """Attention [...] -> [..., 3]: red, blue where negative, the fuller the nearer to the scale; dark where NaN."""
    shades = COLOURS(0.5 + 0.5 * attention / scale, bytes=True)[..., :3]
    return np.where(np.isnan(attention)[..., None], EMPTY, shades).astype(np.uint8)


def put(image: Image.Image, pixels: Pixels, box: Box) -> None:
    """Draw a picture as large as its box allows, in the box's middle."""
    left, top, right, bottom = box
    size = right - left, bottom - top
    small = 2 * max(pixels.shape[:2]) < max(size)  # a game's: its pixels are to be seen
    method = Image.Resampling.NEAREST if small else Image.Resampling.BICUBIC
    fitted = ImageOps.contain(Image.fromarray(pixels), size, method)
    image.paste(fitted, (left + (size[0] - fitted.width) // 2, top + (size[1] - fitted.height) // 2))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """matplotlib brings a font: no machine need have one."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def label(canvas: ImageDraw.ImageDraw, x: int, top: int, height: int, text: str, fill: Colour, anchor: str) -> None:
    """A line of text in the middle of a row, if it is high enough for one."""
    if height > 6:
        canvas.text((x, top + 0.5 * height), text, fill, font(min(height - 2, 12)), anchor=anchor)


def fitting(text: str, width: int) -> ImageFont.FreeTypeFont:
    """The largest font, of readable ones, in which the text is at most so wide."""
    return next((font(size) for size in range(16, 8, -1) if font(size).getlength(text) <= width), font(8))
