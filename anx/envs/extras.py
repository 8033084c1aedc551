"""Simulators that are extras: what is said where one is missing."""

from anx.errors import ConfigError


def missing(name: str, needs: str, extra: str) -> ConfigError:
    """The error of an environment, chosen by `env=NAME`, whose simulator is not installed."""
    return ConfigError(f"env={name} needs {needs}: pip install 'anx[{extra}]'")
