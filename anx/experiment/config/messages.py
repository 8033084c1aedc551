"""What a user can mend ends in one line."""

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from anx.errors import ConfigError, LostError
from anx.experiment.config.command_line import override
from anx.experiment.config.parts import OPTION

# What a component's constructor raises when a value in its config is wrong.
MENDABLE = (ValueError, TypeError, ImportError, OverflowError)


@contextlib.contextmanager
def one_line_errors(where: str = "", told: Callable[[str], object] = lambda line: None) -> Iterator[None]:
    """What a user can mend ends here, in one line and with the error's exit code, usually 2.

    Args:
        where: it happened, if that has to be said.
        told: gets the line, too.
    """
    try:
        with config_errors():
            yield
    except ConfigError as error:
        print(f"error: {where}{error}", file=sys.stderr)
        told(str(error))
        raise SystemExit(error.code) from None


@contextlib.contextmanager
def config_errors() -> Iterator[None]:
    """What a user can mend leaves as a ConfigError, in one line."""
    try:
        yield
    except LostError:
        raise
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if isinstance(error, InstantiationException) and not is_mendable(error.__cause__):
            raise
        raise ConfigError(one_line(error)) from error


def is_mendable(cause: BaseException | None) -> bool:
    """Whether what an instantiation failed from is a user's to mend: a value, a target that is none, memory."""
    return cause is None or isinstance(cause, MENDABLE) or is_out_of_memory(cause)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is numpy's, MemoryError, or torch's, a RuntimeError, that says it."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def one_line(error: BaseException) -> str:
    """What an error says, in one line, without where Hydra looked for it."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        part = str(error).rpartition("full_key: ")[2]
        if is_out_of_memory(error.__cause__):
            return f"{part} asks for more memory than there is: {str(error.__cause__).rpartition(': ')[2]}"
        if not isinstance(error.__cause__, ConfigError) and part.rpartition(".")[2] not in str(error.__cause__):
            return f"{part}: {one_line(error.__cause__)}"
        error = error.__cause__
    if isinstance(error, OverrideParseException):
        return unreadable(error)
    text, _, rest = str(error).split("Config search path")[0].partition("full_key:")
    text = re.sub(r" of type `?<class '[\w.]+'>`?", "", text)
    if (key := getattr(error, "full_key", None) or rest.strip().split("\n")[0]) and str(key) not in text:
        text = f"{key}: {text}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if unknown := re.search(r"Could not (?:find|load) '(.+)/(.+)'", text):
        group, name = unknown.groups()
        return f"{group}={name} is unknown; allowed: {', '.join(options_of(group, error)) or 'none'}"
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(lines))  # a file's could be anything


def options_of(group: str, error: BaseException) -> list[str]:
    """The options of a group in which Hydra missed one: it lists them, or says where it searched."""
    if options := getattr(error, "options", None):
        return [each for each in options if each != OPTION]
    folders = re.findall(r"path=file://(.+)", str(error))
    return sorted({path.stem for folder in folders for path in Path(folder, group).glob("*.yaml")})


def unreadable(error: OverrideParseException) -> str:
    """An override that Hydra's grammar has no place for, and how a text is written."""
    key, equals, value = error.override.partition("=")
    if not equals:
        return f"{error.override} is no override: those are KEY=VALUE"
    reason = str(error).splitlines()[0]
    why = "" if reason.startswith("Lexer") else f" ({reason})"  # the lexer says nothing that a user would know
    text = os.path.expanduser(value)  # the shell leaves a ~ behind = alone
    return f"{error.override} can't be read{why}; as a text it is written {shlex.quote(override(key, text))}"
