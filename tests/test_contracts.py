"""What every component must keep, whoever wrote it; a component is tested by being in a config group.

Eager = compiled, one agent = many, one slot = many, one precision after another, saved = loaded. Parts that do not fit
together raise ValueError when they are built, and are left out.
"""

import functools
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import compose, make_agent, randomise
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from worlds import FRAMES, NUMBERS

from anx.agent.agent import Agent
from anx.build import build_agent, build_perturbations
from anx.config import ConfigError, config_folder
from anx.envs.perturbations import Perturbation
from anx.interop import load_into, read_weights, write_agent
from anx.population import get_vector, num_parameters
from anx.rollout.base import Episodes
from anx.rollout.compilation import can_compile
from anx.rollout.device import DeviceRollout
from anx.rollout.host import HostRollout

GROUPS = ("splitter", "neuron", "pooler", "policy")
NAMES = {group: sorted(path.stem for path in Path(config_folder(), group).glob("*.yaml")) for group in GROUPS}
PERTURBATIONS = sorted(path.stem for path in Path(config_folder(), "perturbations").glob("*.yaml"))
SMALL = {
    "num_queries": 64,
    "patch_size": 3,
    "hidden_size": 4,
    "channels": 2,
}  # keys that cost time, where a part has them

AWKWARD = {
    "neuron": ("LayoutNeuron", "AliasNeuron", "KindNeuron"),
    "pooler": ("ScalarPooler",),
    "policy": ("ExpandedPolicy",),
}
# Each awkward component at least once, among ordinary ones and among its like.
AWKWARD_ONES = [
    ("scalar", "LayoutNeuron", "attention", "linear"),
    ("patch", "LayoutNeuron", "ScalarPooler", "mlp"),
    ("scalar", "AliasNeuron", "ScalarPooler", "ExpandedPolicy"),
    ("scalar", "KindNeuron", "attention", "ExpandedPolicy"),
]

CANDIDATES, EPISODES, SEED = 2, 3, 1
EXACT = 1e-5  # double precision: the pooled sum is rounded to 20 bits
ROUNDED = 1e-3  # single against double precision
COMPILED = 1e-4  # single precision, both, in another order and with another tanh
compiles = pytest.mark.skipif(not can_compile(torch.device("cpu")), reason="needs a C++ compiler")
name_of = "-".join


@functools.cache
def part(group: str, name: str) -> DictConfig:
    """A component's config, small."""
    if name in AWKWARD.get(group, ()):
        return OmegaConf.create({"_target_": f"awkward.{name}"})
    config = compose(f"{group}={name}")[group]
    return OmegaConf.merge(config, {key: value for key, value in SMALL.items() if key in config})


def config_of(names: tuple[str, ...]) -> DictConfig:
    return OmegaConf.create({group: part(group, name) for group, name in zip(GROUPS, names, strict=True)})


@functools.cache
def _put_together(names: tuple[str, ...]) -> tuple[Agent, Any]:
    for world in (NUMBERS, FRAMES):
        try:
            return build_agent(config_of(names), world), world
        except InstantiationException as error:
            if not isinstance(error.__cause__, ValueError):
                raise
    raise ValueError(f"{name_of(names)} cannot be built")


def build(names: tuple[str, ...]) -> tuple[Agent, Any]:
    """An agent of the named parts, with random parameters, and the world that it fits; ValueError where none does."""
    agent, world = _put_together(names)
    return randomise(agent), world


@functools.cache
def fitting() -> list[tuple[str, ...]]:
    """All combinations of registered parts that can be built."""

    def fits(names: tuple[str, ...]) -> bool:
        try:
            return bool(build(names))
        except ValueError:
            return False

    return list(filter(fits, itertools.product(*NAMES.values())))


@functools.cache
def covering() -> dict[str, tuple[str, ...]]:
    """For each pooler a combination, so that all of them together have every registered part."""
    missing = {(group, name) for group in GROUPS for name in NAMES[group]}
    chosen = {}
    for pooler in NAMES["pooler"]:
        own = [names for names in fitting() if names[2] == pooler]
        chosen[pooler] = max(own, key=lambda names: len(missing.intersection(zip(GROUPS, names, strict=True))))
        missing -= set(zip(GROUPS, chosen[pooler], strict=True))
    assert not missing, f"in no combination that is compiled: {missing}"
    return chosen


