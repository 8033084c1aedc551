"""A heat map's picture, its table beside the paper's, and what it has cost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anx.commands.scores import METRICS
from anx.files import write_whole
from anx.heatmap.cells import Cell
from anx.heatmap.paper import ENVIRONMENT, paper_scores
from anx.views.figures import read_metrics, save
from anx.views.figures.heat import Scores, heat_figure
from anx.views.table import Table, make_console, print_table, to_csv, to_markdown

INTRODUCTION = """\
# Trained and tested with inputs missing

The mean return and its standard error over {episodes} episodes a cell. Rows: the share of the inputs that is missing
in training. Columns: the share that is missing in an episode, drawn once for it. Seconds are those of a student's
training, and of its row's episodes."""
PAPER = "The paper's (Tang & Ha 2021), 100 games a cell"
AXES = ("missing in training", "missing in the test")
SECONDS = ("perf/training_seconds", "perf/playing_seconds")  # of a clone's training


def write(
    folder: Path,
    cells: Sequence[Cell],
    train: Sequence[float],
    test: Sequence[float],
    episodes: int,
    *,
    printed: bool = False,
) -> None:
    """heatmap.png, heatmap.md and heatmap.csv, of what has been played; nothing where that is nothing."""
    if not any(cell.played for cell in cells):
        return
    rows = [list(cells[first : first + len(test)]) for first in range(0, len(cells), len(test))]
    here = np.array([[cell.mean for cell in row] for row in rows])
    panels: dict[str, Scores] = {"here": here}
    tables = [of_scores(rows, test)]
    if ENVIRONMENT in {cell.environment for cell in cells}:
        known = paper_scores(train, test)
        panels["the paper"] = np.array([[np.nan if each is None else each for each in row] for row in known])
        tables.append(of_paper(train, test, known))
    save(heat_figure(panels, train, test, AXES), folder / "heatmap.png")
    parts = [INTRODUCTION.format(episodes=episodes), *map(to_markdown, tables), "![The same in colours](heatmap.png)"]
    write_whole(folder / "heatmap.md", "\n\n".join([*parts, *failures(cells)]) + "\n")
    write_whole(folder / "heatmap.csv", to_csv(of_values(cells, episodes)))
    if printed:
        for table in tables:
            print_table(make_console(), table)


def of_scores(rows: Sequence[Sequence[Cell]], test: Sequence[float]) -> Table:
    """A student a row."""
    lines = [
        [
            f"{row[0].trained:g}",
            *(f"{cell.mean:.1f} ± {cell.sem:.1f}" if cell.played else "-" for cell in row),
            seconds(training_seconds(row[0].agent.parent)),
            seconds(float(np.nansum([cell.seconds for cell in row]))),
        ]
        for row in rows
    ]
    header = ["trained \\ tested", *(f"{each:g}" for each in test), "training, s", "playing, s"]
    return Table(header, lines, "r" * len(header), "Here")


def of_paper(train: Sequence[float], test: Sequence[float], known: Sequence[Sequence[float | None]]) -> Table:
    """The paper's scores, where it has them."""
    lines = [
        [f"{share:g}", *("-" if each is None else f"{each:.0f}" for each in row)]
        for share, row in zip(train, known, strict=True)
    ]
    header = ["trained \\ tested", *(f"{each:g}" for each in test)]
    return Table(header, lines, "r" * len(header), PAPER)


def of_values(cells: Sequence[Cell], episodes: int) -> Table:
    """For a csv: a cell a row."""
    lines = [
        [f"{cell.trained:g}", f"{cell.tested:g}", *(f"{each:.6g}" for each in (cell.mean, cell.sem, cell.seconds))]
        for cell in cells
        if cell.played
    ]
    header = ["trained", "tested", "mean", "sem", "seconds", "episodes"]
    return Table(header, [[*line, str(episodes)] for line in lines], "r" * len(header))


def failures(cells: Sequence[Cell]) -> list[str]:
    """The reasons why cells are empty, each once."""
    reasons = dict.fromkeys(f"- trained at {cell.trained:g}: {cell.reason}" for cell in cells if cell.reason)
    return ["\n".join(reasons)] if reasons else []


def training_seconds(folder: Path) -> float | None:
    """What a student's training has taken, the games that it played in between included; None: not logged."""
    path = folder / METRICS
    rows = read_metrics(path) if path.is_file() else []
    last = [next((float(row[key]) for row in reversed(rows) if row.get(key)), None) for key in SECONDS]
    known = [each for each in last if each is not None]
    return sum(known) if known else None


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
