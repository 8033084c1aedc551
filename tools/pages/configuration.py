"""The reference of all that can be configured, out of configs/ and the docstrings of what they build."""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import griffe
import yaml

# What Hydra takes for itself, and the tables of the paper.
SKIPPED = ("hydra", "defaults", "_target_", "_partial_", "_recursive_", "_convert_", "definitions")
PROGRAMS = {
    "config": "anx.run",
    "ablations": "anx.reproduce ablations",
    "zoo": "anx.reproduce zoo",
}
OPENING = re.compile(r"\A(?:# @package \S+\n)?((?:#.*\n)*)")


class Row(NamedTuple):
    """A key: where it is, what it is without a word from you, what it means."""

    key: str
    default: str
    meaning: str


def reference(configs: Path) -> str:
    """The whole reference as Markdown: what each program takes, then each group and its choices."""
    parts = []
    for path in sorted(configs.glob("*.yaml"), key=lambda path: (path.stem != "config", path.stem)):
        parts += [f"## `{PROGRAMS.get(path.stem, f'anx.{path.stem}')}`", choice(path, "")]
    for group in sorted(path for path in configs.iterdir() if path.is_dir() and path.name != "hydra"):
        parts.append(f"## {group.name}")
        for path in sorted(group.glob("*.yaml")):
            parts += [f"### `{chosen(group.name, path)}`", choice(path, f"{group.name}.")]
    return "\n\n".join(part for part in parts if part)


def chosen(group: str, path: Path) -> str:
    """How a choice is made on the command line."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if first == "# @package _global_":
        return f"+{group}={path.stem}"
    return f"{group}=[{path.stem}]" if first.startswith("# @package") else f"{group}={path.stem}"


def choice(path: Path, prefix: str) -> str:
    """What a file says: its opening comment, what it chooses in turn, and its keys."""
    text = path.read_text(encoding="utf-8")
    opening = OPENING.match(text)
    parts = [" ".join(line.lstrip("# ") for line in opening[1].splitlines())] if opening else []
    if package := re.match(r"# @package (\S+)", text):
        prefix = "" if package[1] == "_global_" else f"{package[1]}."
    node = yaml.compose(text)
    content = yaml.safe_load(text) or {}
    if target := content.get("_target_"):
        parts.append(f"Builds `{target}`.")
    if brought := [each for each in map(in_words, content.get("defaults", [])) if each]:
        parts.append(f"Brings {', '.join(f'`{each}`' for each in brought)}.")
    rows = list(keys(node, text, prefix)) if node else []
    if rows:
        lines = [f"| `{key}` | {coded(default)} | {meaning} |" for key, default, meaning in rows]
        parts.append("\n".join(["| key | default | |", "|---|---|---|", *lines]))
    return "\n\n".join(parts)


def in_words(default: object) -> str:
    """An entry of a defaults list as a command line would have it."""
    if isinstance(default, Mapping):
        ((key, value),) = default.items()
        name = re.sub(r"^(override|optional) ", "", str(key)).lstrip("/").partition("@")[0]
        return "" if name.startswith("hydra") or value in (None, []) else f"{name}={value}".replace("'", "")
    return "" if default == "_self_" else str(default)


def keys(node: yaml.Node, text: str, prefix: str) -> Iterator[Row]:
    """The keys of a mapping and of those in it. A key's meaning is the comment beside it, or else in the docstring."""
    arguments = arguments_of({key.value: value.value for key, value in node.value}.get("_target_", ""))
    for key, value in node.value:
        if key.value in SKIPPED:
            continue
        nested = isinstance(value, yaml.MappingNode) and not value.flow_style
        comment = beside(text, (key if nested else value).end_mark.index)
        meaning = (comment or arguments.get(key.value, "")).replace("|", "\\|")
        if not nested:
            default = " ".join(text[value.start_mark.index : value.end_mark.index].split())
            yield Row(prefix + key.value, default, meaning)
            continue
        built = {key.value: value.value for key, value in value.value}.get("_target_")
        if meaning or built:
            yield Row(prefix + key.value, "", ". ".join(filter(None, [meaning, built and f"Builds `{built}`"])))
        yield from keys(value, text, f"{prefix}{key.value}.")


def beside(text: str, index: int) -> str:
    """The comment between a place in a file and the end of its line."""
    return text[index:].partition("\n")[0].partition("#")[2].strip()


def coded(default: str) -> str:
    return f"`{default.replace('|', chr(92) + '|')}`" if default else ""


@functools.cache
def package() -> griffe.Module:
    return griffe.load("anx", search_paths=[str(Path(__file__).parents[2])], docstring_parser="google")


@functools.cache
def arguments_of(target: str) -> dict[str, str]:
    """What the docstring of one of anx's own classes or functions, or of those it inherits from, says of arguments."""
    found: dict[str, str] = {}
    if not target.startswith("anx."):
        return found
    component = package()[target.removeprefix("anx.")]
    for each in [*reversed(component.mro() if component.is_class else []), component]:
        for section in each.docstring.parsed if each.docstring else []:
            if section.kind is griffe.DocstringSectionKind.parameters:
                found |= {argument.name: " ".join(argument.description.split()) for argument in section.value}
    return found
