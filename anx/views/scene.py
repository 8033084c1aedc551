"""What a film shows of an episode: what a person sees beside what the agent gets, and what it attends to."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anx.rollout.base import Rollout
from anx.rollout.trace import Moment, attention_to_inputs
from anx.views.canvas import FAINT, TEXT, Canvas, fitting
from anx.views.heat import colours, heat_map, in_true_order
from anx.views.patches import MOST_ATTENDED, Patches, Pixels, mosaic, on_picture, patches_of

WIDTH, HEIGHT = 960, 512  # of a frame, pixels: multiples of H.264's blocks of 16
CAPTION, TITLES = 18, 46  # height at which these lines of text have their middle
SQUARES = (12, 60, 468, 504), (492, 60, 948, 504)  # two panels of the same size: for patches
WIDE = (12, 60, 412, 492), (536, 60, 948, 492)  # for scalars; their names are left of the right one
WINDOW = 200  # steps of the heat map, a pixel each


def make_scene(rollout: Rollout, caption: str) -> "Scene":
    """The scene for what the agent of a rollout gets: scalars, or patches of frames."""
    spec = rollout.env.spec
    if len(spec.observation_shape) == 1:
        return ScalarScene(rollout.agent.splitter.num_inputs, spec.inputs, caption)
    return PatchScene(patches_of(rollout), caption)


class Scene(ABC):
    """What a film shows of an episode so far.

    Args:
        caption: what is filmed.
    """

    def __init__(self, caption: str) -> None:
        self.caption = caption
        self.step = 0
        self.total = 0.0

    def see(self, moment: Moment) -> None:
        """Take in the next step."""
        self.moment = moment
        self.step += 1
        self.total += float(moment.reward)

    def frame(self) -> Pixels:
        """The step seen last and the return up to its reward, [HEIGHT, WIDTH, 3]."""
        canvas = Canvas(WIDTH, HEIGHT)
        canvas.text(WIDTH - 12, CAPTION, f"step {self.step}   return {self.total:.1f}", TEXT, 16, "rm")
        canvas.text(12, CAPTION, self.caption, TEXT, fitting(self.caption, 700))
        self.paint(canvas)
        return canvas.pixels

    @property
    def attends(self) -> bool:
        """Whether the agent has attention."""
        return self.moment.attention.shape[-1] > 0

    @abstractmethod
    def paint(self, canvas: Canvas) -> None:
        """Everything below the caption."""


class PatchScene(Scene):
    """Frames, and the patches of them in the order in which the agent gets them.

    Args:
        patches: how the frames are cut.
        caption: what is filmed.
    """

    def __init__(self, patches: Patches, caption: str) -> None:
        super().__init__(caption)
        self.patches = patches

    def paint(self, canvas: Canvas) -> None:
        left, right = SQUARES
        attended = f", the {MOST_ATTENDED:.0%} most attended patches highlighted" if self.attends else ""
        canvas.text(left[0], TITLES, f"what a person sees{attended}", FAINT, 12)
        canvas.put(on_picture(self.moment, self.patches), left)
        title = f"what the agent gets: {len(self.moment.inputs)} patches in this order"
        canvas.text(right[0], TITLES, title, FAINT, 12)
        canvas.put(mosaic(self.moment, self.patches, right[2] - right[0], right[3] - right[1]), right)


class ScalarScene(Scene):
    """A picture of the world, attention to each scalar over the last steps, and the scalars as the agent gets them.

    Args:
        count: N, scalars of an observation.
        names: of them; without: their numbers.
        caption: what is filmed.
    """

    def __init__(self, count: int, names: Sequence[str], caption: str) -> None:
        super().__init__(caption)
        self.names = list(names) or [str(i) for i in range(count)]
        self.history: deque[NDArray[np.float64]] = deque(maxlen=WINDOW)  # attention to each input, in true order
        self.scale = 1e-6  # the strongest attention so far

    def see(self, moment: Moment) -> None:
        super().see(moment)
        if self.attends:
            self.history.append(in_true_order(self.moment, len(self.names)))
            self.scale = max(self.scale, np.nanmax(np.abs(self.history[-1])))

    def paint(self, canvas: Canvas) -> None:
        left, (x, top, _, bottom) = WIDE
        canvas.text(left[0], TITLES, "what a person sees", FAINT, 12)
        assert self.moment.picture is not None
        canvas.put(self.moment.picture, left)
        if self.attends:
            self._paint_attention(canvas, x, top, bottom)
        else:
            canvas.text(x, TITLES, "this agent has no attention", FAINT, 12)
        self._paint_inputs(canvas, x + WINDOW + 24, top, bottom)

    def _paint_attention(self, canvas: Canvas, x: int, top: int, bottom: int) -> None:
        """The heat map of the last steps."""
        canvas.text(x, TITLES, f"attention, the last {WINDOW} steps", FAINT, 12)
        rows = max(map(len, self.history))
        cell = max(1, (bottom - top) // rows)
        canvas.text(x, bottom + 10, f"blue {-self.scale:.2f}, white 0, red {self.scale:.2f}", FAINT, 10)
        canvas.paste(heat_map(self.history, WINDOW, self.scale, cell), x, top)
        for row in range(rows):
            name = self.names[row] if row < len(self.names) else "noise"
            canvas.label(x - 6, top + row * cell, cell, name, TEXT, "rm")

    def _paint_inputs(self, canvas: Canvas, x: int, top: int, bottom: int) -> None:
        """The inputs in the order in which the agent gets them: attention, value and name."""
        canvas.text(x, TITLES, "what the agent gets, in order", FAINT, 12)
        cell = max(1, (bottom - top) // len(self.moment.inputs))
        shades = colours(attention_to_inputs(self.moment.attention).numpy(), self.scale)
        for place, origin in enumerate(self.moment.origins.tolist()):
            y = top + place * cell
            if len(shades):
                red, green, blue = shades[place].tolist()
                canvas.rectangle((x, y, x + 11, y + max(0, cell - 2)), (red, green, blue))
            canvas.label(x + 64, y, cell, f"{self.moment.inputs[place, 0]:+.2f}", TEXT, "rm")
            canvas.label(x + 74, y, cell, self.names[origin] if origin >= 0 else "noise", FAINT, "lm")
