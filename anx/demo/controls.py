"""What a person may change while an agent plays, and the words in which a browser asks for it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import NamedTuple

from anx.errors import ConfigError
from anx.perturb.actuators import DropActuators, PermuteActuators
from anx.perturb.base import Perturbation
from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle
from anx.seeds import LARGEST

Values = dict[str, object]


@dataclass(frozen=True)
class Allowed:
    """What a value may be.

    Args:
        kind: bool, int, float or str.
        least: of a number.
        most: of a number; of a text, its length.
        null: whether it may be null.
    """

    kind: type
    least: float = 0
    most: float = 0
    null: bool = False

    def check(self, name: str, value: object) -> None:
        """ConfigError, with what is allowed, unless it may."""
        if not (value is None and self.null) and not self._holds(value):
            raise ConfigError(f"{name}={json.dumps(value)[:40]} must be {self._in_words()}")

    def _holds(self, value: object) -> bool:
        if self.kind in (bool, str):
            return isinstance(value, self.kind)
        kinds = int | float if self.kind is float else int
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most

    def _in_words(self) -> str:
        names = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
        numbers = f" from {self.least:g} to {self.most:g}" if self.most else ""
        return names[self.kind] + numbers + (", or null" if self.null else "")


def may_be(default: object, allowed: Allowed) -> object:
    """A control with its default; typed as the field that it is assigned to."""
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True)
class Controls:
    """What befalls the inputs, in this order: some are missing, come several times, noise joins, all are shuffled; and
    the actions: actuators obey others' components, some do nothing.

    The arguments are those of the perturbations in `anx.perturb.inputs` and `anx.perturb.actuators`.
    """

    ratio: float = may_be(0.0, Allowed(float, 0, 0.95))  # type: ignore[assignment]  # missing
    times: int = may_be(1, Allowed(int, 1, 4))  # type: ignore[assignment]  # how often each comes
    channels: int = may_be(0, Allowed(int, 0, 50))  # type: ignore[assignment]  # of noise
    sigma: float = may_be(0.1, Allowed(float, 0, 5))  # type: ignore[assignment]  # of noise
    shuffle: bool = may_be(False, Allowed(bool))  # type: ignore[assignment]
    every: int | None = may_be(None, Allowed(int, 1, 10_000, null=True))  # type: ignore[assignment]  # steps
    gain: bool = may_be(True, Allowed(bool))  # type: ignore[assignment]  # what is pooled is scaled for more inputs
    permute: bool = may_be(False, Allowed(bool))  # type: ignore[assignment]  # the actuators
    dropped: float = may_be(0.0, Allowed(float, 0, 1))  # type: ignore[assignment]  # of the actuators
    background: str | None = may_be(None, Allowed(str, null=True))  # type: ignore[assignment]

    def with_values(self, values: Mapping[str, object]) -> "Controls":
        """The same with some values set; ConfigError, which names the control, where one is none."""
        for name, value in values.items():
            if name not in CONTROLS:
                raise ConfigError(f"{name[:40]} is no control; allowed: {', '.join(CONTROLS)}")
            CONTROLS[name].check(name, value)
        return replace(self, **values)  # type: ignore[arg-type]

    def perturbations(self) -> dict[str, Perturbation]:
        """Those that do something, by name in their order."""
        offered: dict[str, Callable[[], Perturbation] | None] = {
            "occlude": (lambda: Occlude(self.ratio)) if self.ratio else None,
            "duplicate": (lambda: Duplicate(self.times)) if self.times > 1 else None,
            "noise": (lambda: Noise(self.channels, self.sigma)) if self.channels else None,
            "shuffle": (lambda: Shuffle(self.every)) if self.shuffle else None,
            "permute_actuators": PermuteActuators if self.permute else None,
            "drop_actuators": (lambda: DropActuators(self.dropped)) if self.dropped else None,
        }
        return {name: make() for name, make in offered.items() if make is not None}

    def as_values(self) -> Values:
        """All of them by name."""
        return asdict(self)


CONTROLS: dict[str, Allowed] = {each.name: each.metadata["allowed"] for each in fields(Controls)}

# What a browser may ask for, and with which values.
COMMANDS: dict[str, dict[str, Allowed]] = {
    "set": CONTROLS,
    "shuffle": {},  # now
    "permute": {},  # now
    "pause": {"on": Allowed(bool)},
    "step": {},
    "speed": {"times": Allowed(float, 0.05, 20, null=True)},  # null: as fast as it goes
    "restart": {"seed": Allowed(int, 0, LARGEST, null=True)},  # null: the same one
    "seen": {"frame": Allowed(int, 0, 2**53)},
}


class Command(NamedTuple):
    """What a browser asks for."""

    do: str  # one of COMMANDS
    values: Values


def read_command(text: str) -> Command:
    """A message {"do": NAME, ...}; ConfigError where it is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("a message must be JSON") from None
    if not isinstance(message, dict) or message.get("do") not in list(COMMANDS):
        raise ConfigError(f'a message must be {{"do": one of {", ".join(COMMANDS)}}}')
    do = message.pop("do")
    for name, value in message.items():
        if name not in COMMANDS[do]:
            raise ConfigError(f"{do}: {name[:40]} is unknown; allowed: {', '.join(COMMANDS[do]) or 'nothing'}")
        COMMANDS[do][name].check(name, value)
    return Command(do, message)
