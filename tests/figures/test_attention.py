import matplotlib.pyplot as plt
import torch
from conftest import make_agent

from anx.envs.perturbations import Noise, Shuffle
from anx.figures import attention_figure, learning_curve
from anx.population import get_vector
from anx.rollout.base import Trace
from anx.rollout.device import DeviceRollout


def test_attention_is_drawn_by_the_inputs_names_whatever_their_order():
    agent, env = make_agent()
    trace = DeviceRollout(agent, env).trace(get_vector(agent), 0, [Shuffle(), Noise(2)])
    figure = attention_figure(trace, env)
    heat = figure.axes[0]
    assert [label.get_text() for label in heat.get_yticklabels()] == list(env.input_names)
    drawn = heat.images[0].get_array()
    for t in (0, 9):
        for place, origin in enumerate(trace.origins[t].tolist()):
            if origin >= 0:
                assert drawn[origin, t] == trace.attention[t, place].item()
    plt.close(figure)


def test_the_most_attended_patches_are_outlined_where_they_are():
    """Patch 7 of a 3x4 grid of 2x2 patches gets all the attention, and comes as input 5."""
    origins = torch.arange(12).roll(-2)
    attention = torch.zeros(1, 12)
    attention[0, 5] = 1.0
    blank = torch.zeros(1, 1)
    trace = Trace(
        torch.zeros(1, 4, 6, 8), torch.zeros(1, 12, 16), origins.unsqueeze(0), attention, blank, blank, blank[0]
    )
    figure = attention_figure(trace, env=None)
    (outline,) = figure.axes[0].patches
    assert (outline.get_x(), outline.get_y()) == (3 * 2 - 0.5, 1 * 2 - 0.5)
    assert (outline.get_width(), outline.get_height()) == (2, 2)
    plt.close(figure)


def test_the_learning_curve_averages_fitness_and_keeps_every_validation(tmp_path):
    lines = ["step,train/fitness_max,train/fitness_mean,validation/plain_mean,validation/shuffled_mean"]
    lines += [f"{t},{2 * t},{t},{'' if t % 2 else t + 0.5},{'' if t % 2 else t - 0.5}" for t in range(8)]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    figure = learning_curve(tmp_path / "metrics.csv", points=4)
    best, candidates, plain, shuffled = (line.get_xydata().tolist() for line in figure.axes[0].lines)
    assert best == [[1.5, 1.0], [3.5, 5.0], [5.5, 9.0], [7.5, 13.0]]
    assert candidates == [[1.5, 0.5], [3.5, 2.5], [5.5, 4.5], [7.5, 6.5]]
    assert plain == [[1, 0.5], [3, 2.5], [5, 4.5], [7, 6.5]]
    assert shuffled == [[1, -0.5], [3, 1.5], [5, 3.5], [7, 5.5]]
    plt.close(figure)


def test_the_learning_curve_of_a_run_without_validation_is_drawn(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,train/fitness_max,train/fitness_mean\n0,2.0,1.0\n")
    figure = learning_curve(tmp_path / "metrics.csv")
    assert [len(line.get_xydata()) for line in figure.axes[0].lines] == [1, 1, 0, 0]
    plt.close(figure)
