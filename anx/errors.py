"""What a user can mend."""

from collections.abc import Sequence


class ConfigError(ValueError):
    """Something a user can mend: one line that names the key, the value and what is allowed."""

    code = 2  # with which a program exits


class InputsDoNotFitError(ConfigError):
    """An agent takes one number of inputs, and perturbations leave another."""


class LostError(ConfigError):
    """What a run needs besides itself is gone. The run has kept what it has, and can go on once that is there again."""

    code = 75  # as sysexits.h has it: a temporary failure, try again


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """ValueError for a value that is not among those allowed."""
    if value not in allowed:
        raise ValueError(f"{name}={value} is not one of {', '.join(allowed)}")
