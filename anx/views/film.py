"""A film of one episode."""

import logging
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol, cast

import imageio.v2 as imageio
import imageio_ffmpeg

from anx.envs.base import without_pictures
from anx.files import whole
from anx.perturb.base import Perturbation
from anx.population import get_vector
from anx.progress import advance, shown
from anx.rollout.base import Rollout
from anx.views.patches import Pixels
from anx.views.scene import make_scene

log = logging.getLogger(__name__)

MAX_FPS = 50


def film(
    path: Path, rollout: Rollout, seed: int, perturbations: Sequence[Perturbation], caption: str, *, quality: float = 7
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
    scene = make_scene(rollout, caption)
    vector = get_vector(rollout.agent).to(rollout.evaluation_dtype)
    moments = rollout.watch(vector, seed, perturbations, pictures=True)
    filmed = shown("filming", rollout.env.spec.max_steps)  # at most
    with filmed, whole(path) as unfinished, closing(open_film(unfinished, speed / every, quality)) as writer:
        for moment in moments:
            advance()
            scene.see(moment)
            if due := scene.step % every == 0:
                writer.append_data(scene.frame())
        if not due:
            writer.append_data(scene.frame())
    log.info("written to %s", path)


class Writer(Protocol):
    """What writes a film."""

    def append_data(self, im: Pixels) -> None:
        """The next frame [height, width, 3]."""

    def close(self) -> None:
        """End the film."""


def open_film(path: Path, fps: float, quality: float) -> Writer:
    """A film in H.264, still empty."""
    return cast(Writer, imageio.get_writer(path, fps=fps, codec="libx264", quality=quality))


def why_no_film() -> str | None:
    """Why this machine can write no film: it has no ffmpeg; None where it has one."""
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        return str(error)
    return None
