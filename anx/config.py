"""The configuration: checked before anything is built; what is wrong ends in one line."""

import contextlib
import functools
import inspect
import itertools
import os
import pkgutil
import re
import shlex
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anx.commands import override
from anx.overrides import config_folder, for_hydra
from anx.seeds import LARGEST
from anx.signals import interruption_exits

# What a component's constructor raises when a value in its config is wrong.
MENDABLE = (ValueError, TypeError, ImportError, OverflowError)


MOST_INTEGER = 2**31 - 1  # more of anything fits no machine

# What Hydra's instantiate takes besides arguments.
INSTANTIATE = {
    "_target_": str,
    "_partial_": bool,
    "_recursive_": bool,
    "_convert_": Literal["none", "partial", "object", "all"],
}


class ConfigError(ValueError):
    """Something a user can mend: one line that names the key, the value and what is allowed."""


def check(config: DictConfig) -> None:
    """Everything that can be said without building: types, counts, and keys that must fit each other."""
    check_ablations(config)
    check_types(OmegaConf.to_container(config, resolve=True))
    if not fits(config.get("name"), str):
        raise ConfigError(f"name={config.get('name')} must be a text")
    for key in ("weights", "ckpt_path"):
        if not fits(config.get(key), str | None):
            raise ConfigError(f"{key}={config.get(key)} must be a file or null")
    check_integer("seed", config.seed, least=0, most=LARGEST)
    if config.trainer.get("max_time") is None or config.trainer.get("max_steps") != -1:  # -1: while there is time
        check_integer("trainer.max_steps", config.trainer.get("max_steps"), least=1)
    if config.trainer.get("accumulate_grad_batches", 1) != 1:
        raise ConfigError(
            f"trainer.accumulate_grad_batches={config.trainer.accumulate_grad_batches} must be 1: "
            "a step is a generation"
        )
    popsize, processes = config.optimizer.popsize, processes_of(config)
    if 1 < popsize < processes:
        raise ConfigError(
            f"optimizer.popsize={popsize} must be at least {processes}: a candidate for each of the processes "
            "(trainer.devices times trainer.num_nodes) that share a generation"
        )


def processes_of(config: DictConfig) -> int:
    """How many processes will share a generation; 1 where Lightning decides."""
    devices, nodes = config.trainer.get("devices", 1), config.trainer.get("num_nodes", 1)
    if isinstance(devices, str):
        devices = int(devices) if devices.isdecimal() else 1
    elif OmegaConf.is_list(devices):
        devices = len(devices)
    return max(devices, 1) * max(nodes, 1) if fits([devices, nodes], list[int]) else 1


def check_ablations(config: DictConfig) -> None:
    """Whether the chosen ablations go together, and with what they are an ablation of.

    Each says in `ablations.NAME` which keys it `changes` and the classes of parts that it `needs`.
    """
    chosen: Any = OmegaConf.to_container(config)["ablations"] if config.get("ablations") else {}  # type: ignore
    if not fits(chosen, dict[str, dict]) or not all("changes" in each for each in chosen.values()):
        raise ConfigError(f"ablations={chosen} is filled in by +ablation=NAME; --help lists the names")
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
    """The ablations for the help, a line each, those of a user's own folders included: what their files begin with."""
    loader = GlobalHydra.instance().config_loader()
    folders = [Path(each.path) for each in loader.get_sources() if each.scheme() == "file"]
    lines = []
    for name in loader.get_group_options("ablation"):
        paths = [path for folder in folders if (path := folder / "ablation" / f"{name}.yaml").is_file()]
        text = paths[0].read_text(encoding="utf-8") if paths else ""
        comments = [line[2:] for line in text.splitlines() if line.startswith("# ") and "@package" not in line]
        lines.append(f"{name:20}{comments[0] if comments else ''}".rstrip())
    return "\n".join(lines)


OmegaConf.register_new_resolver("anx.ablations", describe_ablations, replace=True)


