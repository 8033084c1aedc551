"""What a logger may take of a run besides its metrics."""

from collections.abc import Iterable
from pathlib import Path

from lightning.pytorch.loggers import Logger


class RunLogger(Logger):
    """A logger that takes more of a run than metrics and its configuration (Lightning's `log_hyperparams`)."""

    def log_picture(self, name: str, path: Path, step: int) -> None:
        """Take a picture from a file that stays where it is."""

    def end(self, reason: str | None) -> None:
        """The run is over; it has failed if there is a reason for that."""


def of_run(loggers: Iterable[Logger]) -> list[RunLogger]:
    """Those of a run's loggers that take more than Lightning's own do."""
    return [each for each in loggers if isinstance(each, RunLogger)]
