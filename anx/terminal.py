"""What only terminals can show."""

import os
import sys
from pathlib import Path
from typing import TextIO


def clickable(path: Path, stream: TextIO | None = None) -> str:
    """A path that a terminal opens when it is clicked on (OSC 8); elsewhere its text alone.

    Args:
        path: of a file or a folder.
        stream: that it will be written to; None: stderr.
    """
    if not (stream or sys.stderr).isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return str(path)
    return f"\033]8;;{path.resolve().as_uri()}\033\\{path}\033]8;;\033\\"
