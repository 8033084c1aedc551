"""What a head makes of the context, actuator by actuator."""

import pytest
import torch
from conftest import make_agent
from hypothesis import given, settings
from hypothesis import strategies as st

from anx.agent.base import ACTUATOR_SIZE
from anx.agent.head import LinearHead, SharedHead
from anx.agent.ops import sinusoidal_table


def most_apart_when_permuted(head, actions, seed):
    """How far the scores of permuted actuators are from the permuted scores."""
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn(5, generator=generator, dtype=torch.float64)
    actuators = sinusoidal_table(actions, ACTUATOR_SIZE).double()
    order = torch.randperm(actions, generator=generator).roll(1)
    with torch.no_grad():
        return float((head(context, actuators[order]) - head(context, actuators)[order]).abs().max())


@settings(max_examples=20, deadline=None)
@given(actions=st.integers(2, 18), seed=st.integers(0, 2**32))
def test_permuting_the_actuators_permutes_the_scores_of_the_shared_head(actions, seed):
    torch.manual_seed(seed)
    assert most_apart_when_permuted(SharedHead(5, actions).double(), actions, seed) <= 1e-12


def test_the_linear_head_fails_the_same_test():
    torch.manual_seed(0)
    assert most_apart_when_permuted(LinearHead(5, 6).double(), 6, 0) > 0.01


def test_the_shared_head_has_as_many_weights_for_many_actuators_as_for_one():
    one, many = (sum(p.numel() for p in SharedHead(5, actions).parameters()) for actions in (1, 18))
    assert one == many == (5 + ACTUATOR_SIZE + 1) * 16 + 17


def test_the_shared_head_tells_actuators_apart():
    torch.manual_seed(0)
    scores = SharedHead(5, 18)(torch.randn(5), sinusoidal_table(18, ACTUATOR_SIZE))
    assert scores.shape == (18,)
    assert len(scores.unique()) == 18


def test_a_shared_head_without_hidden_units_is_refused():
    with pytest.raises(ValueError, match="hidden_size=0 must be at least 1"):
        SharedHead(5, 6, hidden_size=0)


def test_an_agent_turns_scores_into_an_action_once():
    inputs = torch.rand(196, 144, dtype=torch.float64)
    agent, env = make_agent("+experiment=pong", "pooler.num_queries=4")
    thought, _ = agent.explain(agent.prepare(), inputs, agent.initial_state(196))
    assert thought.scores.shape == (env.spec.action_size,)
    assert thought.action.tolist() == [float(each == thought.scores.max()) for each in thought.scores]
    agent.discrete = False
    thought, _ = agent.explain(agent.prepare(), inputs, agent.initial_state(196))
    assert torch.equal(thought.action, thought.scores.tanh())


def test_an_agents_actuators_are_no_weights_and_follow_its_precision():
    agent, env = make_agent("+experiment=ant", "head=shared")
    assert torch.equal(agent.actuators, sinusoidal_table(env.spec.action_size, ACTUATOR_SIZE).double())
    assert "actuators" not in agent.state_dict()
