"""An evaluation's configuration: what the file of weights says of its agent, and on top of it the command line."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from omegaconf import DictConfig, OmegaConf

from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.parts import AGENT_KEYS, OPTION
from anx.experiment.config.values import difference, with_defaults
from anx.experiment.files.trust import check_agent_config, components
from anx.experiment.files.weights import read_weights

log = logging.getLogger(__name__)

EVALUATION = "evaluate"  # the configuration of an agent that is described on the command line
OF_FILE = f"{EVALUATION}_weights"  # the same, of one that is described by its file


def find_base(path: object, trust: Any, experiment: object, program: str = EVALUATION) -> str:
    """The name of the configuration that a command line is to be composed on, an evaluation's or `program`'s.

    If the weights' file describes its agent, and no experiment is chosen, that is one that has been made of it.
    """
    if experiment is not None or not isinstance(path, str) or "${" in path or Path(path).suffix == ".npz":
        return program
    agent = read_weights(path).config
    return program if not agent else store_base(agent, f"weights={path}", () if trust is None else trust, program)


def read_override(overrides: Sequence[str], key: str) -> Any:
    """What a command line sets a key to; None where it does not. Of several values, a multirun's, it is the first."""
    texts = [each for each in overrides if each.partition("=")[0].lstrip("+") == key]
    value: Any = None
    for override in OverridesParser.create().parse_overrides(texts):
        value = override.value()
        if isinstance(value, ChoiceSweep):
            value = value.list[0]
            value = value.text if isinstance(value, QuotedString) else value
    return value


def store_base(agent: Any, source: str, trust: Sequence[str] = (), program: str = EVALUATION) -> str:
    """Make the configuration of an evaluation of what a file says of its agent, all checked; returns its name.

    What the file says of a part is a further option of that part's group, and chosen: other choices replace it, an
    ablation's too, and values are set in it.

    Args:
        agent: as it was read.
        source: of it, weights=PATH.
        trust: packages whose components it may name.
        program: the configuration that it is one of, where not of an evaluation.
    """
    check_agent_config(agent, source, trust)
    of_file, kept = f"{program}_weights", f"{program}_weights_kept"
    store = ConfigStore.instance()
    for part in AGENT_KEYS:
        store.store(group=part, name=OPTION, node=with_newer_keys(part, agent[part]))
    base: Any = OmegaConf.load(Path(config_folder(), f"{program}.yaml"))
    base.defaults = [choose(each) for each in base.defaults]
    # The agent's splitter is its own: another environment, chosen in place of the file's, leaves it as it is.
    store.store(name=kept, node={"defaults": [{"override /splitter": OPTION}]})
    base.defaults.insert(base.defaults.index("_self_"), kept)
    base.name = agent.get("name", base.name)
    store.store(name=of_file, node=base)
    return of_file


def with_newer_keys(part: str, node: dict[str, Any]) -> dict[str, Any]:
    """What a file says of a part, and the keys that its component got since, as it was built without them."""
    keys = components()[part].get(node["_target_"], frozenset())
    return {key: value for key, value in with_defaults(node).items() if key in node or key in keys}


def choose(default: Any) -> Any:
    """An entry of a defaults list, with the file's option where it is of a part that a file has."""
    group = next(iter(default)) if OmegaConf.is_dict(default) else None
    return {group: OPTION} if group in AGENT_KEYS else default


def on_base(config: DictConfig, overrides: Sequence[str], composed_on: str | None) -> DictConfig:
    """What Hydra composed of `overrides`, on the base that it should have been composed on.

    Another one, where that could not be known before: in a multirun over files, or with a path that refers to others.
    """
    if composed_on not in (EVALUATION, OF_FILE):  # the user's own
        return config
    experiment = read_override(overrides, "experiment")
    if experiment is not None:
        warn_of_difference(config)
    base = find_base(config.weights, config.trust, experiment)
    return config if base == composed_on == EVALUATION else hydra.compose(base, list(overrides))


def warn_of_difference(config: DictConfig) -> None:
    """Say so where the experiment that is chosen makes another agent of the weights than their file says."""
    ours: Any = OmegaConf.to_container(config, resolve=True)
    agent = read_weights(config.weights).config or {}
    for part in ("agent", "splitter", "neuron", "pooler", "policy", "head") if agent else ():
        if differs := difference(part, agent.get(part), ours[part]):
            key, before, now = differs
            log.warning("weights=%s was trained with %s=%s; it is evaluated with %s", config.weights, key, before, now)
            return
