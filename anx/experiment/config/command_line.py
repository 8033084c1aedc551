"""Command lines: the one that was given, and those that are printed to be copied."""

import re
import shlex
from typing import cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

# Of a multirun, and not of each of its runs.
MULTIRUN = ("hydra.mode", "hydra.sweep", "hydra.sweeper", "hydra/sweeper", "hydra.launcher", "hydra/launcher")


def quote(text: str) -> str:
    """A text as a quoted value of Hydra's override grammar; `${` is no interpolation."""
    escaped = re.sub(r'(\\*)("|$)', lambda m: 2 * m[1] + ('\\"' if m[2] else ""), text.replace("${", "\\${"))
    return f'"{escaped}"'


def override(key: str, value: object) -> str:
    """KEY=VALUE as Hydra reads it, quoted where it would take the bare text for something else."""
    text = str(value)
    bare = f"{key}={text}"
    return bare if "${" not in text and is_read_as(bare, text) else f"{key}={quote(text)}"


def is_read_as(bare: str, text: str) -> bool:
    """Whether Hydra reads an override's unquoted value as this text."""
    try:
        return bool(OverridesParser.create().parse_override(bare).value() == text)
    except HydraException:
        return False


def command_line(program: str, *arguments: str) -> str:
    """`python -m PROGRAM ARGUMENTS`, quoted for the shell."""
    return shlex.join(["python", "-m", program, *arguments])


def evaluation_of(agent: object, *more: str) -> str:
    """The command line that evaluates the agent in a file with shuffled inputs, and `more`."""
    return command_line("anx.evaluate", override("weights", agent), *more, "perturbations=[shuffle]")


def given_arguments() -> list[str] | None:
    """What this run was given: options of Hydra's first, then all overrides; None where Python started it.

    Of a multirun's and a sweep's run, what starts that run alone: its own point, nothing of the launcher.
    """
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    options = [f"--config-dir={path}" for path in folders]
    if hydra.job.config_name != "config":
        options.append(f"--config-name={hydra.job.config_name}")
    return [*options, *as_given(hydra.overrides.task), *without(as_given(hydra.overrides.hydra), *MULTIRUN)]


def as_given(overrides: list[str]) -> list[str]:
    """Overrides that Hydra keeps, as they were given: what they refer to, ${seed}, is not put in its place."""
    return [str(each) for each in cast(list[str], OmegaConf.to_container(OmegaConf.create(overrides), resolve=False))]


def without(arguments: list[str], *keys: str) -> list[str]:
    """Command line arguments but those that set `keys`, or what is below them."""
    return [each for each in arguments if not any(f"{key_of(each)}.".startswith(f"{key}.") for key in keys)]


def key_of(argument: str) -> str:
    """The key that an argument sets: a of ++a=b and of ~a."""
    return argument.split("=")[0].lstrip("+~")
