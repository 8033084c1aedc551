"""Parts of a rollout side by side, one a core, without waiting for one another."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from anx.cores import count_cores


def count_threads(threads: int | None) -> int:
    """How many threads roll out on the CPU: `threads`, or one a core."""
    return threads or count_cores()


def check_threads(threads: int | None) -> None:
    """Raise ValueError unless it is a number of threads, or None."""
    if threads is not None and threads < 1:
        raise ValueError(f"rollout.threads={threads} must be null or at least 1")


class Stop(threading.Event):
    """Set where one part has failed: the others need not go on."""


Task = Callable[[Stop], None]


def run_side_by_side(tasks: Sequence[Task], threads: int) -> None:
    """Run tasks on at most `threads` threads, this one among them, each with one torch thread; raises what one raises.

    torch would share each operation among its own threads and let them wait for one another, busily, thousands of times
    a rollout: on a machine that others use, too, that takes many times as long.
    """
    stop, waiting, lock = Stop(), iter(tasks), threading.Lock()

    def work() -> None:
        torch.set_num_threads(1)  # the number is a thread's own
        try:
            while not stop.is_set():
                with lock:
                    task = next(waiting, None)
                if task is None:
                    return
                task(stop)
        except BaseException:
            stop.set()
            raise

    with torch_threads(1):
        others = min(threads, len(tasks)) - 1
        if others < 1:
            work()
            return
        with ThreadPoolExecutor(others, "rollout") as pool:
            futures = [pool.submit(work) for _ in range(others)]
            work()
        for future in futures:
            future.result()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
