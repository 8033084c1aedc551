"""What every component must keep, whoever wrote it; a component is tested by being in a config group.

Eager = compiled, one agent = many, one slot = many, one precision after another, saved = loaded.
"""

import itertools
from typing import Any

import pytest
import torch
from combinations import (
    AWKWARD_ONES,
    GROUPS,
    NAMES,
    PERTURBATIONS,
    build,
    config_of,
    covering,
    differing,
    fitting,
    name_of,
    others,
    perturbed,
    representatives,
    some,
)
from conftest import make_agent, needs_compiler
from omegaconf import OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.build import build_agent
from anx.experiment.config.values import fits, locate, signature_of
from anx.experiment.files.weights import load_into, read_weights, write_agent
from anx.population import get_vector, num_parameters
from anx.rollout.base import Episodes
from anx.rollout.device import DeviceRollout
from anx.rollout.host import HostRollout

CANDIDATES, EPISODES, SEED = 2, 3, 1
EXACT = 1e-5  # double precision: the pooled sum is rounded to 20 bits
COMPILED = 1e-4  # single precision, both, in another order and with another tanh
GATHERED = [*itertools.product(NAMES["splitter"], NAMES["neuron"]), *AWKWARD_ONES]
each_neuron = pytest.mark.parametrize("gathered", GATHERED, ids=name_of)
# Every part in the fast tests, every combination in all of them.
each_combination = pytest.mark.parametrize("chosen", [some, pytest.param(others, marks=pytest.mark.exhaustive)])


# Of perturbations in the fast tests: what they befall is scalars or patches, whatever the neuron.
OFTEN = [("scalar", "lstm"), ("patch", "frame_difference")]
PERTURBED = [each if each in OFTEN else pytest.param(each, marks=pytest.mark.exhaustive) for each in GATHERED]


