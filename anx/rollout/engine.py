"""What carries work to other processes: an executor as `concurrent.futures` has them, and its faults."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from anx.errors import LostError

Result = TypeVar("Result")


class Engine(Protocol):
    """Plays chunks elsewhere. Any `concurrent.futures.Executor` is one.

    It may have attributes that say more; `said_by` knows what is meant where they are missing.
    """

    def submit(self, task: Callable[..., Result], /, *arguments: object) -> Future[Result]:
        """Call `task` with `arguments` in some process, once or, where that dies, again."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of all processes."""


class Said:
    """What an engine says of itself, or what holds where it says nothing.

    Attributes:
        chunk: candidates a task; None: a part of the generation that is worth while.
        workers: processes that are there now; 0: it does not know.
        redone: tasks that it has begun again so far, since their processes died.
        lost: whether it is gone for good.
    """

    def __init__(self, engine: Engine) -> None:
        self.chunk: int | None = getattr(engine, "chunk", None)
        self.workers: int = getattr(engine, "workers", 0)
        self.redone: int = getattr(engine, "redone", 0)
        self.lost: bool = getattr(engine, "lost", False)


class WorkersDiedError(RuntimeError):
    """A task has killed every process that it was given to; the message says how many."""


class EngineLostError(LostError):
    """An engine that is gone; the message says which, and how."""
