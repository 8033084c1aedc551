import numpy as np
import pytest
import torch
from conftest import make_agent
from hypothesis import given, settings
from hypothesis import strategies as st

from anx.interop import load_into, read_weights
from anx.population import num_parameters

EXPERIMENTS = ["cartpole", "pong"]


def act(agent, episode):
    """The actions [T, A] of an agent that is given inputs [T, N, F]."""
    state, prepared, actions = agent.initial_state(episode.shape[1]), agent.prepare(), []
    with torch.no_grad():
        for inputs in episode:
            action, state = agent(prepared, inputs, state)
            actions.append(action)
    return torch.stack(actions)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_permuting_the_inputs_of_an_episode_leaves_every_action_as_it_was(experiment, seed):
    agent, _ = make_agent(f"+experiment={experiment}", seed=seed)
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
        (["+experiment=cartpole"], 913),
        (["+experiment=pong"], 13480),
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


def test_the_authors_agent_acts_as_their_equations_say(reference):
    """Against plain loops over their flat vector, in double precision."""
    vector = np.load(reference("cartpole_pi.npz"))["params"].astype(np.float64)
    agent, _ = make_agent()
    load_into(agent, read_weights(reference("cartpole_pi.npz")), "cartpole_pi.npz")

    sizes = {"w_ih": (32, 2), "w_hh": (32, 8), "b_ih": (32,), "b_hh": (32,), "wq": (32, 8), "wk": (32, 8)}
    sizes |= {"w": (1, 16), "b": (1,)}
    p, start = {}, 0
    for name, shape in sizes.items():
        p[name] = vector[start : start + np.prod(shape)].reshape(shape)
        start += np.prod(shape)
    assert start == len(vector)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    queries = np.zeros((16, 8))
    for row in range(16):
        for column in range(8):
            angle = row / 10000 ** (2 * (column // 2) / 8)
            queries[row, column] = np.sin(angle) if column % 2 == 0 else np.cos(angle)

    episode = np.random.RandomState(0).randn(50, 5)
    hidden, memory, action, theirs = np.zeros((5, 8)), np.zeros((5, 8)), np.zeros(1), []
    for observation in episode:
        for n in range(5):
            x = np.concatenate([observation[n : n + 1], action])
            i, f, g, o = np.split(p["w_ih"] @ x + p["b_ih"] + p["w_hh"] @ hidden[n] + p["b_hh"], 4)
            memory[n] = sigmoid(f) * memory[n] + sigmoid(i) * np.tanh(g)
            hidden[n] = sigmoid(o) * np.tanh(memory[n])
        attention = np.tanh((queries @ p["wq"].T) @ (hidden @ p["wk"].T).T)  # [M, N]
        action = np.tanh(p["w"] @ np.tanh(attention @ observation) + p["b"])
        theirs.append(action)
    ours = act(agent, torch.from_numpy(episode).unsqueeze(-1))
    np.testing.assert_allclose(ours.numpy(), np.stack(theirs), rtol=0, atol=1e-4)  # sums are rounded to 20 bits