def population_of(agent: Agent, dtype: torch.dtype = torch.float64, candidates: int = CANDIDATES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(SEED)
    return 0.5 * torch.randn(candidates, num_parameters(agent), generator=generator, dtype=torch.float64).to(dtype)


def assert_same(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    """Returns and steps of two rollouts."""
    torch.testing.assert_close(
        ours.returns, theirs.returns, rtol=0, atol=tolerance, check_dtype=False, msg=lambda text: f"{what}: {text}"
    )
    assert torch.equal(ours.steps, theirs.steps), what


def test_every_registered_part_fits_into_some_agent():
    for place, group in enumerate(GROUPS):
        assert {names[place] for names in fitting()} == set(differing(group))


def assert_one_agent_acts_as_many(names: tuple[str, ...], *perturbations: str) -> None:
    agent, world = build(names)
    chosen = perturbed(agent, *perturbations)
    rollout, population = DeviceRollout(agent, world, compile=False), population_of(agent)
    together = rollout(population, EPISODES, SEED, chosen)
    alone = [rollout(vector.unsqueeze(0), EPISODES, SEED, chosen) for vector in population]
    assert_same(together, Episodes(*map(torch.cat, zip(*alone, strict=True))), EXACT, name_of((*names, *perturbations)))
    assert float(together.returns.std()) > 0.001, "the candidates differ"


def assert_one_slot_acts_as_many(names: tuple[str, ...], *perturbations: str) -> None:
    agent, world = build(names)
    chosen, population = perturbed(agent, *perturbations), population_of(agent)
    one, four = (
        HostRollout(agent, world, slots=slots, compile=False)(population, EPISODES, SEED, chosen) for slots in (1, 4)
    )
    assert_same(one, four, EXACT, name_of((*names, *perturbations)))


@each_combination
@each_neuron
def test_one_agent_acts_as_it_does_among_many(gathered, chosen):
    for names in chosen(gathered):
        assert_one_agent_acts_as_many(names)


@each_combination
@each_neuron
def test_on_one_slot_agents_act_as_on_many(gathered, chosen):
    for names in chosen(gathered):
        assert_one_slot_acts_as_many(names)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@pytest.mark.parametrize("gathered", PERTURBED, ids=name_of)
def test_one_is_as_many_under_every_perturbation(gathered, perturbation):
    for names in representatives(gathered):
        try:
            perturbed(build(names)[0], perturbation)
        except ConfigError as error:  # without attention, an agent takes the inputs that it was built for
            assert "pooler=" in str(error) or build(names)[0].discrete  # noqa: PT017  # buttons are no actuators
            continue
        assert_one_agent_acts_as_many(names, perturbation)
        assert_one_slot_acts_as_many(names, perturbation)


def assert_precisions_alternate(agent: Agent, world: Any, dtypes: tuple[torch.dtype, ...], compile: bool) -> None:
    """One rollout in one precision after the other, as new ones that are not compiled."""
    rollout = DeviceRollout(agent, world, compile=compile)
    for dtype in dtypes:
        population = population_of(agent.to(dtype), dtype)
        ours = rollout(population, EPISODES, SEED)
        theirs = DeviceRollout(agent, world, compile=False)(population, EPISODES, SEED)
        assert ours.returns.dtype == dtype
        assert_same(ours, theirs, COMPILED if compile else 0.0, str(dtype))


@each_combination
@each_neuron
def test_one_rollout_takes_one_precision_after_the_other(gathered, chosen):
    for names in chosen(gathered):
        assert_precisions_alternate(*build(names), (torch.float64, torch.float32), compile=False)


@each_combination
@each_neuron
def test_a_saved_agent_acts_as_it_did(gathered, chosen, tmp_path):
    for names in chosen(gathered):
        agent, world = build(names)
        agent.float()
        write_agent(agent, OmegaConf.to_container(config_of(names)), tmp_path / "agent.safetensors")
        weights = read_weights(tmp_path / "agent.safetensors")
        other = build_agent(OmegaConf.create(weights.config), world)
        load_into(other, weights, "agent.safetensors")
        assert torch.equal(get_vector(other), get_vector(agent)), name_of(names)
        ours, theirs = (
            DeviceRollout(each, world, compile=False)(get_vector(each).unsqueeze(0), EPISODES, SEED)
            for each in (other, agent)
        )
        assert_same(ours, theirs, 0.0, name_of(names))


@each_combination
@each_neuron
def test_an_episode_that_is_watched_is_the_one_that_is_rolled_out(gathered, chosen):
    for names in chosen(gathered):
        agent, world = build(names)
        rollout = DeviceRollout(agent.double(), world, compile=False)
        vector = population_of(agent)[0]
        trace, episodes = rollout.trace(vector, SEED), rollout(vector.unsqueeze(0), 1, SEED)
        assert float(trace.rewards.sum()) == pytest.approx(float(episodes.returns), abs=EXACT), name_of(names)
        assert len(trace.rewards) == int(episodes.steps), name_of(names)


def assert_compiled_acts_as_eager(agent: Agent, world: Any, what: str, *perturbations: str, lanes: int = 2) -> None:
    """For a batch, a smaller one and a single row, with episodes that are dropped in between.

    Two lanes have one form in all of them, and are compiled once.
    """
    agent.float()
    chosen = perturbed(agent, *perturbations)
    compiled, eager = (
        DeviceRollout(agent, world, compile=compile, compact_every=2, lanes=lanes) for compile in (True, False)
    )
    population = population_of(agent, torch.float32)
    for few, episodes in ((CANDIDATES, EPISODES), (2, 2), (1, lanes)):
        ours, theirs = (rollout(population[:few], episodes, SEED, chosen) for rollout in (compiled, eager))
        assert_same(ours, theirs, COMPILED, f"{what}, {few} candidates, {episodes} episodes")


@pytest.mark.exhaustive
@needs_compiler
@pytest.mark.parametrize("pooler", differing("pooler"))
def test_compiled_is_eager_for_every_registered_part(pooler):
    names = covering()[pooler]
    assert_compiled_acts_as_eager(*build(names), name_of(names))


@pytest.mark.exhaustive
@needs_compiler
@pytest.mark.parametrize("names", [names for names in AWKWARD_ONES if names[0] == "scalar"], ids=name_of)
def test_compiled_is_eager_for_what_users_write(names):
    assert_compiled_acts_as_eager(*build(names), name_of(names))


@pytest.mark.exhaustive
@needs_compiler
def test_compiled_is_eager_for_a_lane_alone():
    names = ("scalar", "KindNeuron", "attention", "ExpandedPolicy", "StridedHead")
    assert_compiled_acts_as_eager(*build(names), "one lane", lanes=1)


@pytest.mark.exhaustive
@needs_compiler
def test_compiled_is_eager_under_all_perturbations():
    assert_compiled_acts_as_eager(
        *build(("scalar", "lstm", "attention", "linear", "linear")), "perturbed", *PERTURBATIONS
    )


@pytest.mark.exhaustive
@needs_compiler
def test_a_compiled_rollout_takes_one_precision_after_the_other():
    agent, world = build(("scalar", "lstm", "attention", "linear", "linear"))
    assert_precisions_alternate(agent, world, (torch.float32, torch.float64, torch.float32), compile=True)


@pytest.mark.exhaustive
@needs_compiler
def test_a_compiled_step_acts_as_the_eager_one_on_slots():
    agent, world = build(("scalar", "LayoutNeuron", "attention", "linear", "linear"))
    agent.float()
    population = population_of(agent, torch.float32)
    ours, theirs = (
        HostRollout(agent, world, slots=5, compile=compile)(population, EPISODES, SEED) for compile in (True, False)
    )
    assert_same(ours, theirs, COMPILED, "on slots")


@pytest.mark.exhaustive
@needs_compiler
def test_compiled_is_eager_for_the_ablation_without_memory():
    agent, env = make_agent("+ablation=no_memory", "env.max_steps=60")
    assert_compiled_acts_as_eager(agent, env, "no_memory")


COUNTS_FROM_0 = {"apart"}


def sizes_of(config):
    """Every size of every part: (group, key)."""
    for group in GROUPS:
        hints = signature_of(locate(group, config[group]._target_))[1]
        for key in config[group]:
            if key in hints.keys() - COUNTS_FROM_0 and fits(1, hints[key]) and not fits(0.5, hints[key]):
                yield group, key


@pytest.mark.parametrize("names", covering().values(), ids=name_of)
def test_sizes_of_none_and_less_are_refused_by_name(names):
    sizes = list(sizes_of(config_of(names)))
    for (group, key), value in itertools.product(sizes, (0, -1)):
        config = config_of(names)
        config[group][key] = value
        with pytest.raises(ConfigError, match=f"^{group}.{key}={value} "):
            build_agent(config, build(names)[1])
    assert sizes or names[2] == "concatenation"
