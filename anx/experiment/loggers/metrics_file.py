"""metrics.csv, which survives anything."""

import csv
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from anx.experiment.loggers.base import RunLogger
from anx.files import whole


class MetricsFile(RunLogger):
    """metrics.csv: a row a generation, every column that ever came. A resumed run appends.

    A row is written once the next one begins: validation belongs to the row of its generation.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)
        self._columns = ["step"]
        self._row: dict[str, object] = {}
        self._resumed = False

    @property
    @override
    def name(self) -> str:
        return "csv"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    @rank_zero_only
    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """The configuration has a file of its own."""

    @override
    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        step = step or 0
        if not self._resumed:
            self._resume(step)
        if self._row and self._row["step"] != step:
            self._flush()
        self._row = {"step": step, **self._row, **{k: v for k, v in metrics.items() if k != "epoch"}}

    def _resume(self, step: int) -> None:
        """Keep the rows before `step`: those behind it were logged by a run that was cut off and are logged again."""
        self._resumed = True
        if self.path.is_file():
            with self.path.open(newline="") as file:
                reader = csv.DictReader(file)
                rows = [row for row in reader if (row["step"] or "").isdigit() and int(row["step"]) < step]
                self._columns = list(reader.fieldnames or self._columns)
            self._write(rows)

    def _write(self, rows: list[dict[str, object]]) -> None:
        with whole(self.path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore", restval="")
            writer.writeheader()
            writer.writerows(rows)

    def _flush(self) -> None:
        if not self._row:
            return
        row, self._row = self._row, {}
        new = [column for column in row if column not in self._columns]
        if new or not self.path.is_file():
            rows = []
            if self.path.is_file():
                with self.path.open(newline="") as file:
                    rows = list(csv.DictReader(file))
            self._columns += new
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._write([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns, restval="").writerow(row)

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        self._flush()
