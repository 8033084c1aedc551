import pytest
import torch
from conftest import make_agent

from anx.perturb.inputs import Shuffle
from anx.population import get_vector
from anx.rollout.base import Rollout
from anx.rollout.device import DeviceRollout
from anx.rollout.trace import STEPS, Moment
from anx.views.figures import attention_by_query, attention_over_time, latent_figure


class Film(Rollout):
    """An agent before random frames, or scalars, for so many steps."""

    def __init__(self, agent, shape, steps):
        self.agent, self.shape, self.steps = agent, shape, steps

    def __call__(self, *arguments, **options):
        raise NotImplementedError

    @torch.no_grad()
    def watch(self, vector, seed, perturbations=(), *, pictures=False):
        observation = torch.zeros(self.shape, dtype=torch.uint8 if len(self.shape) == 3 else torch.float64)
        inputs = self.agent.splitter(observation).double()
        thought, _ = self.agent.explain(self.agent.prepare(), inputs, self.agent.initial_state(len(inputs)))
        for step in range(self.steps):
            reward = torch.tensor(float(step), dtype=torch.float64)
            yield Moment(observation, inputs, torch.arange(len(inputs)), *thought, reward, None)


def size(trace):
    return sum(tensor.numel() * tensor.element_size() for tensor in trace)


@pytest.mark.parametrize("steps", [1, 7, 8, 9, 16, 17, 100])
def test_a_trace_keeps_evenly_spaced_steps_and_every_reward(steps, monkeypatch):
    monkeypatch.setattr("anx.rollout.trace.STEPS", 8)
    agent, _ = make_agent()
    trace = Film(agent, (5,), steps).trace(get_vector(agent), 0)
    assert trace.rewards.tolist() == list(range(steps))
    kept = trace.steps.tolist()
    assert kept == list(range(0, steps, 1 if len(kept) == 1 else kept[1]))
    assert min(steps, 5) <= len(kept) <= 8
    assert all(len(tensor) == len(kept) for tensor in trace[:-1])


@pytest.mark.parametrize("experiment", ["ant", "pong", "car_racing"])
def test_a_kept_step_holds_what_figures_show_and_no_more(experiment):
    agent, env = make_agent(f"+experiment={experiment}")
    film = Film(agent, env.spec.observation_shape, 3)
    trace = film.trace(get_vector(agent), 0)
    (moment, *_) = film.watch(None, 0)
    observation = moment.observation.numel() * moment.observation.element_size()
    inputs, (queries, values) = len(moment.inputs), moment.latent.shape
    shown = min(queries, 16) if trace.scalars else 0
    assert size(trace) / 3 == 8 * (2 + inputs * (2 + shown) + queries * values) + observation
    assert STEPS * size(trace) / 3 < 400e6  # bytes: the longest episode of the largest agent


def test_the_figures_of_a_long_episode_show_the_steps_that_are_kept(monkeypatch):
    monkeypatch.setattr("anx.rollout.trace.STEPS", 16)
    agent, env = make_agent("env.max_steps=100")
    rollout, vector = DeviceRollout(agent, env), get_vector(agent)
    plain, shuffled = rollout.trace(vector, 2), rollout.trace(vector, 2, [Shuffle()])
    steps = len(plain.rewards)
    assert steps > 16
    shorter = plain._replace(  # another stride
        steps=plain.steps[::2], latents=plain.latents[::2] + 1.0, rewards=plain.rewards[: steps // 2]
    )
    difference = latent_figure(plain, shorter).axes[2].lines[0]
    assert difference.get_xdata().tolist() == plain.steps[::2].tolist()
    assert difference.get_ydata() == pytest.approx([1.0] * len(plain.steps[::2]), abs=1e-12)
    for figure in (attention_over_time(shuffled, ()), attention_by_query(shuffled, env.spec.inputs)):
        image = figure.axes[0].images[0]
        assert image.get_array().shape == (5, len(shuffled.steps))
        assert image.get_extent()[:2] == [0, len(shuffled.rewards)]
