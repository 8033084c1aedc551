import pytest
import torch
from conftest import make_agent

from anx.perturb.inputs import Shuffle
from anx.population import get_vector
from anx.rollout.device import DeviceRollout
from anx.views.figures import latent_figure


def traces(*overrides):
    agent, env = make_agent(*overrides, "env.max_steps=100")
    rollout, vector = DeviceRollout(agent, env), get_vector(agent)
    return rollout.trace(vector, 2), rollout.trace(vector, 2, [Shuffle()])


def test_shuffling_leaves_the_latent_code_as_it_is_in_double_precision():
    plain, shuffled = traces()
    assert len(plain.latents) > 20
    assert not torch.equal(plain.origins, shuffled.origins)
    torch.testing.assert_close(shuffled.latents, plain.latents, rtol=0, atol=1e-9)


def test_both_codes_are_drawn_on_one_scale_above_their_difference():
    plain, shuffled = traces("+ablation=fnn")  # shuffling changes its code, and soon how long the episode is
    figure = latent_figure(plain, shuffled)
    first, second, difference = figure.axes[:3]
    for axis, trace in ((first, plain), (second, shuffled)):
        assert axis.images[0].get_array().tolist() == trace.latents.flatten(1).T.tolist()
    assert first.images[0].get_clim() == second.images[0].get_clim()
    common = min(len(plain.latents), len(shuffled.latents))
    largest = (plain.latents[:common] - shuffled.latents[:common]).flatten(1).abs().amax(1)
    assert difference.lines[0].get_ydata() == pytest.approx(largest.numpy(), abs=1e-12)
    assert f"{largest.max():.2g}" in difference.get_title()


def test_a_large_code_is_drawn_in_part_and_compared_as_a_whole():
    plain, _ = traces("pooler.num_queries=200")
    other = plain._replace(latents=plain.latents.clone())
    other.latents[3, 100] += 0.5  # not among the rows drawn
    figure = latent_figure(plain, other)
    first, second, difference = figure.axes[:3]
    assert len(first.images[0].get_array()) == 64
    assert "64 of 200 numbers" in first.get_ylabel()
    assert (first.images[0].get_array() == second.images[0].get_array()).all()
    assert difference.lines[0].get_ydata()[3] == pytest.approx(0.5, abs=1e-12)
