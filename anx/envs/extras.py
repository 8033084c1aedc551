"""Simulators that are extras: what is said where one is missing."""

import platform
import sys

from anx.errors import ConfigError


def missing(name: str, needs: str, extra: str) -> ConfigError:
    """The error of an environment, chosen by `env=NAME`, whose simulator is not installed."""
    return ConfigError(f"env={name} needs {needs}: pip install 'anx[{extra}]'")


def without_pybullet() -> ConfigError:
    """The same of the Ant, whose simulator has not wheels everywhere: what else can be done there."""
    if sys.version_info < (3, 12) and sys.platform == "linux" and platform.machine() == "x86_64":
        return missing("ant", "PyBullet", "ant")
    return ConfigError(
        "env=ant needs PyBullet, whose wheels are for Python 3.11 and older on Linux (x86-64): take that (make clean "
        "setup PYTHON=python3.11), compile it (pip install pybullet), or +experiment=ant_mujoco"
    )
