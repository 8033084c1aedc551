import torch
from conftest import make_agent

from anx.agent.still import divided, in_two, merged, merges
from anx.population import num_parameters, prepare, unflatten, vectorise

APART = 16


def frames_with(moving, count=196):
    """Inputs [N, 4 * 36] of which the first `moving` move."""
    generator = torch.Generator().manual_seed(moving)
    still = torch.rand(count, 1, 36, generator=generator, dtype=torch.float64).expand(-1, 4, -1).clone()
    still[:moving] = torch.rand(moving, 4, 36, generator=generator, dtype=torch.float64)
    return still[torch.randperm(count, generator=generator)].flatten(1)


def test_rows_are_those_of_all_that_moves_and_end_with_one_that_is_still():
    still = torch.ones(2, 40, dtype=torch.bool)
    still[0, [3, 30, 39]] = False
    still[1, : APART + 1] = False
    rows, few = divided(still, APART)
    assert rows.shape == (2, APART + 1)
    assert rows[0, :3].tolist() == [3, 30, 39]
    assert still[0, rows[0, 3:]].all()
    assert few.tolist() == [True, False]


def test_among_few_inputs_not_all_may_move():
    assert divided(torch.tensor([[False] * 3, [True] + [False] * 2]), APART)[1].tolist() == [False, True]


def test_an_agent_acts_on_merged_inputs_as_on_all_of_them():
    for overrides in (["+experiment=pong", "policy=linear", "pooler.num_queries=25"], ["+experiment=car_racing"]):
        agent, _ = make_agent(*overrides)
        agent.discrete = False
        for moving in (0, 5, APART):
            inputs = frames_with(moving)
            rows, few = agent.neuron.still_inputs.divide(inputs)
            assert few
            state = agent.initial_state(196)._replace(previous_action=torch.randn(agent.action_size).double())
            whole, _ = agent(agent.prepare(), inputs, state)
            fewer, _ = merged(agent, agent.prepare(), inputs, state, rows)
            torch.testing.assert_close(fewer, whole, rtol=0, atol=1e-5)


def test_a_tanh_attention_counts_merged_inputs_as_often_as_they_come():
    agent, _ = make_agent("+experiment=pong", "policy=linear", "pooler.num_queries=25", "pooler.activation=tanh")
    agent.discrete = False
    inputs, state = frames_with(7), agent.initial_state(196)
    whole, _ = agent(agent.prepare(), inputs, state)
    fewer, _ = merged(agent, agent.prepare(), inputs, state, agent.neuron.still_inputs.divide(inputs)[0])
    torch.testing.assert_close(fewer, whole, rtol=0, atol=1e-5)


def test_rows_in_which_too_much_moves_are_not_merged_and_hang_on_no_other_row():
    agent, _ = make_agent("+experiment=pong", "policy=linear", "pooler.num_queries=25")
    agent.discrete = False
    inputs = torch.stack([frames_with(moving) for moving in (3, 90, 4, 196)]).unsqueeze(1)
    population = torch.randn(4, num_parameters(agent), generator=torch.Generator().manual_seed(0)).double()
    named, act, fewer = unflatten(agent, population), vectorise(agent), vectorise(agent, merged)
    state = torch.utils._pytree.tree_map(lambda x: x.expand(4, 1, *x.shape), agent.initial_state(196))
    batch = (named, prepare(agent, named), inputs, state)
    rows, few = agent.neuron.still_inputs.divide(inputs)
    assert few[:, 0].tolist() == [True, False, True, False]
    ours, after = in_two(few[:, 0], act, fewer, batch, rows)
    theirs, _ = act(*batch)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert torch.equal(after.previous_action, ours)
    for row in range(4):
        alone = torch.utils._pytree.tree_map(lambda x: x[row : row + 1], batch)  # noqa: B023
        torch.testing.assert_close(
            in_two(few[row], act, fewer, alone, rows[row : row + 1])[0][0], ours[row], rtol=0, atol=1e-12
        )


def test_agents_without_neurons_that_say_what_is_still_do_not_merge():
    for overrides in (["+experiment=cartpole"], ["+experiment=car_racing", "+ablation=attention_agent"]):
        assert not merges(make_agent(*overrides)[0])
    assert merges(make_agent("+experiment=pong")[0])
