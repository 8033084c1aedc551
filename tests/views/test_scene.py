import math

import numpy as np
import pytest
import torch

from anx.agent.splitter import PatchSplitter
from anx.rollout.trace import Moment
from anx.views.heat import in_true_order
from anx.views.patches import BACKGROUND, EMPTY, mosaic, mosaic_grid, on_picture
from anx.views.scene import HEIGHT, WIDE, WIDTH, PatchScene, ScalarScene


def make_moment(observation, inputs, origins, attention, picture=None):
    fields = dict.fromkeys(Moment._fields, torch.zeros(1))
    fields |= {"observation": observation, "inputs": inputs, "origins": origins, "attention": attention}
    return Moment(**{**fields, "reward": torch.tensor(0.5), "picture": picture})


def patches(attended=5, origins=None, queries=2, **options):
    """A splitter of 6x8 frames into 3x4 patches, and a moment: they come rolled by two, one of them is attended to."""
    generator = torch.Generator().manual_seed(0)
    frames = 3 if options.get("colours_last") else 4
    observation = torch.randint(0, 256, (frames, 6, 8), dtype=torch.uint8, generator=generator)
    splitter = PatchSplitter((frames, 6, 8), patch_size=2, **options)
    origins = torch.arange(splitter.num_inputs).roll(-2) if origins is None else torch.tensor(origins)
    attention = torch.zeros(len(origins), queries)
    attention[attended] = 1.0
    picture = np.full((30, 60, 3), 200, np.uint8)
    return splitter, make_moment(observation, splitter(observation)[origins], origins, attention, picture)


def scalars(origins, attention):
    origins, attention = torch.tensor(origins), torch.tensor(attention)
    picture = np.full((30, 60, 3), 200, np.uint8)
    return make_moment(torch.zeros(4), torch.ones(len(origins), 1), origins, attention, picture)


def test_without_attention_no_patch_is_highlighted():
    splitter, moment = patches(queries=0)
    scene = PatchScene(splitter, "pong")
    scene.see(moment)
    assert scene.frame().shape == (HEIGHT, WIDTH, 3)
    assert (on_picture(moment, splitter) == 200).all()
    _, attended = patches(queries=2)
    assert (mosaic(moment, splitter, 40, 30) != mosaic(attended, splitter, 40, 30)).any()


def test_the_most_attended_patch_is_highlighted_where_it_is_on_a_picture_of_another_size():
    """Input 5 is patch 7: row 1, column 3; a pixel of the frame is 5x7.5 of the picture."""
    splitter, moment = patches()
    changed = (on_picture(moment, splitter) != 200).any(-1)
    expected = np.zeros((30, 60), bool)
    expected[10:20, 45:60] = True
    assert (changed == expected).all()


def test_overlapping_patches_are_highlighted_where_they_are():
    """With a stride of 1 there are 5x7 patches and the four most attended ones are numbers 8, 9, 10 and 11."""
    splitter, moment = patches(attended=slice(6, 10), stride=1)
    changed = (on_picture(moment, splitter) != 200).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows[0], rows[-1]) == (5, 14)  # frame rows 1 and 2
    assert (columns[0], columns[-1]) == (8, 44)  # frame columns 1 to 5, from 7.5 to 45


@pytest.mark.parametrize("colours_last", [False, True])
def test_the_mosaic_shows_the_newest_patches_in_the_agents_order(colours_last):
    """Cells are 9 pixels: 8 of a patch, 4 for each of its own, and a gap."""
    splitter, moment = patches(colours_last=colours_last)
    drawn = mosaic(moment, splitter, 40, 27)
    assert drawn.shape == (27, 36, 3)
    for place, origin in enumerate(moment.origins.tolist()):
        top, left = np.array(divmod(place, 4)) * 9
        y, x = np.array(divmod(origin, 4)) * 2
        shown = moment.observation if colours_last else moment.observation[-1:].expand(3, -1, -1)
        patch = shown[:, y : y + 2, x : x + 2].permute(1, 2, 0).numpy().repeat(4, 0).repeat(4, 1)
        tile = drawn[top : top + 8, left : left + 8]
        assert (tile == patch).all() == (place != 5)  # 5 is highlighted
        assert (drawn[top + 8, left : left + 9] == BACKGROUND).all()


