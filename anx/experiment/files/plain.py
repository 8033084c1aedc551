"""Configurations in files of others: texts, numbers, lists and mappings, and nothing that refers to anything."""

from typing import Any

import yaml

from anx.errors import ConfigError

# Far more than any agent needs, little enough to be read at once.
MOST_CHARACTERS, MOST_VALUES, DEEPEST, LONGEST_TEXT = 1_000_000, 10_000, 20, 10_000


def read_yaml(text: str, source: str) -> Any:
    """Plain values from YAML; ConfigError, in the name of `source`, where it holds anything else."""
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{source} has a configuration of {len(text):,} characters; no agent needs that")
    try:
        content = yaml.safe_load(text)
    except Exception as error:  # what is no YAML can fail anywhere in its reader
        raise ConfigError(f"{source} has a configuration that is no YAML ({' '.join(str(error).split())})") from None
    check_plain(content, source)
    return content


def check_plain(content: Any, source: str) -> None:
    """Raise ConfigError, in the name of `source`, unless a configuration is plain values, and not too many."""
    waiting, count = [(content, 0)], 0
    while waiting:  # not by recursion: it may contain itself
        node, depth = waiting.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            raise ConfigError(f"{source} has a configuration with more values, or deeper ones, than any agent needs")
        if isinstance(node, dict):
            waiting += [(each, depth + 1) for pair in node.items() for each in pair]
            if names := [name for name in node if not isinstance(name, str)]:
                raise ConfigError(f"{source} has a configuration with the key {names[0]!r:.80}, which is no text")
        elif isinstance(node, list):
            waiting += [(each, depth + 1) for each in node]
        elif isinstance(node, str):
            if "${" in node or len(node) > LONGEST_TEXT:  # Hydra would look up what it refers to
                raise ConfigError(f"{source} has a configuration with {node!r:.80}, which is no plain text")
        elif not (node is None or isinstance(node, bool | int | float)):
            raise ConfigError(f"{source} has a configuration with a {type(node).__name__}, which is no plain value")
