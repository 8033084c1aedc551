"""Whether a run fits this machine, before it starts."""

import os
from collections.abc import Iterable

from anx.errors import ConfigError
from anx.learners.base import Need

BYTES = 8  # of a number of double precision


def check_memory(needs: Iterable[Need]) -> None:
    """Raise ConfigError where the least that a run has to hold at once is more than all memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else float("inf")
    for need in needs:
        if need.numbers * BYTES > memory:
            raise ConfigError(
                f"{need.key}={need.value} needs {need.numbers * BYTES / 1e9:,.0f} GB of memory at least; this machine "
                f"has {memory / 1e9:,.0f} GB"
            )
