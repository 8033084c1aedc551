"""What a sweep gives every run of anx.run: flags and overrides, from the file's `command` and from the command line."""

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser

from anx.errors import ConfigError
from anx.experiment.config.command_line import key_of
from anx.experiment.config.own_configs import own_config_dir

POINT = "${args_no_hyphens}"  # where W&B's agent writes a point as Hydra's overrides
FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
OWN_KEYS = ("ckpt_path", "run_dir", "hydra.mode", *FOLDERS)  # what a sweep sets itself


class Flags(NamedTuple):
    """Where Hydra looks for configs besides anx's own; None: nowhere else."""

    config_dir: str | None = None
    config_name: str | None = None

    def or_else(self, others: "Flags") -> "Flags":
        """These, and where one is None that of `others`."""
        return Flags(*(own or other for own, other in zip(self, others, strict=True)))

    def or_found(self) -> "Flags":
        """These, and where no folder is given, ./configs if that is a user's."""
        return self.or_else(split_flags(own_config_dir(self.arguments()))[0])

    def arguments(self) -> list[str]:
        """As anx.run takes them, before all overrides."""
        names = [f"--{name.replace('_', '-')}" for name in self._fields]
        return [f"{name}={value}" for name, value in zip(names, self, strict=True) if value is not None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False)  # as Hydra's own, which has more
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-name", "-cn")
    parser.add_argument("arguments", nargs="*")
    return parser


def split_flags(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """The flags of a command line of anx.sweep, and the rest of it; ConfigError names a flag that is none."""
    found, unknown = _parser().parse_known_intermixed_args(list(arguments))
    if unknown:
        raise ConfigError(f"{unknown[0]} is no option of anx.sweep; --help shows what there is")
    return Flags(found.config_dir, found.config_name), found.arguments


def read_command(command: object, program: object, swept: Sequence[str]) -> tuple[Flags, list[str]]:
    """The flags and the overrides that W&B's agent would give every run; how it starts them is the launcher's matter.

    Args:
        command: the file's.
        program: the file's, in the place of ${program}.
        swept: the keys of a point.
    """
    shape = f'["${{env}}", "${{interpreter}}", "-m", "anx.run", FLAGS, OVERRIDES, "{POINT}"]'
    if not isinstance(command, list):
        raise ConfigError(f"command={command} must be {shape}")
    parts = [_with_environment(str(program if part == "${program}" else part)) for part in command]
    starts = [i for i, part in enumerate(parts) if part == "anx.run" or Path(part).parts[-2:] == ("anx", "run.py")]
    if not starts or parts.count(POINT) != 1 or parts.index(POINT) < starts[0]:
        raise ConfigError(f"command={command} must be {shape}")
    before, given = parts[: starts[0]], parts[starts[0] + 1 :]
    for part in before:
        if re.match(r"\w+=", part):
            raise ConfigError(f"command: {part} is not set by anx.sweep; set it in front of python -m anx.sweep")
    for part in given:
        if part != POINT and part.startswith("${") and part.endswith("}"):
            raise ConfigError(f"command: {part} is no override of Hydra's; allowed: {POINT}")
    found, refused = _parser().parse_known_args(given)  # no intermixed ones: Hydra refuses them, too
    if refused:
        raise ConfigError(
            f"command: {refused[0]} is not taken there; allowed: --config-dir and --config-name, then overrides"
        )
    late = found.arguments[found.arguments.index(POINT) + 1 :]
    for override in late:
        if key_of(override) in swept:
            raise ConfigError(f"command: {override} after {POINT} would replace what is swept")
    return Flags(found.config_dir, found.config_name), [each for each in found.arguments if each != POINT]


def _with_environment(part: str) -> str:
    """A part of a command with what W&B's ${envvar:NAME} stands for."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigError(f"command: {part} needs the environment variable {match[1]}")
        return os.environ[match[1]]

    return re.sub(r"\$\{envvar:([A-Z0-9_]*)\}", value, part)


def check_override(override: str, path: Path, swept: Iterable[str] = ()) -> str:
    """The key of an override that is given to every run.

    Args:
        override: KEY=VALUE.
        path: the sweep file's.
        swept: keys that it may not set.

    Raises:
        ConfigError: the sweep has to set it.
    """
    (parsed,) = OverridesParser.create().parse_overrides([override])
    key = parsed.key_or_group
    if parsed.is_sweep_override():
        raise ConfigError(f"{override} holds several values: {key} belongs into {path}")
    if key in [each.lstrip("+") for each in swept]:
        raise ConfigError(f"{override}: {key} is swept by {path}")
    if key in OWN_KEYS:
        raise ConfigError(f"{override}: {key} is set by the sweep of {path}; folder=PATH chooses its folder")
    return key


def is_of_hydra(override: str) -> bool:
    """Whether an override is about how runs are started and logged, not about what they are."""
    key = key_of(override)
    return key.startswith(("hydra.", "hydra/")) and key != "hydra.searchpath"
