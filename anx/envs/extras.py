"""Simulators that are extras: what is said where one is missing."""

import sys

from anx.errors import ConfigError


def missing(name: str, needs: str, extra: str, last: tuple[int, int] | None = None, instead: str = "") -> ConfigError:
    """The error of an environment, chosen by `env=NAME`, whose simulator is not installed.

    Args:
        name: of the environment.
        needs: the simulator.
        extra: of anx, that installs it.
        last: Python, major and minor, that it has a wheel for; None: every one.
        instead: what else can be chosen on a newer one.
    """
    here = sys.version_info[:2]
    if last is None or here <= last:
        return ConfigError(f"env={name} needs {needs}: pip install 'anx[{extra}]'")
    newest = "{}.{}".format(*last)
    return ConfigError(
        f"env={name} needs {needs}, which has no wheel for Python {'{}.{}'.format(*here)}: take Python {newest} "
        f"(make clean setup PYTHON=python{newest}), or {instead}"
    )
