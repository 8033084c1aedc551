"""Environments, and what one of one's own has to be: see `anx.envs.base`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anx.envs.base import HostEnvironment as HostEnvironment
    from anx.envs.base import TorchEnvironment as TorchEnvironment
    from anx.envs.check import check_env as check_env

HOMES = {"HostEnvironment": "base", "TorchEnvironment": "base", "check_env": "check"}


def __getattr__(name: str) -> object:
    """Imports what is asked for only then: a process that steps environments imports this package, too."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    import importlib

    return getattr(importlib.import_module(f"anx.envs.{HOMES[name]}"), name)
