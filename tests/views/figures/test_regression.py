import pytest
import torch

from anx.rollout.trace import Trace
from anx.views.figures import regress, regression_figure

NAMES = ("linear", "noise", "constant")


def make_traces(count, steps=200):
    """Episodes whose first input is a linear function of the latent code [3, 2], the second one noise, the third 1."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0, -1.0])
    traces = []
    for _ in range(count):
        latents = torch.randn(steps, 3, 2, generator=generator)
        noise = torch.randn(steps, generator=generator)
        observations = torch.stack([latents.flatten(1) @ weights + 4, noise, torch.ones(steps)], dim=1)
        blank = torch.zeros(steps, 3)
        traces.append(Trace(torch.arange(steps), observations, blank, blank, blank, latents, blank[:, 0]))
    return traces


def test_a_linear_input_is_explained_noise_is_not_and_a_constant_has_no_r2():
    traces = make_traces(6)
    regression = regress(traces[:2], traces[2:], NAMES)
    assert regression.r2["linear"] == pytest.approx(1, abs=1e-9)
    assert regression.r2["noise"] == pytest.approx(0, abs=0.05)
    assert regression.r2["constant"] is None
    assert regression.held_out == (2, 400)
    assert regression.fitted == (4, 800)


def test_r2_is_of_episodes_that_were_not_fitted():
    """Six coefficients fit six steps of noise exactly, and say nothing of others."""
    held_out, fitted = make_traces(2, steps=7)
    assert regress([fitted], [fitted], NAMES).r2["noise"] == pytest.approx(1, abs=1e-9)
    assert regress([held_out], [fitted], NAMES).r2["noise"] < 0


def test_the_first_held_out_episode_is_drawn_with_its_prediction():
    traces = make_traces(4)
    regression = regress(traces[:2], traces[2:], NAMES)
    figure = regression_figure(regression)
    assert [axis.get_title().split()[0] for axis in figure.axes] == list(NAMES)
    assert "R² 1.00" in figure.axes[0].get_title()
    true, predicted = figure.axes[0].lines
    assert true.get_ydata() == pytest.approx(traces[0].observations[:, 0].numpy(), abs=1e-6)
    assert predicted.get_ydata() == pytest.approx(true.get_ydata(), abs=1e-4)
