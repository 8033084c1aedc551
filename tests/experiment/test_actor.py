"""An agent that acts step by step, in whatever loop one writes."""

import gymnasium
import numpy as np
import pytest
import torch

import anx
from anx.envs.registration import ID
from anx.population import num_parameters, set_vector
from anx.rollout.jobs import episode_seeds

SHIPPED = "anx:cartpole"
SHORT = "env.max_steps=60"


def episode(env, agent, seed):
    """The return of one episode."""
    (observation, _), state, over, total = env.reset(seed=seed), None, False, 0.0
    while not over:
        action, state = agent(observation, state)
        assert env.action_space.contains(action)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        over = terminated or truncated
    return total


def test_an_agent_acts_step_by_step_in_a_gymnasium_environment():
    env, agent = gymnasium.make(f"anx.envs.registration:{ID}"), anx.load(SHIPPED)
    assert max(episode(env, agent, seed) for seed in range(4)) > 100  # it swings the pole up


def test_an_agent_that_acts_step_by_step_gets_the_evaluations_return():
    agent = anx.load(SHIPPED, SHORT)
    done = anx.evaluate(agent, episodes=1, seed=2, perturbations=())
    world = agent.rollout.env
    start = world.reset(1, torch.Generator().manual_seed(2))
    now, memory, total = type(start)(*(each[0].double() for each in start)), None, 0.0
    for _ in range(int(done.steps[0])):
        before, (_, memory) = memory, agent(world.observe(now), memory)
        now, reward, _ = world.step(now, agent.explain(world.observe(now), before).action)
        total += reward.item()
    assert total == pytest.approx(done.returns[0].item(), rel=1e-9)  # many at once round otherwise


def test_what_an_agent_makes_of_an_observation_is_explained():
    agent = anx.load(SHIPPED)
    observation = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)
    action, state = agent(observation)
    thought = agent.explain(observation)
    assert thought.attention.shape == (5, 16)
    assert action == pytest.approx(thought.action.numpy())
    again, _ = agent(torch.from_numpy(observation), state)
    assert not np.array_equal(again, action)  # it remembers
    assert np.array_equal(agent(observation)[0], action)  # and begins anew


def test_the_order_of_the_inputs_does_not_matter_to_it():
    agent = anx.load(SHIPPED)
    observation, order = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32), [3, 1, 4, 0, 2]
    assert agent(observation)[0] == pytest.approx(agent(observation[order])[0], abs=1e-6)


def test_an_observation_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4,\); this agent takes \(5,\)"):
        anx.load(SHIPPED)(np.zeros(4))


def test_changed_parameters_act_from_the_next_episode_on():
    agent = anx.load(SHIPPED)
    observation = np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)
    _, state = agent(observation)
    second, _ = agent(observation, state)
    set_vector(agent.module, torch.zeros(num_parameters(agent.module)))
    assert np.array_equal(agent(observation, state)[0], second)
    assert agent(observation)[0] == 0.0


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_in_gymnasiums_own_loop_an_agent_gets_the_return_of_its_evaluation(name):
    agent = anx.make(anx.compose("env=gymnasium", f"env.id={name}", "env.processes=1", "optimizer.popsize=4")).agent
    size = num_parameters(agent.module)
    set_vector(agent.module, torch.from_numpy(np.random.RandomState(0).randn(size).astype(np.float32)))
    done = anx.evaluate(agent, episodes=1, seed=5, perturbations=())
    env = gymnasium.make(name)
    assert episode(env, agent, int(episode_seeds(5, 1)[0])) == pytest.approx(done.returns[0].item(), rel=1e-5)
