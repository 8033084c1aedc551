"""What a page computes is what torch computes."""

import base64

import numpy as np
import pytest
import torch
from conftest import compose
from exported import in_node, needs_node, stage_of

from anx.api import load
from anx.demo.stage import Stage
from anx.envs.cartpole import CartPoleState, CartPoleSwingUpHarder
from anx.errors import ConfigError
from anx.population import with_vector
from anx.portable.page import SEEDS, starts
from anx.portable.port import check_portable, in_base64, port

STEPS = 60
# Scores, latent code and the mean attention of each step in which it sees what is given.
THINK = """(() => {
  const own = agent.makeAgent(given.agent);
  let state = own.start(given.seen[0].length);
  return given.seen.map((seen) => {
    const thought = own.think(seen, state);
    state = thought.state;
    return [...thought.scores, ...thought.latent, ...thought.attention.flatMap((row) => [...row])];
  });
})()"""
# The return of an episode from a start, in which controls befall its senses.
PLAY = """given.controls.map((controls) => {
  const own = agent.makeAgent(given.agent), of = new senses.Senses(5, own, controls, 3);
  let world = given.start, total = 0;
  for (let t = 0; t < given.steps; t++) {
    const { state, reward, done } = cartpole.step(world, of.think(cartpole.observe(world)).thought.action[0]);
    world = state;
    total += reward;
    if (done) break;
  }
  return { total, origins: of.origins, gain: of.gain };
})"""
PLAIN = {"ratio": 0, "times": 1, "channels": 0, "sigma": 0.1, "shuffle": False, "every": None, "gain": True}


def shipped():
    actor = load("anx:cartpole")
    return Stage("cartpole", "anx:cartpole", actor.module, actor.rollout), actor.config


def told_of(stage, config):
    return port(with_vector(stage.agent, stage.vector()), config)


def assert_alike(tmp_path, stage, config, tolerance, steps):
    moments = [each for each, _ in zip(stage.rollout.watch(stage.vector(), 0), range(steps), strict=False)]
    seen = [each.observation.tolist() for each in moments]
    ours = in_node(tmp_path, {"agent": told_of(stage, config), "seen": seen}, THINK)
    theirs = [torch.cat([each.scores, each.latent.flatten(), each.attention.flatten()]).tolist() for each in moments]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    assert np.ptp([each[0] for each in ours]) > 1e-3


@needs_node
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["+ablation=[no_previous_action,learned_queries]"],
        ["+ablation=[no_memory,softmax_scalars]"],
        ["+ablation=mean_pooling"],
        ["+ablation=fnn"],
        ["+ablation=published_layout", "pooler.bias=true", "pooler.scale=true"],
        ["pooler.message_size=4", "pooler.bias=true", "policy=mlp"],
    ],
    ids=str,
)
def test_a_page_computes_the_same_step_for_step(tmp_path, overrides):
    stage, config = stage_of(*overrides)
    check_portable(config)
    assert_alike(tmp_path, stage, config, 1e-9, STEPS)


@needs_node
@pytest.mark.slow
def test_the_agent_that_ships_is_the_same_over_a_whole_episode(tmp_path):
    assert_alike(tmp_path, *shipped(), 1e-9, 1000)


@needs_node
def test_the_world_is_the_same_from_any_state(tmp_path):
    env = CartPoleSwingUpHarder()
    generator = torch.Generator().manual_seed(0)
    state = CartPoleState(*(each.double() for each in env.reset(200, generator)))
    action = 3 * torch.rand(200, 1, generator=generator, dtype=torch.float64) - 1.5
    given = {"states": torch.stack(state, -1).tolist(), "actions": action[:, 0].tolist()}
    code = """given.states.map((state, at) => {
      const next = cartpole.step(state, given.actions[at]);
      return [...cartpole.observe(state), ...next.state, next.reward, Number(next.done)];
    })"""
    after, reward, done = env.step(state, action)
    theirs = torch.cat([env.observe(state), torch.stack([*after, reward, done.double()], -1)], -1)
    assert 0 < done.sum() < 200
    np.testing.assert_allclose(in_node(tmp_path, given, code), theirs, rtol=0, atol=1e-12)


@needs_node
def test_shuffled_and_copied_senses_change_no_return_and_reshuffled_ones_do(tmp_path):
    stage, config = shipped()
    changes = [{}, {"shuffle": True}, {"shuffle": True, "times": 2}, {"shuffle": True, "every": 20}]
    given = {"agent": told_of(stage, config), "start": starts(stage)[0].tolist(), "steps": 300}
    given["controls"] = [{**PLAIN, **each} for each in changes]
    plain, shuffled, copied, reshuffled = in_node(tmp_path, given, PLAY)
    assert plain["origins"] == [0, 1, 2, 3, 4]
    assert shuffled["origins"] != plain["origins"]
    assert plain["total"] == shuffled["total"] == copied["total"]  # to the bit
    assert (len(copied["origins"]), copied["gain"]) == (10, 0.5)
    assert abs(reshuffled["total"] - plain["total"]) > 1
    theirs = sum(
        float(each.reward) for each, _ in zip(stage.rollout.watch(stage.vector(), 0), range(300), strict=False)
    )
    assert plain["total"] == pytest.approx(theirs, abs=1)  # the task is chaotic


@needs_node
def test_neurons_that_stay_keep_what_they_remember_and_new_ones_begin_with_nothing(tmp_path):
    stage, config = stage_of()
    code = """(() => {
      const of = new senses.Senses(5, agent.makeAgent(given.agent), given.plain, 0);
      for (let t = 0; t < 3; t++) of.think([1, 2, 3, 4, 5]);
      const before = of.state.neurons.map(({ memory }) => memory[0]);
      of.disturb({ ...given.plain, ratio: 0.4, channels: 2, shuffle: true });
      return { before, now: of.state.neurons.map(({ memory }) => memory[0]), origins: of.origins };
    })()"""
    found = in_node(tmp_path, {"agent": told_of(stage, config), "plain": PLAIN}, code)
    assert sorted(found["origins"])[:2] == [-1, -1]
    assert len(found["origins"]) == 3 + 2
    expected = [0.0 if origin < 0 else found["before"][origin] for origin in found["origins"]]
    assert found["now"] == expected
    assert len(set(found["before"])) == 5


def test_episodes_of_the_first_seeds_begin_as_torch_draws_them():
    stage, _ = stage_of()
    drawn = starts(stage)
    assert drawn.shape == (SEEDS, 4)
    observation = next(iter(stage.rollout.watch(stage.vector(), 7))).observation
    assert torch.equal(observation[[0, 1, 4]], drawn[7, [0, 1, 3]].double())


def test_numbers_are_told_to_the_bit():
    x = torch.randn(3, 2, dtype=torch.float64)

    assert np.array_equal(np.frombuffer(base64.b64decode(in_base64(x)), "<f8"), x.flatten().numpy())


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["+experiment=ant"], r"env=ant can't be put into a page; allowed: env=cartpole$"),
        (["policy=shared_readout"], "policy=shared_readout can't be put into a page; allowed: policy=linear"),
        (["head=shared"], "head=shared can't be put into a page; allowed: head=linear"),
        (["pooler.output=relu_layer_norm"], "pooler.output=relu_layer_norm can't be put into a page; allowed: tanh"),
        (["pooler.value_message_size=4"], "pooler.value_message_size=4 can't be put into a page; allowed: null"),
    ],
    ids=str,
)
def test_what_pages_lack_is_refused_by_name_with_what_is_allowed(overrides, says):
    with pytest.raises(ConfigError, match=says):
        check_portable(compose(*overrides))
