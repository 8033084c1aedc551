"""`python -m anx.curves RUN_FOLDER ...`: a metric of several runs in one picture, over the same axes."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from anx.commands.output import find_output
from anx.errors import ConfigError
from anx.experiment.config.messages import one_line_errors
from anx.views.figures import compare_runs, save
from anx.views.figures.curves import SHUFFLED
from anx.views.figures.logged import SCALES, STEPS

METRICS = "metrics.csv"


def draw_curves(
    runs: Sequence[Path],
    output: Path = Path("curves.png"),
    *,
    x: str = STEPS,
    y: str = SHUFFLED,
    labels: Sequence[str] | None = None,
) -> Path:
    """Draw what runs have logged in one picture; returns its path.

    Args:
        runs: a run's folder each, or its metrics.csv, whatever that is called.
        output: a PNG file.
        x: `generations`, `env_steps` or `core_hours`.
        y: the metric.
        labels: of the runs, in their order; None: how their paths differ.

    Raises:
        ConfigError: what is given is no run's, or a run has not logged one of the two.
    """
    path = find_output(output, ".png")
    assert path is not None
    files = [find_metrics(run) for run in runs]
    names = label_runs(files) if labels is None else labels
    if len(set(names)) < len(files) or len(names) != len(files):
        raise ConfigError(f"labels={', '.join(names)} must be different ones, as many as runs: {len(files)}")
    save(compare_runs(dict(zip(names, files, strict=True)), x, y), path)
    return path


def find_metrics(run: Path) -> Path:
    """The metrics.csv of a run's folder, or the file itself."""
    path = run / METRICS if run.is_dir() else run
    if path.suffix != ".csv" or not path.is_file():
        raise ConfigError(f"RUN_FOLDER={run} must be a run's folder, with its {METRICS} in it, or such a file")
    return path


def label_runs(files: Sequence[Path]) -> list[str]:
    """How the paths of runs differ: their folders from the first on that is not the same for all."""
    paths = [path.resolve() for path in files]
    runs = [path.parent if path.name == METRICS else path.with_suffix("") for path in paths]
    shared = os.path.commonpath([run.parent for run in runs])
    return [run.relative_to(shared).as_posix() for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m anx.curves", description="Draw a metric of several runs in one picture, over the same axes."
    )
    parser.add_argument(
        "runs",
        metavar="RUN_FOLDER",
        nargs="+",
        type=Path,
        help=f"runs/NAME/DATE, also of one that goes on; or a {METRICS}",
    )
    parser.add_argument("--x", default=STEPS, help=f"{', '.join(SCALES)}; default: {STEPS}")
    parser.add_argument("--y", default=SHUFFLED, help=f"a column of {METRICS}; default: {SHUFFLED}")
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help="of the runs; default: how their paths differ")
    parser.add_argument("--output", default="curves.png", type=Path, help="default: curves.png")
    arguments = parser.parse_args()
    with one_line_errors():
        options = {key: getattr(arguments, key) for key in ("x", "y", "labels")}
        print(draw_curves(arguments.runs, arguments.output, **options))
