"""Ablations: which go together, and with which parts."""

import itertools
from collections.abc import Mapping
from typing import cast

from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.config.values import fits, locate

Ablations = Mapping[str, Mapping[str, object]]


def check_ablations(config: DictConfig) -> None:
    """Whether the chosen ablations go together, and with what they are an ablation of.

    Each says in `ablations.NAME` which keys it `changes` and the classes of parts that it `needs`, by their dotted
    names; a class that inherits from one is one.
    """
    ablations = read_ablations(config)
    check_pairs(ablations)
    for name, ablation in ablations.items():
        for part, wanted in cast(dict[str, str], ablation.get("needs", {})).items():
            check_part(name, part, wanted, config[part]._target_)


def read_ablations(config: DictConfig) -> Ablations:
    """The chosen ablations, by name."""
    given = cast(dict[str, object], OmegaConf.to_container(config)).get("ablations") or {}
    ablations = cast(Ablations, given)
    if not fits(given, dict[str, dict]) or not all(is_ablation(each, config) for each in ablations.values()):
        raise ConfigError(f"ablations={given} is filled in by +ablation=NAME; --help lists the names")
    return ablations


def is_ablation(given: Mapping[str, object], config: DictConfig) -> bool:
    """Whether it says what it changes, and of which of the configuration's parts it needs a class."""
    needs = given.get("needs", {})
    said = fits(given.get("changes"), list[str]) and fits(needs, dict[str, str])
    return said and all(OmegaConf.is_dict(config.get(part)) for part in cast(dict[str, str], needs))


def check_pairs(ablations: Ablations) -> None:
    """ConfigError where two change the same."""
    changes = {name: cast(list[str], each["changes"]) for name, each in ablations.items()}
    for one, other in itertools.combinations(changes, 2):
        for key, same in itertools.product(changes[one], changes[other]):
            if f"{key}.".startswith(f"{same}.") or f"{same}.".startswith(f"{key}."):
                both = min(key, same, key=len)
                raise ConfigError(f"ablation={one} and ablation={other} contradict each other: both change {both}")


def check_part(ablation: str, part: str, wanted: str, target: str) -> None:
    """ConfigError unless a part is of the class that an ablation needs."""
    needed, actual = locate(f"ablations.{ablation}.needs.{part}", wanted), locate(f"{part}._target_", target)
    if not (isinstance(actual, type) and issubclass(actual, needed)):
        raise ConfigError(
            f"ablation={ablation} is for agents with {part} {needed.__name__}; this one has {actual.__name__}"
        )
