import pytest
import torch
from conftest import make_agent

from anx.population import get_vector, in_order, num_parameters, prepare, set_vector, unflatten, vectorise


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
    with pytest.raises(ValueError, match="7 parameters, this agent has 433"):
        set_vector(agent, torch.zeros(7))


def test_unflattening_reads_parameters_in_the_order_of_the_module():
    agent, _ = make_agent()
    parameters = unflatten(agent, get_vector(agent).unsqueeze(0))
    for name, parameter in agent.named_parameters():
        assert torch.equal(parameters[name][0], parameter)


FIRST = ["neuron.cell.weight_ih", "neuron.cell.weight_hh", "neuron.cell.bias_ih", "neuron.cell.bias_hh"]
LAYOUTS = {
    "cartpole": (*FIRST, "pooler.query.weight", "pooler.key.weight", "head.layer.weight", "head.layer.bias"),
    "car_racing": (
        *(f"pooler.{layer}.{kind}" for layer in ("query", "key", "value") for kind in ("weight", "bias")),
        *(f"policy.{layer}.{kind}" for layer in ("query", "key") for kind in ("weight", "bias")),
        *(each.replace("neuron", "policy") for each in FIRST),
        *("head.layer.weight", "head.layer.bias"),
        *(f"policy.mixing.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")),
    ),
}


@pytest.mark.parametrize(("experiment", "names"), LAYOUTS.items())
def test_a_vector_has_the_authors_order_also_where_that_is_not_the_modules(experiment, names):
    published = ["+ablation=published_layout"] if experiment == "cartpole" else []
    agent, _ = make_agent(f"+experiment={experiment}", *published)
    assert tuple(in_order(agent)) == names
    vector = torch.arange(float(num_parameters(agent))).double()
    set_vector(agent, vector)
    own = dict(agent.named_parameters())
    assert torch.cat([own[name].flatten() for name in names]).tolist() == vector.tolist()
    assert torch.equal(get_vector(agent), vector)
    stacked = unflatten(agent, vector.unsqueeze(0))
    assert all(torch.equal(stacked[name][0], own[name]) for name in names)


def test_what_comes_last_in_a_vector_may_be_named_by_any_module():
    inner = torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1), "ab": torch.nn.Linear(1, 1)})
    inner.last_in_vector = ("a",)
    alone, nested = inner, torch.nn.ModuleList([inner, torch.nn.Linear(1, 1)])
    assert list(in_order(alone)) == ["ab.weight", "ab.bias", "a.weight", "a.bias"]
    assert list(in_order(nested)) == ["0.ab.weight", "0.ab.bias", "1.weight", "1.bias", "0.a.weight", "0.a.bias"]
