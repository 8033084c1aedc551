"""What a file may say of an agent: plain values, and components of anx's own or of packages that the user trusts.

A configuration names its components, and what is named is imported and called. The command line and the configs are the
user's own and may name anything; a file of an agent may be anybody's.
"""

import functools
import pkgutil
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from anx.errors import ConfigError
from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.config.values import check_types

NAME = re.compile(r"\w+(\.\w+)+")  # of a component
REFERENCE = re.compile(r"\$\{[\w.]+\}")  # to another key; what else stands in ${} calls something
USERS_OWN = ("trust", "teacher.trust", "teacher.overrides")  # keys that say what else may be named


def check_agent_config(config: object, source: str, trust: Sequence[str] = (), option: str = "trust=[{}]") -> None:
    """Raise ConfigError unless what a file says of its agent can be built without running anybody else's code.

    Args:
        config: plain values, as they were read.
        source: what the message begins with, weights=PATH.
        trust: packages whose components the file may name.
        option: how to trust one, for the message.
    """
    if isinstance(trust, str) or not (isinstance(trust, Sequence) and all(isinstance(each, str) for each in trust)):
        raise ConfigError(f"trust={trust} must be a list of packages, {option.format('my_package')}")
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in AGENT_KEYS):
        raise ConfigError(f"{source} must say of its agent what each of {', '.join(AGENT_KEYS)} is")
    name = config.get("name", "")
    if not (isinstance(name, str) and name.isprintable()):
        raise ConfigError(f"{source}: name={name!r} must be a text in one line")
    parts = {key: config[key] for key in AGENT_KEYS}
    for key, text in [("name", name), *texts_in(parts)]:
        if "${" in text:
            raise ConfigError(f"{source}: {key}={text!r:.80} refers to something; of an agent a file says plain values")
    foreign = []
    for part, node in parts.items():
        if not isinstance(node, dict) or "_target_" not in node:
            raise ConfigError(f"{source}: {part} must be a component, with a _target_")
        if "defaults" in node:  # Hydra would go and compose them
            raise ConfigError(f"{source}: {part}.defaults is nothing that a file can say")
        check_ids(node, f"{source}: {part}.", trust, option)
        for key, each in components_in(node, part):
            own = components()[part] if key == part else all_components()
            foreign += check_component(each, f"{source}: {key}", own, trust, option)
    for key, target in foreign:  # only now is anything imported
        check_place(key, target, trust)
    try:
        check_types(parts)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def check_component(
    node: dict[str, Any], key: str, own: Collection[str], trust: Sequence[str], option: str
) -> list[tuple[str, str]]:
    """Whether a file may name this component, going by its name alone; returns it, by its key, if it isn't anx's."""
    target = node.get("_target_")
    if not isinstance(target, str) or not NAME.fullmatch(target):
        raise ConfigError(f"{key}._target_={target!r:.80} is no component's name")
    if target in own:
        special = [each for each in node if each.startswith("_") and each != "_target_"]
        if special:
            raise ConfigError(f"{key}.{special[0]} is nothing that a file can say")
        return []
    if not is_within(target, trust):
        raise ConfigError(
            f"{key}._target_={target} is none of anx's components there but code that could do anything; if you trust "
            f"it and the file, say {option.format(package_of(target))}"
        )
    return [(key, target)]


def check_ids(node: object, source: str, trust: Sequence[str], option: str) -> None:
    """Raise ConfigError where an id makes gymnasium import a package that is not trusted, or `kwargs` could lead there.

    An id is `id: PACKAGE:NAME`. What an environment does with its `kwargs` nobody knows: without trust in the package
    that it is of, they hold numbers, and texts that are names.

    Args:
        node: plain values.
        source: what the message begins with, up to the key that leads to `node`: "weights=PATH: env.".
        trust: packages that may be imported.
        option: how to trust one, for the message.
    """
    if isinstance(node, Mapping):
        package = package_of_id(node.get("id"))
        if package is not None and not is_within(package, trust):
            raise ConfigError(
                f"{source}id={node['id']!s:.80} imports {package}, code that could do anything; if you trust it and "
                f"the file, say {option.format(package.split('.')[0])}"
            )
        for name, child in node.items():
            if name == "kwargs" and package is None and not is_within(str(node.get("_target_")), trust):
                check_names(child, f"{source}kwargs")
            check_ids(child, f"{source}{name}.", trust, option)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, child in enumerate(node):
            check_ids(child, f"{source}{index}.", trust, option)


def package_of_id(id: object) -> str | None:
    """What gymnasium would import for an id; None: nothing."""
    return id.rpartition(":")[0] if isinstance(id, str) and ":" in id else None


