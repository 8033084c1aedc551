"""Whether a folder can be written to, known before anything is computed."""

import os
from pathlib import Path

from anx.errors import ConfigError


def check_writable(folder: str | Path) -> None:
    """Create a folder and write to it, or say that it cannot be done."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: str | Path, error: OSError) -> ConfigError:
    """What is said of one that can't."""
    return ConfigError(f"folder {folder} can't be written ({error.strerror}); choose another one")
