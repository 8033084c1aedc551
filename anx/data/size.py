"""How much a recording takes on disk, said before there is any."""

import shutil
from pathlib import Path

from anx.data.layout import Layout


def size_in_words(folder: Path, layout: Layout, episodes: int, max_steps: int) -> str:
    """How much so many episodes in a folder take at most, and what is free there."""
    most, free = episodes * max_steps * layout.bytes_a_step, shutil.disk_usage(folder).free
    return (
        f"{in_bytes(layout.bytes_a_step)} a step, at most {in_bytes(most)} ({max_steps} steps an episode); "
        f"{in_bytes(free)} are free"
    )


def in_bytes(count: float) -> str:
    """A number of bytes to read: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
