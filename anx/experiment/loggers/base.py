"""What a logger may take of a run besides its metrics."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lightning.pytorch.loggers import Logger

from anx.experiment.folder import FIGURES
from anx.rollout.evaluation import Statistics

COLUMNS = ("inputs", "mean", "std", "sem", "episodes")  # of a table of results


def rows_of(results: Mapping[str, Statistics]) -> list[tuple[str, float, float, float, int]]:
    """A final evaluation as rows of a table, as `COLUMNS` has them."""
    return [(name, each["mean"], each["std"], each["sem"], each["episodes"]) for name, each in results.items()]


def figures_in(run_dir: Path) -> dict[str, Path]:
    """The figures of a run's agent, by name."""
    return {f"{FIGURES}/{path.stem}": path for path in sorted((run_dir / FIGURES).glob("*.png"))}


class RunLogger(Logger):
    """A logger that takes more of a run than metrics and its configuration (Lightning's `log_hyperparams`)."""

    def log_picture(self, name: str, path: Path, step: int) -> None:
        """Take a picture from a file that stays where it is."""

    def log_outcome(self, run_dir: Path, results: Mapping[str, Statistics], step: int) -> None:
        """Take what a finished run has come to.

        Args:
            run_dir: its folder, with the agent's file and, where they were drawn, its film and figures.
            results: of the final evaluation, by what befell the inputs.
            step: of the training, its last.
        """

    def end(self, reason: str | None) -> None:
        """The run is over; it has failed if there is a reason for that."""


def of_run(loggers: Iterable[Logger]) -> list[RunLogger]:
    """Those of a run's loggers that take more than Lightning's own do."""
    return [each for each in loggers if isinstance(each, RunLogger)]
