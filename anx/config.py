"""The configuration: checked before anything is built; what is wrong ends in one line."""

import contextlib
import functools
import inspect
import itertools
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import hydra
from hydra._internal.utils import _locate
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anx.seeds import LARGEST

# What a component's constructor raises when a value in its config is wrong.
MENDABLE = (ValueError, TypeError, ImportError)


class ConfigError(ValueError):
    """Something a user can mend: one line that names the key, the value and what is allowed."""


def config_folder() -> str:
    """The folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return str(inside if inside.is_dir() else package.parent / "configs")


def check(config: DictConfig) -> None:
    """Everything that can be said without building: types, counts, and keys that must fit each other."""
    check_ablations(config)
    check_types(OmegaConf.to_container(config, resolve=True))
    check_integer("seed", config.seed, least=0, most=LARGEST)
    check_integer("trainer.max_steps", config.trainer.max_steps, least=1)
    if config.trainer.get("accumulate_grad_batches", 1) != 1:
        raise ConfigError(
            f"trainer.accumulate_grad_batches={config.trainer.accumulate_grad_batches} must be 1: "
            "a step is a generation"
        )
    popsize, processes = config.optimizer.popsize, processes_of(config)
    if popsize % processes:
        raise ConfigError(
            f"optimizer.popsize={popsize} is not divisible by the {processes} processes (trainer.devices times "
            "trainer.num_nodes) that share a generation"
        )


def processes_of(config: DictConfig) -> int:
    """How many processes will share a generation; 1 where Lightning decides."""
    devices = config.trainer.get("devices", 1)
    if isinstance(devices, str):
        devices = int(devices) if devices.isdigit() else 1
    elif OmegaConf.is_list(devices):
        devices = len(devices)
    return max(devices, 1) * config.trainer.get("num_nodes", 1)


def check_ablations(config: DictConfig) -> None:
    """Whether the chosen ablations go together, and with what they are an ablation of.

    Each says in `ablations.NAME` which keys it `changes` and the classes of parts that it `needs`.
    """
    chosen: dict[str, dict[str, Any]] = OmegaConf.to_container(config.ablations)  # type: ignore[assignment]
    for (one, a), (other, b) in itertools.combinations(chosen.items(), 2):
        for key, same in itertools.product(a["changes"], b["changes"]):
            if f"{key}.".startswith(f"{same}.") or f"{same}.".startswith(f"{key}."):
                both = min(key, same, key=len)
                raise ConfigError(f"ablation={one} and ablation={other} contradict each other: both change {both}")
    for name, ablation in chosen.items():
        for part, wanted in ablation.get("needs", {}).items():
            actual = config[part]._target_.rsplit(".", 1)[-1]
            if actual != wanted:
                raise ConfigError(f"ablation={name} is for agents with {part} {wanted}; this one has {actual}")


def describe_ablations() -> str:
    """The ablations for the help, a line each: the first sentence of their files."""
    lines = []
    for path in sorted(Path(config_folder(), "ablation").glob("*.yaml")):
        comments = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        sentence = next(line[2:] for line in comments if not line.startswith("# @package"))
        lines.append(f"{path.stem:20}{sentence}")
    return "\n".join(lines)


OmegaConf.register_new_resolver("anx.ablations", describe_ablations, replace=True)


def check_types(node: Any, key: str = "") -> None:
    """Every value that a `_target_` will be called with is for an argument that it has, and fits its annotation."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_types(item, f"{key}.{index}")
    if not isinstance(node, dict):
        return
    if node.get("_target_", "").startswith("anx."):
        target = _locate(node["_target_"])
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
        arguments = inspect.signature(target).parameters
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments.values())
        for name, value in node.items():
            if not (takes_any or name in arguments or name.startswith("_")):
                allowed = ", ".join(argument for argument in arguments if argument in node) or "none"
                raise ConfigError(f"{key}.{name}={value} is no argument of {target.__name__}; allowed: {allowed}")
            if name in hints and not fits(value, hints[name]):
                raise ConfigError(f"{key}.{name}={value} must be {describe(hints[name])}")
    for name, value in node.items():
        check_types(value, f"{key}.{name}" if key else str(name))


def with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """A part's config with what its constructor takes where it says nothing: what an older version was built with."""
    arguments = inspect.signature(_locate(config["_target_"])).parameters.values() if config.get("_target_") else ()
    return {each.name: each.default for each in arguments if each.default is not inspect.Parameter.empty} | config


def check_integer(key: str, value: Any, least: int, most: int | None = None) -> None:
    """Whether a value is an integer, large enough and small enough."""
    if not fits(value, int) or value < least or (most is not None and value > most):
        bounds = f"at least {least}" + (f" and at most {most}" if most is not None else "")
        raise ConfigError(f"{key}={value} must be an integer, {bounds}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from a config fits a type annotation; annotations that configs cannot express fit anything."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    return True


def describe(hint: Any) -> str:
    """A type annotation in plain words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        return f"a list, each item {describe(arguments[0])}"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
    return names.get(hint, str(hint))


def check_writable(folder: str | Path) -> None:
    """Create a folder and write to it, or say that it cannot be done."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: str | Path, error: OSError) -> ConfigError:
    return ConfigError(f"folder {folder} can't be written ({error.strerror}); choose another one")


def run_main(task: Callable[[DictConfig], Any], config_name: str) -> None:
    """Compose the configuration from the command line and run `task` with it; what a user can mend exits with 2.

    HYDRA_FULL_ERROR=1 shows the whole traceback instead.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(task)()
        return

    started = False

    @functools.wraps(task)
    def guarded(config: DictConfig) -> Any:
        nonlocal started
        started = True
        with one_line_errors():  # inside Hydra, which would print a line of its own
            return task(config)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print its own account and exit with 1
    try:
        with one_line_errors():
            try:
                hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(guarded)()
            except OSError as error:
                if started or isinstance(error, HydraException):
                    raise
                raise unwritable(str(error.filename), error) from None
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can mend ends here, in one line and with exit code 2."""
    try:
        yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if isinstance(error, InstantiationException) and not isinstance(error.__cause__, MENDABLE):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def one_line(error: BaseException) -> str:
    """What an error says, in one line, without where Hydra looked for it."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    text = str(error).split("Config search path")[0].split("full_key:")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if unknown := re.search(r"Could not (?:find|load) '(.+)/(.+)'", text):
        group, name = unknown.groups()
        allowed = ", ".join(sorted(path.stem for path in Path(config_folder(), group).glob("*.yaml")))
        return f"{group}={name} is unknown; allowed: {allowed}"
    return " ".join(lines)
