"""Whether a library is one that anx knows, where anx relies on what its authors do not promise."""

from collections.abc import Iterable
from importlib.metadata import version


def check_has(owner: object, names: Iterable[str], library: str) -> None:
    """RuntimeError unless a library's object has all attributes that anx relies on."""
    if missing := [name for name in names if not hasattr(owner, name)]:
        raise RuntimeError(f"{library} {version(library)} is not one that anx knows: it has no {', '.join(missing)}")
