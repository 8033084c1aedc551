"""The same function without dead weights, and back: in double precision, over an episode."""

import numpy as np
import pytest
import torch
from conftest import make_agent, randomise

from anx.agent.layout import as_published, converted
from anx.agent.pooler import AttentionPooler
from anx.experiment.files.weights import Weights, load_into, read_weights
from anx.population import get_vector, num_parameters

LIVE = ("pooler.message_size=null", "neuron.one_bias=true")
CLOSE = 1e-6  # of actions; 1,000 steps of an LSTM add up rounding


def actions_of(agent, steps=1000):
    """The actions [T, A] of an agent on inputs that wander."""
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(steps, agent.splitter.num_inputs, 1, generator=generator, dtype=torch.float64)
    state, prepared, actions = agent.initial_state(inputs.shape[1]), agent.prepare(), []
    with torch.no_grad():
        for each in inputs:
            action, state = agent(prepared, each, state)
            actions.append(action)
    return torch.stack(actions)


@pytest.mark.parametrize(("experiment", "published", "live"), [("cartpole", 913, 433), ("ant", 2504, 1977)])
def test_dead_weights_can_be_left_out_and_put_back_and_every_action_stays(experiment, published, live):
    theirs, _ = make_agent(f"+experiment={experiment}")
    ours, _ = make_agent(f"+experiment={experiment}", *LIVE)
    assert (num_parameters(theirs), num_parameters(ours)) == (published, live)
    ours.load_state_dict(converted(theirs.state_dict(), ours))
    torch.testing.assert_close(actions_of(ours), actions_of(theirs), rtol=0, atol=CLOSE)
    randomise(ours, seed=1)
    theirs.load_state_dict(converted(ours.state_dict(), theirs))
    torch.testing.assert_close(actions_of(theirs), actions_of(ours), rtol=0, atol=CLOSE)
    assert actions_of(ours).std() > 0.01  # there was something to compare


@pytest.mark.parametrize("activation", ["tanh", "softmax"])
@pytest.mark.parametrize("scale", [False, True])
def test_attention_without_projected_keys_is_that_of_the_one_with_them(activation, scale):
    torch.manual_seed(0)
    options = {"num_queries": 5, "activation": activation, "bias": True, "scale": scale, "value_message_size": 3}
    theirs = AttentionPooler(6, 4, message_size=9, **options).double()
    ours = AttentionPooler(6, 4, message_size=None, **options).double()
    ours.load_state_dict(ours.converted(theirs.state_dict()))
    keys, values = torch.randn(7, 6).double(), torch.randn(7, 4).double()
    for pooler in (ours, theirs):
        pooler.double()
    attention = [pooler.attend(pooler.prepare(), keys) for pooler in (ours, theirs)]
    torch.testing.assert_close(*attention, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours(ours.prepare(), keys, values), theirs(theirs.prepare(), keys, values))


def test_messages_that_are_too_short_for_the_keys_are_refused():
    ours = AttentionPooler(6, 4, message_size=None)
    with pytest.raises(ValueError, match="message_size=5 must be at least 6"):
        AttentionPooler(6, 4, message_size=5).converted(ours.state_dict())


def test_a_published_vector_goes_into_an_agent_without_dead_weights(reference):
    path = reference("cartpole_pi.npz")
    theirs, _ = make_agent("+experiment=cartpole")
    ours, _ = make_agent("+experiment=cartpole", *LIVE)
    for agent in (theirs, ours):
        load_into(agent, read_weights(path), path)
    assert np.prod(get_vector(ours).shape) == 433
    torch.testing.assert_close(actions_of(ours), actions_of(theirs), rtol=0, atol=1e-4)  # of float32


def test_a_file_of_one_layout_starts_an_agent_of_the_other():
    theirs, _ = make_agent("+experiment=cartpole")
    ours, _ = make_agent("+experiment=cartpole", *LIVE)
    load_into(ours, Weights(None, theirs.state_dict(), None), "agent.safetensors")
    torch.testing.assert_close(actions_of(ours), actions_of(theirs), rtol=0, atol=CLOSE)
    assert num_parameters(as_published(ours)) == num_parameters(theirs)
