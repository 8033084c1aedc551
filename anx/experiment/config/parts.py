"""The parts of a configuration. Each knows its arguments; the keys that these have in it are added here."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from hydra.errors import InstantiationException

from anx.errors import ConfigError

# The parts of a configuration that say what an agent is: what its weights need to be understood.
AGENT_KEYS = ("env", "agent", "splitter", "neuron", "pooler", "policy", "head", "rollout")

OPTION = "weights"  # of each of these parts' groups: what the file says of it that an agent is read from

ARGUMENT = re.compile(r"\w+(\.\w+)*=")  # what an error about an argument begins with


@contextmanager
def arguments_of(key: str) -> Iterator[None]:
    """A ValueError about an argument of the part at `key`, NAME=VALUE ..., names that key, too: KEY.NAME=VALUE ..."""
    try:
        yield
    except (ValueError, InstantiationException) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(cause, ValueError) or not ARGUMENT.match(str(cause)):
            raise
        named = isinstance(cause, ConfigError) or str(cause).startswith((f"{key}.", f"{key}="))
        raise ConfigError(str(cause) if named else f"{key}.{cause}") from None


def check_follows(config: Mapping[str, Mapping[str, object]], group: str, names: Iterable[str]) -> None:
    """ConfigError where `config` has a value for one of the arguments of the part at `group` that follow from others.

    It would be ignored, and whoever swept over it would compare a run with itself.
    """
    for name in names:
        if name in config[group]:
            value = config[group][name]
            raise ConfigError(f"{group}.{name}={value} can't be chosen: it follows from other parts; leave it out")
