import pytest
import torch
from conftest import make_agent

from anx.agent.splitter import PatchSplitter
from anx.perturb.inputs import Noise, Shuffle
from anx.population import get_vector
from anx.rollout.device import DeviceRollout
from anx.rollout.trace import QUERIES, Trace, evenly_spaced
from anx.views.figures import attention_by_query, attention_on_frames, attention_over_time
from anx.views.figures.attention import in_environments_order


def make_trace(observations, origins, attention):
    blank = torch.zeros(1, 1)
    return Trace(torch.tensor([0]), observations, origins, attention, blank, blank, blank[0])


def patches(splitter, attended, origins):
    """A trace of one step whose input at the place `attended` gets all the attention."""
    attention = torch.zeros(1, len(origins))
    attention[0, attended] = 1.0
    frames = torch.zeros(1, splitter.frames, 6, 8)
    return make_trace(frames, origins.unsqueeze(0), attention)


def outlines(figure):
    return [(*each.get_xy(), each.get_width(), each.get_height()) for each in figure.axes[0].patches]


def test_attention_is_drawn_by_the_inputs_names_whatever_their_order():
    agent, env = make_agent()
    trace = DeviceRollout(agent, env).trace(get_vector(agent), 0, [Shuffle(), Noise(2)])
    heat = attention_over_time(trace, env.spec.inputs).axes[0]
    assert [label.get_text() for label in heat.get_yticklabels()] == list(env.spec.inputs)
    drawn = heat.images[0].get_array()
    for t in (0, 9):
        for place, origin in enumerate(trace.origins[t].tolist()):
            if origin >= 0:
                assert drawn[origin, t] == trace.attention[t, place].item()


def test_each_query_has_a_panel_in_the_environments_order():
    agent, env = make_agent("pooler.num_queries=6")
    trace = DeviceRollout(agent, env).trace(get_vector(agent), 0, [Shuffle()])
    figure = attention_by_query(trace, env.spec.inputs)
    panels = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in panels] == [f"query {i}" for i in range(6)]
    for t in (0, 9):
        for query, axis in enumerate(panels):
            drawn = axis.images[0].get_array()[:, t]
            assert drawn[trace.origins[t]].tolist() == trace.attention_by_query[t, :, query].tolist()


def test_a_trace_keeps_evenly_spaced_ones_of_many_queries_and_the_mean_of_all():
    agent, env = make_agent("pooler.num_queries=31")
    vector, rollout = get_vector(agent), DeviceRollout(agent, env)
    trace, moment = rollout.trace(vector, 0), next(rollout.watch(vector, 0))
    assert trace.attention_by_query.shape[1:] == (5, QUERIES)
    assert torch.equal(trace.attention_by_query[0], moment.attention[:, ::2])
    assert torch.equal(trace.attention[0], moment.attention.mean(1))
    figure = attention_by_query(trace, env.spec.inputs)
    assert "16 of the 31 queries, evenly spaced" in figure.get_suptitle()
    assert [axis.get_title() for axis in figure.axes[:QUERIES]] == [f"query {i}" for i in range(0, 31, 2)]


def test_attention_to_copies_adds_up_and_to_noise_is_left_out():
    weights = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0]])
    origins = torch.tensor([[2, -1, 0, 2, 1]])
    assert in_environments_order(weights, origins, 3).tolist() == [[4.0, 16.0, 9.0]]


@pytest.mark.parametrize(("count", "most", "expected"), [(0, 4, []), (3, 4, [0, 1, 2]), (9, 3, [0, 4, 8])])
def test_evenly_spaced_numbers_have_the_first_and_the_last(count, most, expected):
    assert evenly_spaced(count, most).tolist() == expected


def test_the_most_attended_patches_are_outlined_where_they_are():
    """Patch 7 of a 3x4 grid of 2x2 patches gets all the attention, and comes as input 5."""
    splitter = PatchSplitter((4, 6, 8), patch_size=2)
    trace = patches(splitter, 5, torch.arange(12).roll(-2))
    assert outlines(attention_on_frames(trace, splitter)) == [(3 * 2 - 0.5, 1 * 2 - 0.5, 2, 2)]


def test_patches_that_overlap_in_a_frame_of_colours_are_outlined_where_they_are():
    """Patch 9 of a 3x5 grid of 4x4 patches, one every pixel, is in row 1, column 4."""
    splitter = PatchSplitter((3, 6, 8), patch_size=4, stride=1, colours_last=True)
    trace = patches(splitter, 9, torch.arange(15))
    trace.observations[0, 1] = 255
    figure = attention_on_frames(trace, splitter)
    assert (3.5, 0.5, 4, 4) in outlines(figure)
    assert figure.axes[0].images[0].get_array()[0, 0].tolist() == [0, 255, 0]


def test_noise_among_the_patches_is_not_outlined():
    splitter = PatchSplitter((4, 6, 8), patch_size=2)
    assert outlines(attention_on_frames(patches(splitter, 12, torch.tensor([*range(12), -1])), splitter)) == []
