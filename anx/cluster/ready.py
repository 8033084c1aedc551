"""Worker processes that can play from their first moment.

Dask starts them from threads of its own, a replacement at any time. Each would import the main module, so that a script
without a main guard would run once more, and then torch. These are forked from a server that has what they need, and
have nothing of the main module.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from anx.envs.workers import no_main_module

if sys.platform == "win32":
    from multiprocessing.context import SpawnContext as Context
    from multiprocessing.context import SpawnProcess as Process
else:
    from multiprocessing.context import ForkServerContext as Context
    from multiprocessing.context import ForkServerProcess as Process

# What takes a worker longest, imported once for all that are ever started. None of it starts a thread.
MODULES = ("distributed", "anx.rollout.chunk", "anx.experiment.build", "anx.rollout.device", "anx.rollout.host")


class ReadyProcess(Process):
    """A process that has nothing of the main module."""

    def start(self) -> None:
        with no_main_module():
            super().start()


class ReadyContext(Context):
    """What makes such processes."""

    Process = ReadyProcess


def start_workers_ready(modules: Sequence[str] = MODULES) -> None:
    """Let worker processes of Dask's that are started from now on be such processes.

    The server starts with the first process of any kind. Where one that steps environments has started it before,
    workers import these modules themselves.
    """
    from anx.internal.dask import start_workers_with

    context = ReadyContext()
    context.set_forkserver_preload(list(modules))
    start_workers_with(context)
