"""Overrides of a command line on their way to Hydra."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError

from anx.experiment.config.command_line import quote
from anx.experiment.config.own_configs import config_folders
from anx.experiment.config.values import check_once

CLUSTER = "rollout=cluster"


def for_hydra(arguments: Iterable[str], folders: Sequence[Path] | None = None) -> list[str]:
    """Arguments as Hydra takes them: of a group it knows names and lists only, so null is an empty list to it.

    `logger=null` becomes `logger=[]`, and `neuron=3` the name '3', which Hydra then finds no file for. What
    `rollout=cluster` becomes, `with_cluster` says.

    Args:
        arguments: of a command line.
        folders: whose groups those are; None: anx's, and the one that `--config-dir` names among the arguments.
    """
    given = with_cluster(arguments)
    known = config_folders(given) if folders is None else folders
    return [_choice(each) if _is_of_group(each, known) else each for each in given]


def with_cluster(arguments: Iterable[str]) -> list[str]:
    """Arguments with `rollout=cluster` as the choice of a cluster around the rollout that there is: the local one,
    unless others among them choose another."""
    given = list(arguments)
    if CLUSTER not in given:
        return given
    others = [each for each in given if each != CLUSTER]
    chosen = any(each.lstrip("+").startswith(("cluster=", "cluster._target_=")) for each in others)
    return others if chosen else [*others, "cluster=local"]


def _is_of_group(argument: str, folders: Sequence[Path]) -> bool:
    """Whether an argument chooses from a group, `env=ant`, or adds such a choice, `+ablation=fnn`."""
    key, equals, _ = argument.removeprefix("+").partition("=")
    is_name = bool(equals) and key.replace("/", "").isidentifier()
    return is_name and (key.startswith("hydra/") or any((folder / key).is_dir() for folder in folders))


def _choice(override: str) -> str:
    (parsed,) = OverridesParser.create().parse_overrides([override])
    key, _, text = override.partition("=")
    value = parsed.value()
    if isinstance(value, str):
        try:
            OmegaConf.create({key: value})  # Hydra says nothing of an interpolation that is none
        except GrammarParseError as error:
            raise OverrideParseException(override, str(error)) from None
    if parsed.is_sweep_override() or isinstance(value, str | dict):
        return override
    if isinstance(value, list):
        check_once(value, override)
        if all(isinstance(each, str) for each in value):
            return override
        return f"{key}=[{','.join(quote(str(each)) for each in value)}]"
    return f"{key}=[]" if value is None else f"{key}={quote(text)}"