def test_noise_is_highlighted_in_the_mosaic_only():
    splitter, moment = patches(attended=1, origins=[3, -1, 2])
    _, other = patches(attended=0, origins=[3, -1, 2])
    assert (on_picture(moment, splitter) == 200).all()
    differs = (mosaic(moment, splitter, 40, 30) != mosaic(other, splitter, 40, 30)).any(-1)
    assert differs[:9, 10:19].all()  # cells are 10 pixels


def test_places_without_an_input_are_dark():
    splitter, moment = patches(attended=1, origins=[3, 1, 2])
    drawn = mosaic(moment, splitter, 40, 30)
    assert drawn.shape == (30, 40, 3)  # the frame's grid, though nine of the twelve patches are missing
    assert (drawn[:9, 30:39] == EMPTY).all()
    assert (drawn[20:29, :9] == EMPTY).all()


@pytest.mark.parametrize(
    ("count", "grid", "expected"),
    [
        (196, (14, 14), (14, 14)),
        (157, (14, 14), (14, 14)),
        (201, (14, 14), (14, 15)),
        (392, (14, 14), (20, 20)),
        (24, (3, 4), (4, 6)),
    ],
)
def test_a_mosaic_keeps_about_the_frames_shape(count, grid, expected):
    assert mosaic_grid(count, grid) == expected


def test_attention_is_brought_into_true_order_with_noise_at_the_end():
    """Input 1 comes twice, 2 is missing, noise comes at places 1 and 4."""
    moment = scalars([3, -1, 1, 0, -1, 1], [[0.5, 0.1], [0.2, 0.2], [-1.0, -0.6], [0.0, 0.4], [0.7, 0.7], [0.2, 0.6]])
    ordered = in_true_order(moment, 4)
    np.testing.assert_allclose(ordered, [0.2, -0.2, math.nan, 0.3, 0.2, 0.7], atol=1e-6)


def test_the_heat_maps_rows_are_in_true_order_and_the_newest_step_is_at_the_right():
    """Of four scalars, which come as 2, 0, 3, 1, the agent attends to number 3, and negatively to number 0."""
    scene = ScalarScene(4, ("a", "b", "c", "d"), "robot")
    scene.see(scalars([2, 0, 3, 1], [[0.0], [0.0], [0.0], [0.0]]))
    scene.see(scalars([2, 0, 3, 1], [[0.0], [-1.0], [1.0], [0.0]]))
    frame = scene.frame().astype(int)
    left, top, _, bottom = WIDE[1]
    middles = top + (bottom - top) // 4 * np.arange(4) + 10
    newest = frame[middles, left + 199]
    assert newest[0, 2] - newest[0, 0] > 50  # blue
    assert newest[3, 0] - newest[3, 2] > 50  # red
    assert (newest[1:3] > 240).all()  # white
    assert (frame[middles, left + 198] > 240).all()
    assert (frame[middles, left + 197] == EMPTY).all()  # before the episode


def test_the_heat_map_scrolls_and_counts_go_on():
    scene = ScalarScene(4, (), "robot")
    for t in range(250):
        scene.see(scalars([0, 1, 2, 3], [[1.0 if t < 100 else 0.0]] * 4))
    assert (scene.step, scene.total) == (250, 125.0)
    left, top, *_ = WIDE[1]
    row = scene.frame()[top + 10, left : left + 200].astype(int)
    assert (row[:50, 1] < 50).all()  # the last fifty of the first hundred
    assert (row[50:] > 240).all()


def test_more_scalars_than_a_panel_has_pixels_are_drawn():
    scene = ScalarScene(1000, (), "robot")
    scene.see(scalars(list(range(1000)), [[1.0]] * 1000))
    assert scene.frame().shape == (HEIGHT, WIDTH, 3)


def test_noise_inputs_may_come_and_go():
    scene = ScalarScene(4, (), "robot")
    for origins in ([0, -1, -1], [0, 1, -1], [3, 2, 1]):
        scene.see(scalars(origins, [[1.0], [1.0], [1.0]]))
        assert scene.frame().shape == (HEIGHT, WIDTH, 3)
