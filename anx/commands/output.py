"""Files that a command line asks for."""

from pathlib import Path

from anx.errors import ConfigError
from anx.experiment.config.writable import check_writable


def find_output(output: object, suffix: str, key: str = "output") -> Path | None:
    """The file to write to, if one is asked for; whether it can be is known before anything is played."""
    if output is None:
        return None
    path = Path(str(output))
    if path.suffix != suffix:
        raise ConfigError(f"{key}={output} must end in {suffix}")
    check_writable(path.parent)
    return path


def find_folder(folder: object) -> Path | None:
    """The folder to write to, if one is asked for."""
    if folder is None:
        return None
    check_writable(str(folder))
    return Path(str(folder))
