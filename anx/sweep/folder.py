"""A sweep's folder: of which sweep it is, the points that its search has proposed, and the tables of its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from anx.errors import ConfigError
from anx.files import write_whole
from anx.sweep.distribution import Point
from anx.sweep.table import Row, contents, to_csv, to_markdown
from anx.views.figures import save
from anx.views.figures.sweep import sweep_figure

Identity = Mapping[str, object]  # what tells a sweep from others, as YAML has it
TABLES = ("table.csv", "table.md", "sweep.png")


def claim(folder: Path, identity: Identity) -> None:
    """Write what the folder's sweep is.

    Raises:
        ConfigError: it is of another one.
    """
    path = folder / "sweep.yaml"
    if not path.is_file():
        write_whole(path, yaml.safe_dump(dict(identity), sort_keys=False))
        return
    other = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key in {**identity, **other}:
        if not is_same(key, identity.get(key), other.get(key)):
            raise ConfigError(
                f"folder={folder} holds a sweep with {key}={other.get(key)}, this one has {key}={identity.get(key)}; "
                "choose another folder"
            )


def is_same(key: str, one: object, other: object) -> bool:
    """Whether two sweeps have the same in a key of their identities; a folder may be written in several ways."""
    if key == "config_dir" and one and other:
        return Path(str(one)).absolute() == Path(str(other)).absolute()
    return one == other


def read_points(folder: Path) -> list[Point]:
    """The points that a search has proposed, in their order. What came of them, their own folders say."""
    path = folder / "points.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []


def write_points(folder: Path, points: Sequence[Point]) -> None:
    write_whole(folder / "points.yaml", yaml.safe_dump(list(points), sort_keys=False))


def write_tables(folder: Path, title: str, rows: Sequence[Row], metric: str, maximize: bool) -> None:
    """The tables and the picture of the runs so far, at least one."""
    write_whole(folder / "table.csv", to_csv(rows, metric, maximize))
    write_whole(folder / "table.md", to_markdown(title, contents(rows, metric, maximize)))
    finished = [(row.point, row.value) for row in rows if row.value is not None]
    if finished:
        save(sweep_figure(finished, metric, maximize), folder / "sweep.png")
