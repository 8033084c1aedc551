"""What a browser is told of an agent, and of each step: numbers, and a picture."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from anx.demo.controls import CONTROLS
from anx.demo.stage import Stage
from anx.rollout.trace import Moment, attention_to_inputs
from anx.rollout.world import World
from anx.views.patches import Patches, Pixels, is_coloured, newest_patches, patches_of

SMALL = 200  # pixels; a smaller picture is a game's
MOST_LINES = 20_000  # weights from inputs to queries that are sent one by one


class Tally(NamedTuple):
    """What an episode has come to."""

    seed: int
    step: int
    total: float  # the return so far
    over: str | None  # why it is, if it is


def describe(stage: Stage, world: World) -> dict[str, object]:
    """All that stays as it is while an agent plays."""
    spec, agent = stage.rollout.env.spec, stage.agent
    scalars = len(spec.observation_shape) == 1
    return {
        "name": stage.name,
        "weights": None if stage.weights is None else Path(stage.weights).name,
        "parameters": sum(parameter.numel() for parameter in agent.parameters()),
        "inputs": list(spec.inputs) or [str(place) for place in range(agent.splitter.num_inputs)],
        "patches": None if scalars else describe_patches(patches_of(stage.rollout), spec.observation_shape),
        "actuators": list(spec.actuators),
        "discrete": spec.discrete,
        "one_sided": list(world.one_sided),
        "latent": list(agent.pooler.latent_shape),
        "fps": spec.fps,
        "max_steps": spec.max_steps,
        "pictures": stage.rollout.env.has_pictures,
        "backgrounds": list(stage.rollout.env.backgrounds),
        "gain": getattr(agent.pooler, "gain", None),
        "fixed_inputs": agent.fixed_inputs,
        "allowed": {name: [each.least, each.most] for name, each in CONTROLS.items()},
    }


def describe_patches(patches: Patches, shape: tuple[int, ...]) -> dict[str, object]:
    """How a frame is cut."""
    return {
        "grid": list(patches.grid),
        "size": patches.patch_size,
        "stride": patches.stride,
        "frame": list(shape[-2:]),
        "coloured": is_coloured(patches),
    }


def pack(
    number: int, moment: Moment, tally: Tally, gain: float | None, patches: Patches | None, drives: Sequence[int] = ()
) -> bytes:
    """A step as one message: the length of a JSON header (4 bytes, little-endian), that header, then its `parts`.

    Args:
        number: of the frame.
        moment: the step, on the CPU.
        tally: of its episode.
        gain: what scales the pooled sum now.
        patches: how frames are cut; None of scalars.
        drives: which actuator each component of the action drives, [A]; -1: none. Empty: each its own.
    """
    attention = attention_to_inputs(moment.attention)
    parts = {"picture": b"" if moment.picture is None else as_image(moment.picture)}
    parts["latent"], scale = as_bytes(moment.latent)
    if patches is None:
        few = moment.attention.numel() <= MOST_LINES
        parts["lines"] = as_bytes(moment.attention, 1.0)[0] if few else b""
    else:
        parts["patches"] = patch_bytes(moment.inputs, patches)
    header = {
        "frame": number,
        "seed": tally.seed,
        "step": tally.step,
        "return": tally.total if math.isfinite(tally.total) else None,
        "over": tally.over,
        "action": numbers(moment.action),
        "drives": list(drives) or list(range(len(moment.action))),
        "inputs": numbers(moment.inputs[:, 0]) if patches is None else [],
        "origins": moment.origins.tolist(),
        "attention": numbers(attention),
        "scale": finite(scale),  # of 127 in `latent`
        "gain": gain,
        "parts": {name: len(part) for name, part in parts.items()},
    }
    return join(header, parts)


def join(header: Mapping[str, object], parts: Mapping[str, bytes]) -> bytes:
    """A header and what it tells the lengths of."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([struct.pack("<I", len(text)), text, *parts.values()])


def numbers(x: Tensor) -> list[float | None]:
    """Numbers to draw; null where there is none."""
    return [finite(each) for each in x.tolist()]


def finite(x: float) -> float | None:
    """A number that JSON can write, to five digits."""
    return float(f"{x:.5g}") if math.isfinite(x) else None


def as_bytes(x: Tensor, scale: float | None = None) -> tuple[bytes, float]:
    """Numbers as signed bytes, row by row, and what 127 stands for: the greatest of them, if that is not given."""
    values = np.nan_to_num(x.float().numpy(), posinf=0.0, neginf=0.0)
    most = float(np.abs(values).max(initial=1e-9)) if scale is None else scale
    return (values / most * 127).clip(-127, 127).round().astype(np.int8).tobytes(), most


def patch_bytes(inputs: Tensor, patches: Patches) -> bytes:
    """The newest frame's patches in the order in which the agent gets them: a byte a pixel, or three of colours."""
    pixels = newest_patches(inputs, patches)  # [N, p, p, 3]
    return (pixels if is_coloured(patches) else np.ascontiguousarray(pixels[..., 0])).tobytes()


def as_image(picture: Pixels) -> bytes:
    """A picture [height, width, 3] as JPEG; a small one, whose pixels are to be seen, as PNG."""
    written, image = BytesIO(), Image.fromarray(picture)
    if max(picture.shape[:2]) < SMALL:
        image.save(written, "PNG", compress_level=1)
    else:
        image.save(written, "JPEG", quality=85)
    return written.getvalue()
