"""SIGINT and SIGTERM as an exception: what they end keeps what it has, and exits with the code that says so."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal has ended what was going on.

    Not a KeyboardInterrupt: of that one, Lightning makes an ordinary exit and leaves SIGINT ignored.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def interrupt(number: int, frame: FrameType | None = None) -> None:
    """A signal's handler: raises Interrupted."""
    raise Interrupted(number)


def handle(handler: Callable[[int, FrameType | None], None]) -> None:
    """Let `handler` have both signals; nothing in threads but the main one, where Python takes no handlers."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise Interrupted; afterwards they do what they did before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handle(interrupt)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def interruption_exits() -> Iterator[None]:
    """An interruption ends the process as the shell expects it: with 128 and the signal's number, 130 or 143."""
    try:
        yield
    except Interrupted as stop:
        raise SystemExit(128 + stop.number) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