def check_names(node: object, key: str) -> None:
    """Raise ConfigError unless every text in a tree of values is a name: no path, no address, no code."""
    if isinstance(node, str) and not re.fullmatch(r"[\w-]*", node):
        raise ConfigError(f"{key}={node!r:.80} could lead anywhere; a file may say numbers there, and names")
    if isinstance(node, Mapping):
        for name, child in node.items():
            check_names(name, key)
            check_names(child, f"{key}.{name}")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for child in node:
            check_names(child, key)


def nested(key: str, value: object) -> object:
    """What an override makes of a configuration: `a.b` and 1 -> {a: {b: 1}}."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def check_place(key: str, target: str, trust: Sequence[str]) -> None:
    """Whether a name of a trusted package leads to something of that package, not on to what it imports."""
    try:
        found = pkgutil.resolve_name(target)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{key}._target_={target} can't be imported ({error})") from None
    place = f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', None)}"
    if not callable(found) or not is_within(place, trust):
        raise ConfigError(f"{key}._target_={target} is no component of what is trusted ({', '.join(trust)})")


def check_overrides(overrides: Sequence[str], source: str, trust: Sequence[str] = ()) -> None:
    """Raise ConfigError unless a file's overrides name components as a file's configuration may, and leave Hydra alone.

    Args:
        overrides: as on a command line.
        source: of them, what the message begins with.
        trust: packages whose components they may name.
    """
    own = all_components()
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key, value = override.key_or_group, override.value()
        *_, last = key.split(".")
        foreign = any("/" in text or ".." in text for _, text in texts_in(value)) and is_group(key)
        if re.match(r"hydra\b", key) or override.is_sweep_override() or key in USERS_OWN or foreign:
            raise ConfigError(f"{source}: {override.input_line} must be given on the command line, not in a file")
        check_references(value, f"{source}: {key}")
        check_ids(nested(key, value), f"{source}: ", trust, "trust=[{}]")
        for name, node in components_in({last: value} if last.startswith("_") else value, key):
            for found, target in check_component(node, f"{source}: {name}", own, trust, "trust=[{}]"):
                check_place(found, target, trust)


def is_group(key: str) -> bool:
    """Whether what is said of a key is a choice of one of anx's configs."""
    return Path(config_folder(), key.split("@")[0]).is_dir()


def check_references(value: object, key: str) -> None:
    """Raise ConfigError where a file's override calls a resolver, or where an id, which is to be checked, refers on."""
    for name, text in texts_in(value, key):
        if "${" in REFERENCE.sub("", text) or ("${" in text and name.split(".")[-1] == "id"):
            raise ConfigError(f"{name}={text!r:.80} must be given on the command line, not in a file")


@functools.cache
def components() -> dict[str, dict[str, frozenset[str]]]:
    """anx's own components: of each part of an agent those that its group of configs names, with their keys there."""
    found: dict[str, dict[str, frozenset[str]]] = {group: {} for group in AGENT_KEYS}
    for group, named in found.items():
        for path in Path(config_folder(), group).iterdir():
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if target := content.get("_target_"):
                named[target] = named.get(target, frozenset()) | set(content)
    return found


def all_components() -> frozenset[str]:
    """anx's own components of any part."""
    return frozenset().union(*components().values())


def components_in(node: object, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping that names a component or tells Hydra how to call one, by its key."""
    if isinstance(node, Mapping):
        if any(str(each).startswith("_") for each in node):
            yield key, dict(node)
        for name, child in node.items():
            yield from components_in(child, f"{key}.{name}")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, child in enumerate(node):
            yield from components_in(child, f"{key}.{index}")


def texts_in(node: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree of values, also those that are keys, by its key."""
    if isinstance(node, str):
        yield key, node
    elif isinstance(node, Mapping):
        for name, child in node.items():
            below = f"{key}.{name}" if key else str(name)
            yield below, str(name)
            yield from texts_in(child, below)
    elif isinstance(node, Sequence):
        for child in node:
            yield from texts_in(child, key)


def packages_to_trust(config: Mapping[str, Any]) -> list[str]:
    """What must be trusted by whoever builds the agent of a resolved configuration from its file; often nothing."""
    own = all_components()
    found = [each for part in AGENT_KEYS if part in config for each in components_in(config[part], part)]
    targets = [str(node["_target_"]) for _, node in found if "_target_" in node]
    imported = [package_of_id(node.get("id")) for _, node in found]
    ids = [package.split(".")[0] for package in imported if package is not None]
    return sorted({*(package_of(target) for target in targets if target not in own), *ids})


def trust_override(config: Mapping[str, Any]) -> list[str]:
    """The same as an argument of a command line; none where nothing must be trusted."""
    packages = packages_to_trust(config)
    return [f"trust=[{','.join(packages)}]"] if packages else []


def package_of(target: str) -> str:
    """The package that a component is of; in anx, which is no stranger's, the component itself."""
    package = target.split(".")[0]
    return target if package == "anx" else package


def is_within(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name is one of `packages` or below one."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)
