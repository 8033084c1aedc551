"""Every ablation composes with the experiments that it makes sense for, and with others that it doesn't contradict."""

import itertools
import sys
import types

import pytest
import torch
from conftest import compose, make_agent

from anx.agent.ops import sinusoidal_table
from anx.agent.pooler import AttentionPooler, MeanPooler
from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.config.ablation import check_ablations
from anx.experiment.config.check import check
from anx.population import num_parameters
from anx.rollout.device import DeviceRollout

SCALARS, VISION = {"cartpole", "ant", "ant_mujoco"}, {"pong", "car_racing"}
MAKES_SENSE_FOR = {
    "none": SCALARS | VISION,
    "no_previous_action": SCALARS | VISION,
    "no_memory": SCALARS,
    "learned_queries": SCALARS | VISION,
    "softmax_scalars": SCALARS,
    "tanh_vision": VISION,
    "mean_pooling": SCALARS | {"pong"},  # CarRacing's policy lays the latents on a grid: one is too few
    "raw_values": VISION,
    "fnn": SCALARS | VISION,
    "train_shuffled": SCALARS | VISION,
    "attention_agent": {"car_racing"},
    "puzzle_pong": {"pong"},
}
# What each changes; two that change the same thing contradict each other.
CHANGES = {
    "no_previous_action": {"action"},
    "no_memory": {"neuron"},
    "learned_queries": {"queries"},
    "softmax_scalars": {"activation"},
    "tanh_vision": {"activation"},
    "mean_pooling": {"queries", "activation", "gains"},
    "raw_values": {"neuron"},
    "fnn": {"action", "neuron", "queries", "activation", "gains"},
    "train_shuffled": {"action", "neuron", "queries", "activation", "gains"},
    "attention_agent": {"action", "neuron", "queries", "activation", "gains"},
    "puzzle_pong": {"keys", "gains", "policy"},
}


@pytest.mark.parametrize("experiment", sorted(SCALARS | VISION))
@pytest.mark.parametrize("ablation", MAKES_SENSE_FOR)
def test_an_ablation_builds_where_it_makes_sense_and_is_refused_by_name_elsewhere(ablation, experiment):
    config = compose(f"+experiment={experiment}", f"+ablation={ablation}")
    if experiment in MAKES_SENSE_FOR[ablation]:
        check(config)
        build_rollout(config)[1].close()
    elif ablation == "mean_pooling":
        with pytest.raises(Exception, match=r"policy\.num_chosen=10 must be from 1 to the number of latents, 1"):
            build_rollout(config)
    else:
        with pytest.raises(ConfigError, match=f"ablation={ablation} is for agents with"):
            check(config)


PAIRS = [(a, b) for a, b in itertools.combinations(CHANGES, 2) if {a, b} != {"fnn", "train_shuffled"}]
CONTRADICTING = [(a, b) for a, b in PAIRS if CHANGES[a] & CHANGES[b]]
SHARING = [(a, b) for a, b in PAIRS if not CHANGES[a] & CHANGES[b] and MAKES_SENSE_FOR[a] & MAKES_SENSE_FOR[b]]


@pytest.mark.parametrize("pair", CONTRADICTING, ids=" ".join)
def test_two_ablations_that_change_the_same_thing_are_refused_by_name(pair):
    everything = compose(f"+ablation=[{','.join(CHANGES)}]")  # Hydra takes all of them together, and so each two
    brought = [name for each in pair for name in compose(f"+ablation={each}").ablations]
    everything.ablations = {name: everything.ablations[name] for name in brought}
    with pytest.raises(ConfigError, match=r"ablation=\w+ and ablation=\w+ contradict each other: both change"):
        check_ablations(everything)


@pytest.mark.parametrize("pair", SHARING, ids=" ".join)
def test_two_ablations_compose_that_change_different_things(pair):
    experiment = min(set.intersection(*(MAKES_SENSE_FOR[each] for each in pair)))
    config = compose(f"+experiment={experiment}", f"+ablation=[{','.join(pair)}]")
    assert list(config.ablations) == list(pair)
    check(config)
    build_rollout(config)[1].close()


def test_training_shuffled_is_an_ablation_of_the_plain_network():
    assert list(compose("+ablation=train_shuffled").ablations) == ["fnn", "train_shuffled"]


