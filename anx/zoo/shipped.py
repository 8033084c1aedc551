"""The agents that ship with anx, by name: `anx:cartpole` is the file `cartpole.safetensors` in this folder."""

from pathlib import Path

from anx.errors import ConfigError

PREFIX = "anx:"
FOLDER = Path(__file__).parent
SUFFIX = ".safetensors"


def shipped_names() -> list[str]:
    """Those that there are, without the prefix."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def is_shipped(weights: object) -> bool:
    """Whether weights are named as those of an agent that ships, and not as a file."""
    return str(weights).startswith(PREFIX)


def find_shipped(weights: object, key: str) -> Path:
    """The file of an agent that ships.

    Args:
        weights: anx:NAME.
        key: of the weights, for a message that there are none of that name.
    """
    name, names = str(weights).removeprefix(PREFIX), shipped_names()
    if name not in names:
        raise ConfigError(f"{key}={weights} is not one of {', '.join(PREFIX + each for each in names)}")
    return FOLDER / f"{name}{SUFFIX}"
