"""Agents of every splitter, neuron, pooler, policy and head that the config groups offer, small, and of awkward ones.

Parts that do not fit together raise ValueError when they are built, and are left out.
"""

import functools
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

from conftest import compose, randomise
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from worlds import FRAMES, NUMBERS

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.build import build_agent, build_perturbations
from anx.experiment.config.own_configs import config_folder
from anx.perturb.base import Perturbation

GROUPS = ("splitter", "neuron", "pooler", "policy", "head")
NAMES = {group: sorted(path.stem for path in Path(config_folder(), group).glob("*.yaml")) for group in GROUPS}
NAMES["splitter"].remove("auto")  # one of the others
PERTURBATIONS = sorted(path.stem for path in Path(config_folder(), "perturbations").glob("*.yaml"))
# What makes parts small and quick, where they have such a size.
SMALL = {
    "num_queries": 64,
    "patch_size": 3,
    "hidden_size": 4,
    "channels": 2,
    "message_size": 4,
    "value_message_size": 4,
}

AWKWARD = {
    "neuron": ("LayoutNeuron", "AliasNeuron", "KindNeuron"),
    "pooler": ("ScalarPooler",),
    "policy": ("ExpandedPolicy",),
    "head": ("StridedHead", "ExpandedHead"),
}
# Each awkward component at least once, among ordinary ones and among its like.
AWKWARD_ONES = [
    ("scalar", "LayoutNeuron", "attention", "linear", "linear"),
    ("patch", "LayoutNeuron", "ScalarPooler", "mlp", "StridedHead"),
    ("scalar", "AliasNeuron", "ScalarPooler", "ExpandedPolicy", "ExpandedHead"),
    ("scalar", "KindNeuron", "attention", "ExpandedPolicy", "StridedHead"),
]

name_of = "-".join


@functools.cache
def differing(group: str) -> list[str]:
    """The names of a group, one of those that only their sizes tell apart: they are the same code."""
    names: list[str] = []
    for name in NAMES[group]:
        if all(part(group, name) != part(group, other) for other in names):
            names.append(name)
    return names


@functools.cache
def part(group: str, name: str) -> DictConfig:
    """A component's config, small."""
    if name in AWKWARD.get(group, ()):
        return OmegaConf.create({"_target_": f"awkward.{name}"})
    config = compose(f"{group}={name}")[group]
    return OmegaConf.merge(config, {key: value for key, value in SMALL.items() if config.get(key) is not None})


def config_of(names: tuple[str, ...]) -> DictConfig:
    parts = {group: part(group, name) for group, name in zip(GROUPS, names, strict=True)}
    return OmegaConf.create({"agent": {"_target_": "anx.agent.agent.Agent"}, **parts})


@functools.cache
def _put_together(names: tuple[str, ...]) -> tuple[Agent, Any]:
    for world in (NUMBERS, FRAMES):
        try:
            return build_agent(config_of(names), world), world
        except ConfigError:
            pass
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
    """All combinations of registered parts that differ and can be built.

    A head sees no more than a context: heads but the default are met behind one policy, that with the largest context.
    """

    def is_wanted(names: tuple[str, ...]) -> bool:
        return (names[4] == "linear" or names[3] == "linear") and fits(names)

    def fits(names: tuple[str, ...]) -> bool:
        try:
            return bool(build(names))
        except ValueError:
            return False

    return list(filter(is_wanted, itertools.product(*map(differing, GROUPS))))


@functools.cache
def covering() -> dict[str, tuple[str, ...]]:
    """For each kind of pooler a combination, so that all of them together have every kind of registered part."""
    missing = {(group, name) for group in GROUPS for name in differing(group)}
    found_in = Counter(each for names in fitting() for each in zip(GROUPS, names, strict=True))
    chosen = {}

    def gain(names: tuple[str, ...]) -> float:
        """What is missing counts the more, the fewer combinations have it."""
        return sum(1 / found_in[each] for each in zip(GROUPS, names, strict=True) if each in missing)

    for pooler in differing("pooler"):
        own = [names for names in reversed(fitting()) if names[2] == pooler]  # scalars first: their actions show more
        chosen[pooler] = max(own, key=gain)
        missing -= set(zip(GROUPS, chosen[pooler], strict=True))
    assert not missing, f"in no combination that is compiled: {missing}"
    return chosen


def perturbed(agent: Agent, *names: str) -> list[Perturbation]:
    """ValueError where they leave inputs that the agent cannot take."""
    config = compose(f"perturbations=[{','.join(names)}]", config_name="evaluate")
    return build_perturbations(config.perturbations, agent)


def combinations(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All agents with a splitter and a neuron, or the awkward one that is named in full."""
    return [names for names in [*fitting(), *AWKWARD_ONES] if names[: len(gathered)] == gathered]


@functools.cache
def some(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Of the same so many that every part of theirs is in one."""
    every, chosen = combinations(gathered), []
    missing = {each for names in every for each in zip(GROUPS, names, strict=True)}
    while missing:
        chosen.append(max(every, key=lambda names: len(missing & set(zip(GROUPS, names, strict=True)))))
        missing -= set(zip(GROUPS, chosen[-1], strict=True))
    return chosen


def others(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All the others."""
    return [names for names in combinations(gathered) if names not in some(gathered)]


def representatives(gathered: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Of these one for each class of pooler: what befalls the inputs, a policy does not see."""
    return list({part("pooler", names[2])._target_: names for names in combinations(gathered)}.values())
