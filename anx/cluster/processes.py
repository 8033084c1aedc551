"""Processes of this machine without a scheduler: nothing else is needed, and none may die."""

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from anx.cores import count_cores
from anx.envs.workers import START_METHOD, no_main_module

P = ParamSpec("P")
Result = TypeVar("Result")


class Processes(ProcessPoolExecutor):
    """A pool of processes, with one thread each; where one dies, the run ends and says how it goes on.

    Args:
        workers: processes; None: one a core, as affinity, cgroup and OMP_NUM_THREADS have it.
        chunk: candidates a task; None: a part of the generation that is worth while.
    """

    def __init__(self, *, workers: int | None = None, chunk: int | None = None) -> None:
        for name, value in (("workers", workers), ("chunk", chunk)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be null or at least 1")
        self.workers = workers or count_cores()
        self.chunk = chunk
        context = multiprocessing.get_context(START_METHOD)
        super().__init__(self.workers, context, initializer=ignore_interrupts)

    def submit(self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        with no_main_module():  # of which the processes need nothing: a script needs no main guard
            return super().submit(fn, *args, **kwargs)


def ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of a terminal; the run decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