def population_of(agent: Agent, dtype: torch.dtype = torch.float64, candidates: int = CANDIDATES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(SEED)
    return 0.5 * torch.randn(candidates, num_parameters(agent), generator=generator, dtype=torch.float64).to(dtype)


def assert_same(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    """Returns and steps of two rollouts."""
    torch.testing.assert_close(
        ours.returns, theirs.returns, rtol=0, atol=tolerance, check_dtype=False, msg=lambda text: f"{what}: {text}"
    )
    assert torch.equal(ours.steps, theirs.steps), what


def perturbed(agent: Agent, *names: str) -> list[Perturbation]:
    """ValueError where they leave inputs that the agent cannot take."""
    config = compose(f"perturbations=[{','.join(names)}]", config_name="evaluate")
    return build_perturbations(config.perturbations, agent)


def test_every_registered_part_fits_into_some_agent():
    for place, group in enumerate(GROUPS):
        assert {names[place] for names in fitting()} == set(NAMES[group])


GATHERED = [*itertools.product(NAMES["splitter"], NAMES["neuron"]), *AWKWARD_ONES]
each_neuron = pytest.mark.parametrize("gathered", GATHERED, ids=name_of)


def combinations(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All agents with a splitter and a neuron, or the awkward one that is named in full."""
    return [names for names in [*fitting(), *AWKWARD_ONES] if names[: len(gathered)] == gathered]


def representatives(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Of these one for each class of pooler: what befalls the inputs, a policy does not see."""
    return list({part("pooler", names[2])._target_: names for names in combinations(gathered)}.values())


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


@each_neuron
def test_one_agent_acts_as_it_does_among_many(gathered):
    for names in combinations(gathered):
        assert_one_agent_acts_as_many(names)


@each_neuron
def test_on_one_slot_agents_act_as_on_many(gathered):
    for names in combinations(gathered):
        assert_one_slot_acts_as_many(names)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@each_neuron
def test_one_is_as_many_under_every_perturbation(gathered, perturbation):
    for names in representatives(gathered):
        try:
            perturbed(build(names)[0], perturbation)
        except ConfigError as error:  # without attention, an agent takes the inputs that it was built for
            assert "pooler=" in str(error)  # noqa: PT017
            continue
        assert_one_agent_acts_as_many(names, perturbation)
        assert_one_slot_acts_as_many(names, perturbation)


@each_neuron
def test_one_rollout_takes_one_precision_after_the_other(gathered):
    for names in combinations(gathered):
        agent, world = build(names)
        assert_precisions_alternate(agent, DeviceRollout(agent, world, compile=False), name_of(names))


def assert_precisions_alternate(agent: Agent, rollout: Any, what: str) -> None:
    def roll_out(dtype: torch.dtype) -> Episodes:
        agent.to(dtype)
        return rollout(population_of(agent, dtype), EPISODES, SEED)

    single, double, again = map(roll_out, (torch.float32, torch.float64, torch.float32))
    assert (single.returns.dtype, double.returns.dtype) == (torch.float32, torch.float64), what
    assert torch.equal(single.returns, again.returns), what
    assert_same(single, double, ROUNDED, what)


@each_neuron
def test_a_saved_agent_acts_as_it_did(gathered, tmp_path):
    for names in combinations(gathered):
        agent, world = build(names)
        write_agent(agent, OmegaConf.to_container(config_of(names)), tmp_path / "agent.safetensors")
        weights = read_weights(tmp_path / "agent.safetensors")
        other = build_agent(OmegaConf.create(weights.config), world)
        load_into(other, weights, "agent.safetensors")
        assert torch.equal(get_vector(other), get_vector(agent).float()), name_of(names)
        ours, theirs = (
            DeviceRollout(each, world, compile=False)(get_vector(each).unsqueeze(0), EPISODES, SEED)
            for each in (other, agent)
        )
        assert_same(ours, theirs, 0.0, name_of(names))


@each_neuron
def test_an_episode_that_is_watched_is_the_one_that_is_rolled_out(gathered):
    for names in combinations(gathered):
        agent, world = build(names)
        rollout = DeviceRollout(agent.double(), world, compile=False)
        vector = population_of(agent)[0]
        trace, episodes = rollout.trace(vector, SEED), rollout(vector.unsqueeze(0), 1, SEED)
        assert float(trace.rewards.sum()) == pytest.approx(float(episodes.returns), abs=EXACT), name_of(names)
        assert len(trace.rewards) == int(episodes.steps), name_of(names)


def assert_compiled_acts_as_eager(agent: Agent, world: Any, *perturbations: str, candidates: int = CANDIDATES) -> None:
    """For a batch, a smaller one and a single row, with episodes that are dropped in between."""
    agent.float()
    chosen = perturbed(agent, *perturbations)
    compiled, eager = (DeviceRollout(agent, world, compile=compile, compact_every=2) for compile in (True, False))
    population = population_of(agent, torch.float32, candidates)
    for few, episodes in ((candidates, EPISODES), (2, 2), (1, 1)):
        ours, theirs = (rollout(population[:few], episodes, SEED, chosen) for rollout in (compiled, eager))
        assert_same(ours, theirs, COMPILED, f"{few} candidates, {episodes} episodes")


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("pooler", NAMES["pooler"])
def test_compiled_is_eager_for_every_registered_part(pooler):
    assert_compiled_acts_as_eager(*build(covering()[pooler]))


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("names", AWKWARD_ONES, ids=name_of)
def test_compiled_is_eager_for_what_users_write(names):
    assert_compiled_acts_as_eager(*build(names))


@pytest.mark.slow
@compiles
def test_compiled_is_eager_under_all_perturbations():
    assert_compiled_acts_as_eager(*build(("scalar", "lstm", "attention", "linear")), *PERTURBATIONS)


@pytest.mark.slow
@compiles
def test_a_compiled_rollout_takes_one_precision_after_the_other():
    agent, world = build(("scalar", "lstm", "attention", "linear"))
    assert_precisions_alternate(agent, DeviceRollout(agent, world, compile=True), "compiled")


@pytest.mark.slow
@compiles
def test_a_compiled_step_acts_as_the_eager_one_on_slots():
    agent, world = build(("scalar", "LayoutNeuron", "attention", "linear"))
    agent.float()
    population = population_of(agent, torch.float32)
    ours, theirs = (
        HostRollout(agent, world, slots=5, compile=compile)(population, EPISODES, SEED) for compile in (True, False)
    )
    assert_same(ours, theirs, COMPILED, "on slots")


@pytest.mark.slow
@compiles
def test_compiled_is_eager_for_the_ablation_without_memory():
    agent, env = make_agent("+ablation=no_memory", "env.max_steps=60")
    assert_compiled_acts_as_eager(agent, env)
