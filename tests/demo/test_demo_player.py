import pytest
import torch
from combinations import build
from demo_stages import make_stage

from anx.demo.controls import Controls
from anx.demo.player import Player, carried
from anx.demo.stage import Stage
from anx.errors import ConfigError
from anx.perturb.actuators import DropActuators, PermuteActuators
from anx.perturb.inputs import Duplicate, Noise, Shuffle
from anx.rollout.device import DeviceRollout


def play(stage, controls, seed=0, steps=12, then=lambda player: None):
    """What an agent does [steps, A]; `then` happens after half of it."""
    actions = []
    with torch.inference_mode():
        world = stage.open()
        player = Player(stage.agent, stage.vector(), world.spec)
        observation, own = world.reset(seed)
        player.begin(controls, own)
        for step in range(steps):
            if step == steps // 2:
                then(player)
            _, thought = player.think(observation)
            actions.append(thought.action)
            observation, _, _ = world.step(player.reach(thought.action))
    return torch.stack(actions), player


def watched(stage, perturbations, steps=12):
    moments = stage.rollout.watch(stage.vector(), 0, perturbations)
    return torch.stack([moment.action for moment, _ in zip(moments, range(steps), strict=False)])


@pytest.mark.parametrize(
    ("controls", "perturbations"),
    [
        (Controls(), []),
        (Controls(shuffle=True, every=4), [Shuffle(4)]),
        (Controls(channels=3, sigma=0.5, shuffle=True, gain=False), [Noise(3, 0.5), Shuffle()]),
        (Controls(times=2, gain=False), [Duplicate()]),
    ],
)
def test_an_undisturbed_episode_is_the_one_that_is_filmed_to_the_bit(controls, perturbations):
    stage = make_stage()
    assert torch.equal(play(stage, controls)[0], watched(stage, perturbations))


def test_an_episode_that_begins_shuffled_has_the_same_actions():
    stage = make_stage()
    assert torch.equal(play(stage, Controls())[0], play(stage, Controls(shuffle=True))[0])


def test_shuffled_within_an_episode_neurons_hear_other_senses_than_they_remember():
    stage = make_stage()
    plain, _ = play(stage, Controls())
    shuffled, player = play(stage, Controls(), then=lambda player: player.disturb(Controls(shuffle=True)))
    assert torch.equal(plain[:6], shuffled[:6])
    assert not torch.equal(plain[6:], shuffled[6:])
    before = player.origins().tolist()
    orders = set()
    for _ in range(20):
        player.again("shuffle")
        orders.add(tuple(player.origins().tolist()))
    assert len(orders) > 5
    assert sorted(before) == [0, 1, 2, 3, 4]


def test_noise_that_comes_and_goes_leaves_the_others_their_memories():
    stage = make_stage("pooler.activation=softmax")

    def noise_for_no_step(player):
        player.disturb(Controls(channels=3))
        assert player.pipeline.num_inputs == 8
        player.disturb(Controls())

    assert torch.equal(play(stage, Controls())[0], play(stage, Controls(), then=noise_for_no_step)[0])


def test_who_stays_keeps_its_memory_and_who_comes_has_none():
    state = (torch.arange(1.0, 4.0).unsqueeze(1), torch.tensor(7.0))
    blank = (torch.zeros(5, 1), torch.tensor(0.0))
    memory, other = carried(state, blank, torch.tensor([2, 0, -1]), torch.tensor([0, 0, 2, -1, -1]))
    assert memory[:, 0].tolist() == [2, 0, 1, 3, 0]
    assert other == 7  # no neuron's


def test_another_level_of_noise_shuffles_nothing():
    stage = make_stage()
    _, player = play(stage, Controls(channels=4, ratio=0.4, shuffle=True))
    before = player.origins().tolist()
    player.disturb(Controls(channels=4, ratio=0.4, sigma=2.0, shuffle=True))
    assert player.origins().tolist() == before


def test_what_is_pooled_is_scaled_for_more_inputs_and_the_agent_stays_as_it_was():
    stage = make_stage("pooler.gain=0.8")
    gains = []
    for controls in (Controls(times=2), Controls(times=2, gain=False), Controls(ratio=0.4)):
        gains.append(play(stage, controls, steps=1)[1].gain)
    assert gains == [0.4, 0.8, 0.8]
    assert stage.agent.pooler.gain == 0.8


def test_an_agent_that_has_a_place_for_each_input_can_only_be_shuffled():
    stage = make_stage("+ablation=fnn")
    _, player = play(stage, Controls(shuffle=True))
    with pytest.raises(ConfigError, match="takes 5 inputs, not 7: it can be shuffled only"):
        player.disturb(Controls(channels=2))
    player.disturb(Controls())
    assert player.gain is None


def stage_of_two_actuators():
    agent, world = build(("scalar", "lstm", "attention", "linear", "linear"))
    return Stage("test", None, agent, DeviceRollout(agent, world, compile=False))


def test_with_actuators_permuted_and_dropped_an_episode_is_the_one_that_is_filmed_to_the_bit():
    stage = stage_of_two_actuators()
    played, player = play(stage, Controls(shuffle=True, permute=True, dropped=0.5), seed=0, steps=3)
    expected = watched(stage, [Shuffle(), PermuteActuators(), DropActuators(0.5)], steps=3)
    assert torch.equal(played[: len(expected)], expected)
    assert sorted(player.drives()) in ([-1, 0], [-1, 1])


def test_actuators_are_permuted_anew_and_let_be_within_an_episode():
    _, player = play(stage_of_two_actuators(), Controls(permute=True), steps=1)
    neurons = player.state.neuron
    drives = set()
    for _ in range(20):
        player.again("permute_actuators")
        drives.add(tuple(player.drives()))
    assert drives == {(0, 1), (1, 0)}
    player.disturb(Controls())
    assert player.drives() == [0, 1]
    assert all(torch.equal(*each) for each in zip(neurons, player.state.neuron, strict=True))


@pytest.mark.parametrize("controls", [Controls(permute=True), Controls(dropped=0.5)])
def test_one_force_can_not_be_permuted(controls):
    _, player = play(make_stage(), Controls(), steps=1)
    with pytest.raises(ConfigError, match="here an action is not several numbers"):
        player.disturb(controls)
