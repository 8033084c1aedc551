"""A run's folder: one run at a time, and the checkpoint from which it goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from anx.errors import ConfigError

log = logging.getLogger(__name__)

LAST = Path("checkpoints", "last.ckpt")
AGENT = "agent.safetensors"  # that ships
FILM = "film.mp4"
FIGURES = "figures"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Have a folder to oneself. The system lets go of it however the process ends.

    Raises:
        ConfigError: another run has it.
    """
    from lightning.pytorch.utilities import rank_zero_only  # what only plays goes without Lightning

    if rank_zero_only.rank:  # type: ignore[attr-defined]  # one of several processes of a run: the first has claimed it
        yield
        return
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigError(
            f"hydra.run.dir={folder} is another run's, which goes on; wait for its end or choose another folder"
        ) from None
    except (OSError, NotImplementedError) as error:  # some network file systems know no locks
        log.warning("the run's folder can't be locked (%s): start no other run in it", error)
    try:
        yield
    finally:
        lock.release()


def find_checkpoint(ckpt_path: str | None, folder: Path) -> Path | None:
    """The checkpoint from which a run goes on; `auto` is the last one in its folder, if there is one."""
    if ckpt_path == "auto":
        return folder / LAST if (folder / LAST).is_file() else None
    return Path(ckpt_path) if ckpt_path else None
