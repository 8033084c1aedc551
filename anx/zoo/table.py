"""The table of the agents that ship, zoo.yaml: how each was trained, and what it scores."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypedDict

import yaml

from anx.files import write_whole
from anx.zoo.shipped import FOLDER

TABLE = FOLDER / "zoo.yaml"
HEADER = """\
# The agents that ship: `weights=anx:NAME` is one of them. Of a new one all but the last three is written by hand; those
# are what `python -m anx.reproduce zoo table=anx/zoo/zoo.yaml output=docs/zoo.md` finds out.
"""


class Score(TypedDict):
    """What an agent's returns come to."""

    mean: float
    sem: float  # standard error of the mean
    episodes: int


@dataclass
class Shipped:
    """An agent that ships."""

    experiment: str  # that it was trained for; what differs from it stands behind, as on a command line
    command: str  # that trained it
    seed: int  # of its training
    steps: int | None  # of the environment, simulated in its training; None: nobody has counted them
    core_hours: float | None  # of its training
    curve: str | None  # of its training: a file, as docs/ sees it
    episodes: int  # that its scores are over, unless somebody asks for others
    # Of a new one nobody knows these yet.
    parameters: int = 0  # D
    sha256: str = ""  # of the file that has the scores
    scores: dict[str, Score] = field(default_factory=dict)  # by what befalls the inputs


def read_table(path: Path = TABLE) -> dict[str, Shipped]:
    """The agents by name."""
    return {name: Shipped(**row) for name, row in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


def write_table(path: Path, table: dict[str, Shipped]) -> None:
    """Write a table that `read_table` reads."""
    rows = {name: asdict(row) for name, row in table.items()}
    text = yaml.safe_dump(rows, sort_keys=False, default_flow_style=None, width=1000, allow_unicode=True)
    write_whole(path, HEADER + text)


def in_words(score: Score | None) -> str:
    """The mean and its standard error; a dash where there is no score."""
    return f"{score['mean']:.1f} ± {score['sem']:.1f}" if score else "-"
