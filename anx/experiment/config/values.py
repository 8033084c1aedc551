"""The values of a configuration: whether each is one that its component takes."""

import inspect
import math
import pkgutil
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Union

from typing_extensions import is_protocol

from anx.errors import ConfigError
from anx.seeds import LARGEST

MOST_INTEGER = 2**31 - 1  # more of anything fits no machine
MOST_OF = {"seed": LARGEST, "max_env_steps": 2**53}  # but what takes no room: steps are logged as doubles

# What Hydra's instantiate takes besides arguments.
INSTANTIATE = {
    "_target_": str,
    "_partial_": bool,
    "_recursive_": bool,
    "_convert_": Literal["none", "partial", "object", "all"],
}


def check_types(node: object, key: str = "") -> None:
    """Every value that a `_target_` will be called with is for an argument that it has, and fits its annotation."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_types(item, f"{key}.{index}")
    if not isinstance(node, dict):
        return
    for name, hint in INSTANTIATE.items():
        if name in node and not fits(node[name], hint):
            raise ConfigError(f"{key}.{name}={node[name]} must be {in_words(hint)}")
    if "_target_" in node:
        target = locate(f"{key}._target_", node["_target_"])
        arguments, hints = signature_of(target)
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments.values())
        for name, value in node.items():
            if not (takes_any or name in arguments or name.startswith("_")):
                allowed = ", ".join([each for each in arguments if each in node] or arguments) or "none"
                raise ConfigError(f"{key}.{name}={value} is no argument of {target.__name__}; allowed: {allowed}")
            if name in hints and not fits(value, hints[name]):
                raise ConfigError(f"{key}.{name}={value} must be {in_words(hints[name])}")
            if fits(value, int):
                most = MOST_OF.get(name, MOST_INTEGER)
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


def difference(key: str, then: object, now: object, free: Collection[str] = ()) -> tuple[str, object, object] | None:
    """The first key, at `key` or below it, whose values differ in two configurations, with both; None if there is none.

    What `then` says may be anybody's: nothing that only it names is imported. Where it lacks an argument, an older
    version had not got it: it is what it would be by default.

    Args:
        key: of both.
        then: an earlier configuration, from a file.
        now: the one of now.
        free: keys that may differ.
    """
    if key in free:
        return None
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return (key, then, now) if then != now else None
    if "_target_" not in now:  # parts by name, in an order that counts
        if list(then) != list(now):
            return key, list(then), list(now)
    elif then.get("_target_") == now["_target_"]:  # else the earlier one's is not even looked up
        then, now = with_defaults(then), with_defaults(now)
    found = (difference(f"{key}.{name}", then.get(name), now.get(name), free) for name in sorted({*then, *now}))
    return next(filter(None, found), None)


def check_integer(key: str, value: object, least: int, most: int = MOST_INTEGER) -> None:
    """Whether a value is an integer, large enough and not absurdly large."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{key}={value} must be an integer, at least {least}")
    if value > most:
        raise ConfigError(f"{key}={value} must be an integer, at most {most}")


def check_once(names: Sequence[object], said: str) -> None:
    """ConfigError where a name comes more than once in what is said: it would be chosen once."""
    if twice := sorted({str(each) for each in names if names.count(each) > 1}):
        raise ConfigError(f"{said} names {', '.join(twice)} twice; each can be chosen once")


def fits(value: object, hint: object) -> bool:
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
        return type(value) is int or (isinstance(value, float) and math.isfinite(value))
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if inspect.isclass(hint) and origin is None and hint not in (Any, object):
        component = isinstance(value, dict) and "_target_" in value
        return component or (not is_protocol(hint) and isinstance(value, hint))
    return True


def in_words(hint: object) -> str:
    """A type annotation in plain words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(in_words(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        return f"a list, each item {in_words(arguments[0])}"
    if origin is dict or hint is dict:
        return "a mapping"
    names: dict[object, str] = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a text",
        type(None): "null",
    }
    return names.get(hint, getattr(hint, "__name__", str(hint)))
