import numpy as np
import pytest
import torch
from matplotlib.offsetbox import AnnotationBbox

from anx.agent.splitter import PatchSplitter
from anx.rollout.trace import Trace
from anx.views.figures import embedding_figure
from anx.views.figures.embedding import around, embed


def clusters(steps):
    """Codes [steps, 8] of which every second one is far from the others."""
    codes = np.random.RandomState(0).randn(steps, 8).astype(np.float32)
    codes[::2] += 50
    return codes


def test_codes_that_are_alike_lie_together_the_same_way_every_time():
    points = embed(clusters(80), seed=3)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-9)
    even, odd = points[::2], points[1::2]
    apart = np.linalg.norm(even.mean(0) - odd.mean(0))
    assert apart > 2 * max(even.std(), odd.std())
    assert np.array_equal(points, embed(clusters(80), seed=3))


def test_frames_are_drawn_beside_the_points():
    splitter = PatchSplitter((4, 6, 8), patch_size=2)
    frames = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 4, 6, 8)
    blank = torch.zeros(40, 1)
    codes = torch.from_numpy(clusters(40)).view(40, 4, 2)
    axis = embedding_figure(Trace(torch.arange(40), frames, blank, blank, blank, codes, blank[:, 0]), splitter).axes[0]
    boxes = [each for each in axis.get_children() if isinstance(each, AnnotationBbox)]
    drawn = axis.collections[0].get_offsets()
    for box in boxes:
        (step,) = np.unique(box.offsetbox.get_data())
        assert np.array_equal(box.xy, drawn[step])
    assert len(boxes) == 12


def test_frames_around_the_points_keep_their_order_and_their_distance():
    angles = np.array([0.1, 3.0, 0.2, -2.0])
    places = around(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    turned = np.arctan2(places[:, 1], places[:, 0])
    assert np.array_equal(turned.argsort(), angles.argsort())
    assert np.allclose(np.diff(np.sort(turned)), np.pi / 2)
