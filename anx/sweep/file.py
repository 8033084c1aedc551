"""A W&B sweep file: what `wandb sweep` takes, read and checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from anx.errors import ConfigError
from anx.experiment.config.values import check_integer
from anx.sweep.command import Flags, read_command
from anx.sweep.distribution import Choice, Distribution, Range, Value, Weighted, is_number

Content = Mapping[str, object]  # of a YAML mapping, not yet checked

METHODS = ("grid", "random", "bayes")
GOALS = ("maximize", "minimize")
KEYS = (
    *("command", "description", "early_terminate", "entity", "method", "metric", "name", "parameters", "program"),
    *("project", "run_cap"),
)
# What each distribution takes, W&B's names.
DISTRIBUTIONS = {
    "constant": ("value",),
    "categorical": ("values", "probabilities"),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "q_uniform": ("min", "max", "q"),
    "log_uniform_values": ("min", "max"),
}
OPTIONAL = ("probabilities", "q")
MOST_VALUES = 10_000
QUOTED = "quote it for Hydra, too: \"'...'\""


@dataclass(frozen=True)
class SweepFile:
    """A sweep as its file states it."""

    path: Path
    method: str  # one of METHODS
    metric: str
    maximize: bool
    parameters: dict[str, Distribution]
    flags: Flags  # of every run
    overrides: list[str]  # of every run
    run_cap: int | None
    early_terminate: bool  # whether the file asks for it

    @property
    def name(self) -> str:
        return self.path.stem


def read_sweep_file(path: str | Path) -> SweepFile:
    """Read a sweep file; ConfigError names what this project cannot do with it."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"sweep file {path} can't be read ({getattr(error, 'strerror', error)})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"sweep file {path} is no YAML: {' '.join(str(error).split())}") from None
    try:
        return parse(path, content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse(path: Path, content: object) -> SweepFile:
    """The sweep of a file's content."""
    content = mapping("a sweep file", content, KEYS)
    method = one_of("method", content.get("method"), METHODS)
    metric, maximize = read_metric(content.get("metric"))
    parameters = mapping("parameters", content.get("parameters"))
    if not parameters:
        raise ConfigError("parameters={} must name a key to sweep")
    flags, overrides = read_command(
        content.get("command"), content.get("program"), [key.lstrip("+") for key in parameters]
    )
    return SweepFile(
        path=path,
        method=method,
        metric=metric,
        maximize=maximize,
        parameters={key: read_parameter(key, each, method) for key, each in parameters.items()},
        flags=flags,
        overrides=overrides,
        run_cap=read_cap(content.get("run_cap")),
        early_terminate=content.get("early_terminate") is not None,
    )


def read_metric(content: object) -> tuple[str, bool]:
    """What is compared: a metric's name, and whether more of it is better."""
    metric = mapping("metric", content, ("name", "goal"))
    name = metric.get("name")
    if not isinstance(name, str):
        raise ConfigError(f"metric.name={name} must be the name of a metric that a run logs")
    return name, one_of("metric.goal", metric.get("goal", "minimize"), GOALS) == "maximize"  # W&B's default


def read_cap(content: object) -> int | None:
    """How many runs there are at most."""
    if content is None:
        return None
    check_integer("run_cap", content, least=1)
    return cast(int, content)


def read_parameter(key: str, content: object, method: str) -> Distribution:
    """What a swept key may be."""
    name = f"parameters.{key}"
    if isinstance(content, dict) and "parameters" in content:
        raise ConfigError(f"{name}.parameters is not allowed: write nested keys with dots, pooler.num_queries")
    content = mapping(name, content, ("distribution", "max", "min", "probabilities", "q", "value", "values"))
    kind = one_of(f"{name}.distribution", content.get("distribution", guess(content)), tuple(DISTRIBUTIONS))
    takes = DISTRIBUTIONS[kind]
    if set(content) - {"distribution"} - set(takes) or set(takes) - set(OPTIONAL) - set(content):
        raise ConfigError(f"{name}={content} has wrong keys; {kind} takes {', '.join(takes)}")
    if kind == "constant":
        return Choice([plain(key, f"{name}.value", content["value"])])
    if "values" in takes:
        return read_choice(key, name, content, method)
    return read_range(name, content, kind, method)


def guess(content: Content) -> str:
    """The distribution that W&B takes where the file names none."""
    if "value" in content:
        return "constant"
    if "values" in content:
        return "categorical"
    integers = all(isinstance(content.get(end, 0), int) for end in ("min", "max"))
    return "int_uniform" if integers else "uniform"


def read_choice(key: str, name: str, content: Content, method: str) -> Choice | Weighted:
    """Values that are listed."""
    values, probabilities = content["values"], content.get("probabilities")
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{name}.values={values} must be a list with at least one value")
    values = [plain(key, f"{name}.values", value) for value in values]
    if len(set(map(str, values))) < len(values):
        raise ConfigError(f"{name}.values={values} holds a value twice")
    if probabilities is None:
        return Choice(values)
    if method != "random":
        raise ConfigError(f"{name}.probabilities={probabilities} is allowed with method=random only")
    listed = probabilities if isinstance(probabilities, list) else []
    parts = [each for each in listed if is_number(each) and each >= 0]
    if not len(parts) == len(listed) == len(values) or abs(sum(parts) - 1) > 1e-6:
        raise ConfigError(f"{name}.probabilities={probabilities} must be {len(values)} numbers that sum to 1")
    return Weighted(values, parts)


def read_range(name: str, content: Content, kind: str, method: str) -> Distribution:
    """Numbers between two; those in steps are as good as listed."""
    low, high, step = (read_number(f"{name}.{key}", content.get(key, 1), kind) for key in ("min", "max", "q"))
    if low >= high:
        raise ConfigError(f"{name}.min={low} must be less than {name}.max={high}")
    if kind == "log_uniform_values" and low <= 0:
        raise ConfigError(f"{name}.min={low} must be greater than 0 for {kind}")
    if kind in ("uniform", "log_uniform_values"):
        if method == "grid":
            raise ConfigError(f"{name}.distribution={kind} has no end of values for method=grid; allowed: values, q")
        return Range(float(low), float(high), log=kind == "log_uniform_values")
    return read_steps(name, low, high, step)


def read_number(name: str, value: object, kind: str) -> int | float:
    """An end of a range, or the width of its steps."""
    if is_number(value) and math.isfinite(value) and (kind != "int_uniform" or isinstance(value, int)):
        return value
    kind_of_number = "an integer" if kind == "int_uniform" else "a number (1.0e-3, not 1e-3)"
    raise ConfigError(f"{name}={value} must be {kind_of_number}")


def read_steps(name: str, low: int | float, high: int | float, step: int | float) -> Choice:
    """Numbers between two in steps."""
    if step <= 0 or (high - low) / step > MOST_VALUES:
        raise ConfigError(f"{name}: min={low}, max={high} in steps of {step} must be at most {MOST_VALUES} values")
    first, last = round(low / step), round(high / step)  # W&B: round(x / q) * q
    if isinstance(step, int):
        return Choice(range(first * step, last * step + 1, step))
    return Choice([float(f"{each * step:.10g}") for each in range(first, last + 1)])


def plain(key: str, name: str, value: object) -> Value:
    """A value that reaches a run as W&B's agent writes it, KEY=VALUE; a text is in Hydra's grammar."""
    if not isinstance(value, bool | int | float | str) or value == "":
        raise ConfigError(
            f'{name}={value} must be a number, true, false or a text; null and lists are texts: "null", "[32,32]"'
        )
    try:
        (parsed,) = OverridesParser.create().parse_overrides([f"{key}={value}"])
    except HydraException:
        raise ConfigError(f"{name}={value} is not taken by Hydra; {QUOTED}") from None
    if parsed.is_sweep_override():
        raise ConfigError(f"{name}={value} is several values to Hydra; list them, or {QUOTED}")
    return value


def mapping(name: str, value: object, allowed: tuple[str, ...] | None = None) -> dict[str, object]:
    """A mapping, with no other keys than those allowed."""
    if not isinstance(value, dict):
        raise ConfigError(f"{name}={value} must be a mapping" + (f" of {', '.join(allowed)}" if allowed else ""))
    for key in value:
        if allowed and key not in allowed:
            raise ConfigError(f"{name} has an unknown key {key}={value[key]}; allowed: {', '.join(allowed)}")
    return {str(key): each for key, each in value.items()}


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ConfigError(f"{name}={value} is unknown; allowed: {', '.join(allowed)}")
    return str(value)