def check_types(node: Any, key: str = "") -> None:
    """Every value that a `_target_` will be called with is for an argument that it has, and fits its annotation."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_types(item, f"{key}.{index}")
    if not isinstance(node, dict):
        return
    for name, hint in INSTANTIATE.items():
        if name in node and not fits(node[name], hint):
            raise ConfigError(f"{key}.{name}={node[name]} must be {describe(hint)}")
    if "_target_" in node:
        target = locate(f"{key}._target_", node["_target_"])
        arguments, hints = signature_of(target)
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments.values())
        for name, value in node.items():
            if not (takes_any or name in arguments or name.startswith("_")):
                allowed = ", ".join([each for each in arguments if each in node] or arguments) or "none"
                raise ConfigError(f"{key}.{name}={value} is no argument of {target.__name__}; allowed: {allowed}")
            if name in hints and not fits(value, hints[name]):
                raise ConfigError(f"{key}.{name}={value} must be {describe(hints[name])}")
            if fits(value, int):
                most = LARGEST if name == "seed" else MOST_INTEGER
                check_integer(f"{key}.{name}", value, least=0 if name == "seed" else -most, most=most)
    for name, value in node.items():
        check_types(value, f"{key}.{name}" if key else str(name))


def locate(key: str, name: Any) -> Any:
    """What a `_target_` names."""
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(f"{key}={name} can't be imported ({error})") from None


def signature_of(target: Any) -> tuple[Mapping[str, inspect.Parameter], dict[str, Any]]:
    """What a component takes, and the annotations that say of which kind; anything, where it does not say."""
    try:
        arguments = inspect.signature(target).parameters
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (ValueError, TypeError, NameError):  # not written in Python; annotated for type checkers only
        return {"any": inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)}, {}
    return arguments, hints


def with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """A part's config with what its constructor takes where it says nothing: what an older version was built with."""
    arguments = signature_of(locate("_target_", config["_target_"]))[0].values() if config.get("_target_") else ()
    return {each.name: each.default for each in arguments if each.default is not inspect.Parameter.empty} | {**config}


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key of an agent in which two configurations differ, with both values; None where it is the same one.

    Those of a file may be anybody's: nothing that only it names is imported.
    """
    for part in ("agent", "splitter", "neuron", "pooler", "policy"):
        now = ours.get(part, {})
        then = theirs.get(part, {"_target_": now.get("_target_")})
        if not isinstance(then, dict):
            return part, then, now
        if then.get("_target_") == now.get("_target_"):
            then, now = with_defaults(then), with_defaults(now)
        for key in sorted(then.keys() | now.keys()):
            if then.get(key) != now.get(key):
                return f"{part}.{key}", then.get(key), now.get(key)
    return None


def check_integer(key: str, value: Any, least: int, most: int = MOST_INTEGER) -> None:
    """Whether a value is an integer, large enough and not absurdly large."""
    if not fits(value, int) or value < least:
        raise ConfigError(f"{key}={value} must be an integer, at least {least}")
    if value > most:
        raise ConfigError(f"{key}={value} must be an integer, at most {most}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from a config fits a type annotation; annotations that configs cannot express fit anything."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if inspect.isclass(hint) and origin is None and hint not in (Any, object):
        return isinstance(value, hint) or (isinstance(value, dict) and "_target_" in value)
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
    if origin is dict or hint is dict:
        return "a mapping"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


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


def run_main(
    task: Callable[[DictConfig], Any], config_name: str, refused: Callable[[str], Any] = lambda reason: None
) -> None:
    """Compose the configuration from the command line and run `task` with it.

    What a user can mend exits with 2; of a multirun, once all jobs have had their turn. A signal ends everything, with
    130 or 143. HYDRA_FULL_ERROR=1 shows whole tracebacks instead of single lines. `refused` is told why `task` was not
    even started.
    """
    with interruption_exits():
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(task)()
        else:
            run_in_one_line(task, config_name, refused)


def run_in_one_line(task: Callable[[DictConfig], Any], config_name: str, refused: Callable[[str], Any]) -> None:
    """`run_main` with errors in one line each."""
    started = False

    @functools.wraps(task)
    def guarded(config: DictConfig) -> Any:
        nonlocal started
        started = True
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return one_of_many(task, config)
        with one_line_errors():  # inside Hydra, which would print a line of its own
            return task(config)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print its own account and exit with 1
    try:
        with one_line_errors(told=refused):
            sys.argv[1:] = for_hydra(sys.argv[1:])
            try:
                hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(guarded)()
            except OSError as error:
                if started or isinstance(error, HydraException | BrokenPipeError):
                    raise
                raise unwritable(error.filename or "of the run", error) from None
            except JobFailed as failed:
                raise SystemExit(failed.code) from None
            except SystemExit as end:
                if end.code and not started:  # Hydra's parser has printed what it does not take
                    refused(f"the command line can't be read: {shlex.join(sys.argv[1:])}")
                raise
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


class JobFailed(Exception):
    """A job of a multirun has failed and said why.

    Args:
        code: the exit code that it would have had alone.
    """

    def __init__(self, code: Any) -> None:
        super().__init__(code)
        self.code = code


def one_of_many(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """`task` as a job of a multirun: what would exit raises JobFailed, and Hydra goes on with the next job."""
    try:
        with one_line_errors(f"job {HydraConfig.get().job.num}: "):
            return task(config)
    except SystemExit as end:
        if end.code:
            raise JobFailed(end.code) from None
        return None


@contextlib.contextmanager
def one_line_errors(where: str = "", told: Callable[[str], Any] = lambda line: None) -> Iterator[None]:
    """What a user can mend ends here, in one line and with exit code 2.

    Args:
        where: it happened, if that has to be said.
        told: gets the line, too.
    """
    try:
        yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if isinstance(error, InstantiationException) and not is_mendable(error.__cause__):
            raise
        print(f"error: {where}{one_line(error)}", file=sys.stderr)
        told(one_line(error))
        raise SystemExit(2) from None


def is_mendable(cause: BaseException | None) -> bool:
    """Whether what an instantiation failed from is a user's to mend: a value, a target that is none, memory."""
    return cause is None or isinstance(cause, MENDABLE) or is_out_of_memory(cause)


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | RuntimeError) and "allocate memory" in str(error)  # torch: RuntimeError


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
        return list(options)
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
