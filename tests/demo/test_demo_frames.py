import json
import struct
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from anx.agent.splitter import PatchSplitter
from anx.demo.frames import Tally, as_image, pack
from anx.rollout.trace import Moment


def unpack(message):
    """What a browser makes of a frame: its header, and its parts."""
    (length,) = struct.unpack("<I", message[:4])
    header, start, parts = json.loads(message[4 : 4 + length]), 4 + length, {}
    for name, size in header["parts"].items():
        parts[name] = message[start : start + size]
        start += size
    assert start == len(message)
    return SimpleNamespace(**header), parts


def moment(inputs, queries=3, picture=None):
    """A step of an agent that gets `inputs` [N, F]."""
    count = len(inputs)
    attention = torch.linspace(-1, 1, count * queries).reshape(count, queries)
    latent, action = torch.tensor([[0.5], [-2.0], [1.0]]), torch.tensor([0.25])
    nothing = torch.zeros(0)
    return Moment(nothing, inputs, torch.arange(count), attention, latent, action, action, torch.tensor(1.0), picture)


def test_a_step_of_scalars_is_sent_as_it_was():
    picture = np.full((300, 600, 3), 200, np.uint8)
    inputs = torch.tensor([[0.123456], [float("nan")]])
    header, parts = unpack(pack(7, moment(inputs, picture=picture), Tally(3, 5, 2.5, "ended"), 0.5, None))
    assert (header.frame, header.seed, header.step, header.over, header.gain) == (7, 3, 5, "ended", 0.5)
    assert getattr(header, "return") == 2.5
    assert header.inputs == [0.12346, None]
    assert header.origins == [0, 1]
    assert header.action == [0.25]
    assert header.attention == pytest.approx([-0.6, 0.6])
    assert np.frombuffer(parts["latent"], np.int8).tolist() == [32, -127, 64]
    assert header.scale == 2
    assert np.frombuffer(parts["lines"], np.int8).tolist() == [-127, -76, -25, 25, 76, 127]
    assert Image.open(BytesIO(parts["picture"])).format == "JPEG"


@pytest.mark.parametrize(("shape", "coloured"), [((4, 12, 18), False), ((3, 12, 18), True)])
def test_patches_are_sent_in_the_order_in_which_the_agent_gets_them(shape, coloured):
    splitter = PatchSplitter(shape, 6, colours_last=coloured)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8)
    inputs = splitter(frames)[torch.tensor([5, 0, 1, 2, 3, 4])]
    _, parts = unpack(pack(1, moment(inputs), Tally(0, 0, 0.0, None), None, splitter))
    first = np.frombuffer(parts["patches"], np.uint8).reshape(6, 6, 6, -1)[0]
    newest = frames if coloured else frames[-1:]
    assert first.tolist() == newest[:, 6:, 12:].movedim(0, -1).tolist()
    assert parts["picture"] == b""


def test_a_games_picture_keeps_its_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (84, 84, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(as_image(picture)))), picture)
