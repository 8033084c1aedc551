from pathlib import Path

import pytest
import torch
from conftest import make_agent
from hypothesis import given, settings
from hypothesis import strategies as st

from anx.experiment.config.own_configs import config_folder
from anx.population import num_parameters

EXPERIMENTS = [path.stem for path in (Path(config_folder()) / "experiment").glob("*.yaml")]


def act(agent, episode):
    """The actions [T, A] of an agent that is given inputs [T, N, F]."""
    state, prepared, actions = agent.initial_state(episode.shape[1]), agent.prepare(), []
    with torch.no_grad():
        for inputs in episode:
            action, state = agent(prepared, inputs, state)
            actions.append(action)
    return torch.stack(actions)


INVARIANT = [f"+experiment={experiment}" for experiment in EXPERIMENTS]
INVARIANT += [f"+ablation={name}" for name in ("no_memory", "mean_pooling", "learned_queries")]


@pytest.mark.parametrize("chosen", INVARIANT)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_permuting_the_inputs_of_an_episode_leaves_every_action_as_it_was(chosen, seed):
    agent, _ = make_agent(chosen, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    count, features = agent.splitter.num_inputs, agent.splitter.features
    episode = torch.rand(5, count, features, generator=generator, dtype=torch.float64)
    order = torch.randperm(count, generator=generator)
    assert torch.equal(act(agent, episode[:, order]), act(agent, episode))


def test_a_plain_mlp_fails_the_same_test():
    agent, _ = make_agent("+ablation=fnn")
    episode = torch.rand(5, 5, 1, dtype=torch.float64)
    assert (act(agent, episode.flip(1)) - act(agent, episode)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        (["+experiment=cartpole"], 433),
        (["+experiment=ant"], 1977),
        (["+experiment=pong"], 13480),
        (["+experiment=car_racing"], 7212),
        (["+experiment=ant", "+ablation=fnn"], 2248),
        (["+experiment=car_racing", "+ablation=attention_agent"], 3667),
        (["+experiment=cartpole", "+ablation=fnn"], 5 * 32 + 32 + 32 * 32 + 32 + 32 + 1),
    ],
    ids=str,
)
def test_agents_have_the_number_of_parameters_that_their_papers_and_configs_state(overrides, size):
    assert num_parameters(make_agent(*overrides)[0]) == size


def test_the_previous_action_is_zero_at_first_and_then_the_last_one():
    agent, _ = make_agent()
    state = agent.initial_state(5)
    assert state.previous_action.tolist() == [0]
    action, state = agent(agent.prepare(), torch.rand(5, 1).double(), state)
    assert torch.equal(state.previous_action, action)


def test_explain_acts_like_forward():
    agent, _ = make_agent()
    inputs, state = torch.rand(5, 1).double(), agent.initial_state(5)
    thought, explained = agent.explain(agent.prepare(), inputs, state)
    action, after = agent(agent.prepare(), inputs, state)
    assert torch.equal(thought.action, action)
    assert thought.attention.shape == (5, 16)
    assert thought.latent.shape == (16, 1)
    torch.testing.assert_close(explained, after, rtol=0, atol=0)
