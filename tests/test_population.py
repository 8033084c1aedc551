import pytest
import torch
from conftest import make_agent

from anx.population import get_vector, num_parameters, prepare, set_vector, unflatten, vectorise


@pytest.mark.parametrize("experiment", ["cartpole", "pong"])
def test_a_population_acts_as_its_agents_one_by_one(experiment):
    agent, _ = make_agent(f"+experiment={experiment}")
    agent.float()
    candidates, episodes = 3, 2
    population = 0.3 * torch.randn(candidates, num_parameters(agent))
    count, features = agent.splitter.num_inputs, agent.splitter.features
    sequence = torch.rand(4, candidates, episodes, count, features)

    parameters = unflatten(agent, population)
    prepared, act = prepare(agent, parameters), vectorise(agent)
    blank = agent.initial_state(count)
    state = torch.utils._pytree.tree_map(lambda x: x.expand(candidates, episodes, *x.shape), blank)
    together = []
    with torch.no_grad():
        for inputs in sequence:
            action, state = act(parameters, prepared, inputs, state)
            together.append(action)

        for p in range(candidates):
            set_vector(agent, population[p])
            for r in range(episodes):
                own = agent.initial_state(count)
                for t in range(len(sequence)):
                    action, own = agent(agent.prepare(), sequence[t, p, r], own)
                    torch.testing.assert_close(together[t][p, r], action, rtol=0, atol=1e-5)


def test_a_vector_goes_into_an_agent_and_comes_back():
    agent, _ = make_agent()
    vector = torch.randn(num_parameters(agent)).double()
    set_vector(agent, vector)
    assert torch.equal(get_vector(agent), vector)


def test_a_vector_of_another_size_is_refused_with_both_sizes():
    agent, _ = make_agent()
    with pytest.raises(ValueError, match="7 parameters, this agent has 913"):
        set_vector(agent, torch.zeros(7))


def test_unflattening_reads_parameters_in_the_order_of_the_module():
    agent, _ = make_agent()
    parameters = unflatten(agent, get_vector(agent).unsqueeze(0))
    for name, parameter in agent.named_parameters():
        assert torch.equal(parameters[name][0], parameter)