def test_several_at_once_all_take_effect():
    config = compose("+ablation=[no_previous_action,no_memory,learned_queries,softmax_scalars]")
    agent, _ = make_agent("+ablation=[no_previous_action,no_memory,learned_queries,softmax_scalars]")
    assert list(config.ablations) == ["no_previous_action", "no_memory", "learned_queries", "softmax_scalars"]
    assert agent.neuron.layer.weight.shape == (8, 4 * 1)  # four inputs, no action
    assert isinstance(agent.pooler.table, torch.nn.Parameter)
    assert agent.pooler.activation == "softmax"
    assert num_parameters(agent) == (4 * 8 + 8) + 16 * 8 + 8 * 8 + (16 + 1)


def latents(*overrides):
    """The latent codes of one agent after two different actions."""
    agent, env = make_agent(*overrides)
    count, features = agent.splitter.num_inputs, agent.splitter.features
    inputs = torch.rand(count, features, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = agent.initial_state(count)
    other = state._replace(previous_action=torch.ones(env.spec.action_size, dtype=torch.float64))
    with torch.no_grad():
        return [agent.explain(agent.prepare(), inputs, each)[0].latent for each in (state, other)]


@pytest.mark.parametrize(("experiment", "more"), [("cartpole", []), ("ant", []), ("pong", ["pooler.activation=tanh"])])
def test_without_the_previous_action_it_does_not_matter(experiment, more):
    one, other = latents(f"+experiment={experiment}", *more)
    assert (one - other).abs().max() > 0.01
    one, other = latents(f"+experiment={experiment}", *more, "+ablation=no_previous_action")
    assert torch.equal(one, other)


@pytest.mark.parametrize("experiment", sorted(VISION))
def test_softmax_over_keys_that_are_linear_in_the_action_never_sees_it(experiment):
    """It adds the same to a query's dot products with all inputs: so it is in the paper, too."""
    one, other = latents(f"+experiment={experiment}")
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)  # 1e-4: sums are rounded to 20 bits, then normalised


def test_learned_queries_are_parameters_and_fixed_ones_are_the_sinusoidal_table():
    fixed, learned = make_agent()[0], make_agent("+ablation=learned_queries")[0]
    assert "pooler.table" not in dict(fixed.named_parameters())
    assert torch.equal(fixed.pooler.table, sinusoidal_table(16, 8).double())
    assert dict(learned.named_parameters())["pooler.table"].shape == (16, 8)
    assert num_parameters(learned) == 433 + 16 * 8


@pytest.mark.parametrize(("ablation", "names"), [("train_shuffled", ["Shuffle"]), ("fnn", [])])
def test_only_training_is_shuffled_by_train_shuffled(monkeypatch, tmp_path, ablation, names):
    met = {True: [], False: []}
    play = DeviceRollout.__call__

    def watched(self, population, episodes, seed, perturbations=(), *, training=False, **options):
        met[training].append([type(each).__name__ for each in perturbations])
        return play(self, population, episodes, seed, perturbations, training=training, **options)

    monkeypatch.setattr(DeviceRollout, "__call__", watched)
    small = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]
    train(compose(f"+ablation={ablation}", *small, f"run_dir={tmp_path}"))
    assert met[True] == [names] * 4  # generations
    assert met[False] == [[], ["Shuffle"]] * 3  # two validations and the test


class NarrowerPooler(AttentionPooler):
    """A pooler of a user's own that attends."""


def test_a_users_own_kind_of_what_an_ablation_needs_is_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "my_pooler", types.SimpleNamespace(Narrower=NarrowerPooler, Mean=MeanPooler))
    config = compose("+ablation=learned_queries")
    config.pooler._target_ = "my_pooler.Narrower"
    check_ablations(config)
    config.pooler._target_ = "my_pooler.Mean"
    with pytest.raises(ConfigError, match=r"learned_queries is for agents with pooler AttentionPooler; .* has Mean"):
        check_ablations(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("changes", each) for each in ("", [1], None)),
        *(("needs", each) for each in ("", ["a"], {"neuron": 1}, {"nowhere": "torch.nn.LSTM"}, {"seed": "int"})),
    ],
)
def test_an_ablation_that_says_something_else_than_what_it_changes_and_needs_is_refused_by_name(key, value):
    config = compose("+ablation=no_memory")
    config.ablations.no_memory = {**config.ablations.no_memory, key: value}
    with pytest.raises(ConfigError, match=r"^ablations=.* is filled in by \+ablation=NAME"):
        check_ablations(config)
