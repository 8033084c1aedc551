"""How far something is, on a terminal: who plays says what is done, who started it says what is shown.

    with shown("evaluating", total=1000):
        rollout(...)  # calls advance

What takes less than two seconds shows nothing, and neither does what is no terminal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PATIENCE = 2.0  # seconds without a bar
WIDTH = 30  # of it, characters

_bar: Progress | None = None  # the one that is shown, a process's only one


def advance(done: float = 1) -> None:
    """Say that so much more is done, of what is shown, if anything is."""
    bar = _bar
    if bar is not None:
        bar.advance(bar.task_ids[0], done)


@contextmanager
def shown(what: str, total: float | None = None, console: Console | None = None) -> Iterator[bool]:
    """Show how far something is while it lasts; what is shown within it is not. Gives whether there is a bar.

    Args:
        what: is done.
        total: how much there is to do, in what `advance` counts; None: nobody knows.
        console: to draw on; None: stderr.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    global _bar
    console = console or Console(stderr=True)
    if _bar is not None or not console.is_terminal or console.is_dumb_terminal:
        yield False
        return
    time = TimeElapsedColumn() if total is None else TimeRemainingColumn(elapsed_when_finished=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(WIDTH), TaskProgressColumn(), time
    bar = Progress(*columns, console=console, transient=True)
    bar.add_task(what, total=total)
    later = threading.Timer(PATIENCE, bar.start)
    later.daemon = True
    later.start()
    _bar = bar
    try:
        yield True
    finally:
        _bar = None
        later.cancel()
        later.join()  # else it may start what is stopped here
        bar.stop()


def clock(seconds: float) -> str:
    """Seconds as 5:07 or 1:02:03."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
