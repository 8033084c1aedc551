import pytest
import torch

from anx.agent.splitter import PatchSplitter, ScalarSplitter, make_splitter


def test_every_scalar_is_an_input_of_one_feature():
    splitter = ScalarSplitter((5,))
    inputs = splitter(torch.arange(5.0))
    assert inputs.tolist() == [[0], [1], [2], [3], [4]]
    assert (splitter.num_inputs, splitter.features) == (5, 1)


def test_patches_are_cut_row_by_row_with_their_frames_in_order():
    frames = torch.randint(0, 256, (4, 12, 18), dtype=torch.uint8)
    splitter = PatchSplitter((4, 12, 18), patch_size=6)
    theirs = [
        frames[:, row : row + 6, column : column + 6].reshape(-1).float() / 255
        for row in range(0, 12, 6)
        for column in range(0, 18, 6)
    ]
    ours = splitter(frames)
    assert torch.equal(ours, torch.stack(theirs))
    assert ours.shape == (splitter.num_inputs, splitter.features)


def test_a_patch_size_that_does_not_divide_the_frame_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"^patch_size=5 .* 12x18 frame; allowed: 1, 2, 3, 6$"):
        PatchSplitter((4, 12, 18), patch_size=5)


@pytest.mark.parametrize(("splitter", "shape"), [(ScalarSplitter, (4, 84, 84)), (PatchSplitter, (5,))])
def test_a_splitter_for_another_kind_of_observation_names_the_right_one(splitter, shape):
    with pytest.raises(ValueError, match="use splitter="):
        splitter(shape)


def test_patches_may_overlap_and_have_their_colours_last():
    frame = torch.randint(0, 256, (3, 12, 16), dtype=torch.uint8)
    splitter = PatchSplitter((3, 12, 16), patch_size=4, stride=2, colours_last=True)
    theirs = [
        frame[:, row : row + 4, column : column + 4].permute(1, 2, 0).reshape(-1).float() / 255
        for row in range(0, 9, 2)
        for column in range(0, 13, 2)
    ]
    assert splitter.grid == (5, 7)
    assert torch.equal(splitter(frame), torch.stack(theirs))


@pytest.mark.parametrize("options", [{"patch_size": 4, "stride": 0}, {"patch_size": 13, "stride": 1}], ids=str)
def test_a_stride_or_patch_that_does_not_fit_is_refused_by_name(options):
    with pytest.raises(ValueError, match=r"^stride=\d must be .* patch_size=\d+ fit into the 12x18"):
        PatchSplitter((4, 12, 18), **options)


def test_scalars_or_frames_choose_the_splitter():
    assert isinstance(make_splitter((5,)), ScalarSplitter)
    for (height, width), size in {(84, 84): 7, (96, 96): 8, (210, 160): 5, (9, 9): 3, (64, 64): 8, (36, 60): 6}.items():
        splitter = make_splitter((4, height, width))
        assert isinstance(splitter, PatchSplitter)
        assert splitter.patch_size == size
    assert make_splitter((3, 50, 62), stride=4, colours_last=True).patch_size == 6
    assert make_splitter((3, 84, 84), 12).num_inputs == 49


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"observation_shape": (1, 22, 11)}, r"^patch_size=null: .* 3 to 8 .* 22x11 frame; allowed: 1, 11, or any"),
        ({"observation_shape": (1, 84, 84), "patch_size": 5}, r"^patch_size=5 does not divide"),
        ({"observation_shape": (5,), "patch_size": 6}, r"^patch_size=6 is for frames"),
        ({"observation_shape": (5,), "stride": 2}, r"^stride=2 is for frames"),
        ({"observation_shape": (5, 4)}, "takes frames"),
    ],
    ids=str,
)
def test_what_no_splitter_can_do_is_said(arguments, says):
    with pytest.raises(ValueError, match=says):
        make_splitter(**arguments)
