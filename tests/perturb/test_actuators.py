"""What befalls actions on their way to the world; the agent remembers its action as it meant it."""

import numpy as np
import pytest
import torch
from combinations import build
from conftest import compose, make_agent
from gymnasium.spaces import Box, Discrete

from anx.agent.agent import Agent
from anx.envs.spaces import resting, taken
from anx.errors import ConfigError
from anx.experiment.build import build_perturbations
from anx.perturb.actuators import DropActuators, PermuteActuators
from anx.perturb.inputs import Shuffle
from anx.perturb.pipeline import Pipeline
from anx.population import get_vector
from anx.rollout.device import DeviceRollout
from anx.rollout.host import HostRollout

AGENT = ("scalar", "lstm", "attention", "linear", "linear")


class Ordered(PermuteActuators):
    """The same order in each episode."""

    def __init__(self, order: list[int]) -> None:
        self.order = torch.tensor(order)

    def draw(self, step, episodes, num_inputs, features, generator):
        return self.order.expand(episodes, -1) if step == 0 else None


def reached(perturbations, spec, agent, action):
    """What of an action reaches the world in the first episode of seed 0, and which actuators its components drive."""
    pipeline = Pipeline(agent, perturbations, 1, 0)
    pipeline.draw(0)
    drawn = pipeline.at(torch.tensor(0))
    return pipeline.reaching(0, spec)(action, drawn), pipeline.drives(drawn)


def test_an_action_is_permuted_by_one_order_an_episode():
    agent, env = make_agent("+experiment=ant")
    action = torch.arange(1.0, 9.0)
    out, drives = reached([PermuteActuators()], env.spec, agent, action)
    assert sorted(out.tolist()) == action.tolist() != out.tolist()
    assert torch.equal(out[drives], action)
    draw = PermuteActuators().draw(0, 2, 8, 2, torch.Generator().manual_seed(0))
    assert not torch.equal(*draw)
    assert PermuteActuators().draw(1, 2, 8, 2, torch.Generator()) is None


def test_a_share_of_the_actuators_does_nothing_the_same_ones_for_the_episode():
    agent, env = make_agent("+experiment=ant")
    action = torch.arange(1.0, 9.0)
    out, drives = reached([DropActuators(0.5)], env.spec, agent, action)
    assert out.count_nonzero() == 4
    assert drives == [place if out[place] else -1 for place in range(8)]
    more, _ = reached([DropActuators(0.75)], env.spec, agent, action)
    assert set(more.nonzero().flatten().tolist()) < set(out.nonzero().flatten().tolist())
    assert reached([DropActuators(1.0)], env.spec, agent, action)[0].tolist() == [0.0] * 8
    assert DropActuators().draw(1, 1, 8, 2, torch.Generator()) is None


def test_a_dropped_pedal_is_not_pressed_whichever_component_it_obeys():
    agent, env = make_agent("+experiment=car_racing")
    told, drives = reached([PermuteActuators(), DropActuators(1.0)], env.spec, agent, torch.full((3,), 0.9))
    assert told.tolist() == [0.0, -1.0, -1.0]
    assert drives == [-1, -1, -1]
    space = Box(np.array([-1, 0, 0], np.float32), np.ones(3, np.float32))  # of both simulators
    assert (taken(told.numpy(), space) == 0).all()


def play(rollout_class, names, perturbations, **options):
    agent, world = build(names)
    rollout = rollout_class(agent, world, **options)
    return rollout(get_vector(agent).expand(2, -1), 5, 0, perturbations)


@pytest.mark.parametrize(
    ("rollout", "options"), [(DeviceRollout, {}), (HostRollout, {"slots": 3})], ids=["device", "host"]
)
def test_every_rollout_lets_them_at_actions_and_an_identity_changes_no_bit(rollout, options):
    options = {"compile": False, **options}
    plain = play(rollout, AGENT, [], **options)
    assert torch.equal(play(rollout, AGENT, [Ordered([0, 1])], **options).returns, plain.returns)
    other = play(rollout, AGENT, [Ordered([1, 0])], **options)
    nothing = play(rollout, AGENT, [DropActuators(1.0)], **options)
    for changed in (other, nothing):
        assert (changed.returns != plain.returns).all()
    shuffled = play(rollout, AGENT, [Shuffle(), Ordered([1, 0])], **options)
    torch.testing.assert_close(shuffled.returns, other.returns, rtol=0, atol=1e-5)


def test_the_agent_sees_its_own_action_and_its_film_is_what_was_played():
    agent, world = build(AGENT)
    rollout, swap = DeviceRollout(agent, world, compile=False), [Ordered([1, 0])]
    moments = list(rollout.watch(get_vector(agent), 0, swap))
    played = rollout(get_vector(agent).unsqueeze(0), 1, 0, swap).returns
    assert float(sum(moment.reward for moment in moments)) == pytest.approx(float(played), abs=1e-6)
    first = moments[0]
    with torch.inference_mode():
        state = agent.initial_state(agent.splitter.num_inputs)
        action, after = agent(agent.prepare(), first.inputs.double(), state)
    assert torch.equal(first.action, action)
    assert torch.equal(after.previous_action, action)


def told_the_order(agent: Agent, order: list[int]) -> None:
    """A shared head takes an actuator for what it is told that it is: each component is told which one obeys it."""
    drives = torch.tensor(order).argsort()
    agent.actuators = agent.actuators[drives]


@pytest.mark.parametrize(("head", "adapts"), [("shared", True), ("linear", False)])
def test_an_ant_with_a_shared_head_that_is_told_the_order_walks_as_before(head, adapts):
    pytest.importorskip("pybullet")
    order = [3, 0, 7, 1, 6, 2, 5, 4]
    agent, env = make_agent("+experiment=ant", f"head={head}", "+ablation=no_previous_action", "env.max_steps=20")
    rollout = HostRollout(agent, env, slots=1, compile=False)
    vector = get_vector(agent).unsqueeze(0)
    try:
        plain = rollout(vector, 1, 0).returns
        assert torch.equal(rollout(vector, 1, 0, [Ordered(list(range(8)))]).returns, plain)
        permuted = rollout(vector, 1, 0, [Ordered(order)]).returns
        told_the_order(agent, order)
        told = rollout(vector, 1, 0, [Ordered(order)]).returns
    finally:
        rollout.close()
    assert abs(float(permuted - plain)) > 1e-3
    assert (abs(float(told - plain)) < 1e-3) == adapts


def test_what_does_nothing_is_what_an_environment_takes_for_zero():
    space = Box(np.array([-1, 0, 2, -3], np.float32), np.array([1, 1, 4, 1], np.float32))
    assert resting(space) == (0.0, -1.0, -1.0, 0.5)
    assert resting(Discrete(3)) == ()


@pytest.mark.parametrize("name", ["permute_actuators", "drop_actuators"])
@pytest.mark.parametrize(
    ("experiment", "what"), [("cartpole", "one number"), ("pong", "one of 6 buttons")], ids=["cartpole", "pong"]
)
def test_an_action_that_is_not_several_numbers_is_refused_in_a_line(name, experiment, what):
    config = compose(f"+experiment={experiment}", f"perturbations=[{name}]")
    agent, _ = make_agent(f"+experiment={experiment}")
    with pytest.raises(
        ConfigError, match=rf"^perturbations\.{name} takes an action of several numbers; here it is {what}$"
    ):
        build_perturbations(config.perturbations, agent)


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_share_out_of_range_is_refused_by_name(ratio):
    with pytest.raises(ValueError, match=rf"^ratio={ratio} must be from 0 to 1"):
        DropActuators(ratio)
