"""The sweep files: what they would run can be built, and logs what they compare."""

import csv
from pathlib import Path

import pytest
from conftest import compose

from anx.commands.run import train
from anx.experiment.build import build_rollout
from anx.experiment.config.check import check
from anx.sweep.file import read_sweep_file
from anx.sweep.points import to_overrides
from anx.sweep.runner import find_count, make_search
from anx.sweep.search import Result

SWEEPS = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))
SAMPLES = 20  # of a search


@pytest.mark.parametrize("of", ["ends", pytest.param("all", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_point_of_a_sweep_composes_and_builds(path, of):
    file = read_sweep_file(path)
    search = make_search(file)
    points = list(search.planned([]))
    while len(points) < find_count(file, None if file.method == "grid" else SAMPLES):
        point = search.propose([Result(each, float(index)) for index, each in enumerate(points)], [])
        assert point is not None
        points.append(point)
    for point in points if of == "all" else (points[0], points[-1]):
        config = compose(*file.overrides, *to_overrides(point))
        check(config)
        build_rollout(config)[1].close()


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The names of the metrics that a run logs."""
    folder = tmp_path_factory.mktemp("run")
    small = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null"]
    train(compose(*small, f"run_dir={folder}"))
    with (folder / "metrics.csv").open() as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_run_logs_the_metric_of_a_sweep(path, logged):
    assert read_sweep_file(path).metric in logged


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_says_how_it_is_run(path):
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert "? " in comments[0] or "? " in "".join(comments), "the question that it asks"
    for program in ("python -m anx.sweep", "wandb sweep"):
        assert any(f"{program} sweeps/{path.name}" in line for line in comments)
