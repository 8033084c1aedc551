"""A sweep that is started again goes on where it was."""

import csv
import shutil
import signal

import pytest
import yaml
from sweeping import GRID, SMALL, SPACE, queries, values

import anx.sweep.folder
import anx.sweep.launch
from anx.commands.run import run
from anx.errors import ConfigError
from anx.learners.evolution import Evolution
from anx.signals import Interrupted

pytest_plugins = ["sweep_fixtures"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing them takes longer than everything else."""
    monkeypatch.setattr(anx.sweep.folder, "save", lambda figure, path: path.touch())


@pytest.mark.exhaustive
def test_a_sweep_that_is_interrupted_goes_on_where_it_was(sweep, monkeypatch, tmp_path):
    step = Evolution.training_step
    interrupting = True

    def interrupted_step(self, *args):
        if interrupting and len(sweep.started) == 3 and self.trainer.global_step == 0:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    monkeypatch.setattr(Evolution, "training_step", interrupted_step)
    small = [*SMALL[:-1], "trainer.max_steps=3"]
    assert sweep(run, *small).run() is False
    reports = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/report.json")}
    assert len(reports) == 2
    assert len((tmp_path / "runs" / "table.csv").read_text().splitlines()) == 1 + 2

    interrupting = False
    again = sweep(run, *small)
    assert again.run() is True
    third, fourth = "pooler.num_queries-8_seed-0", "pooler.num_queries-8_seed-1"
    assert sweep.started == [(third, True), (fourth, False)]
    assert {path: path.stat().st_mtime_ns for path in reports} == reports
    assert len(again.rows) == 4
    assert None not in values(again.rows)
    with (tmp_path / "runs" / third / "metrics.csv").open() as file:
        trained = [row["step"] for row in csv.DictReader(file) if row["train/fitness_mean"]]
    assert trained == ["0", "1", "2"]


def test_what_fails_is_a_row_with_its_reason_and_is_tried_again(sweep):
    def broken(config):
        if config.pooler.num_queries == 8:
            raise RuntimeError("the simulator is gone")
        return queries(config)

    first = sweep(broken)
    assert first.run() is True
    assert [row.reason for row in first.rows.values()] == ["", "", *["RuntimeError: the simulator is gone"] * 2]
    second = sweep()
    assert second.run() is True
    assert values(second.rows) == [40.0, 41.0, 80.0, 81.0]
    assert [name for name, _ in sweep.started] == ["pooler.num_queries-8_seed-0", "pooler.num_queries-8_seed-1"]


@pytest.mark.parametrize(("method", "count"), [("random", 5), ("bayes", 6)])
def test_a_search_proposes_the_same_points_after_a_restart(sweep, method, count):
    straight = sweep(method=method, parameters=SPACE, count=count)
    straight.run()
    assert len(straight.rows) == count

    def interrupted(config):
        if len(sweep.started) == 4:
            raise Interrupted(signal.SIGTERM)
        return queries(config)

    for path in straight.folder.rglob("report.json"):
        path.unlink()
    assert sweep(interrupted, method=method, parameters=SPACE, count=count).run() is False
    again = sweep(method=method, parameters=SPACE, count=count)
    assert again.run() is True
    assert list(again.rows) == list(straight.rows)
    assert [name for name, _ in sweep.started] == list(straight.rows)[3:]


def test_what_is_proposed_at_once_is_proposed_again_after_a_restart(sweep, monkeypatch):
    monkeypatch.setattr(anx.sweep.launch, "width_of", lambda launcher: 2)
    straight = sweep(method="bayes", parameters=SPACE, count=8)
    straight.run()

    def interrupted(config):
        if len(sweep.started) == 5:
            raise Interrupted(signal.SIGTERM)
        return queries(config)

    assert sweep(interrupted, method="bayes", parameters=SPACE, count=8, folder="again").run() is False
    again = sweep(method="bayes", parameters=SPACE, count=8, folder="again")
    assert again.run() is True
    assert list(again.rows) == list(straight.rows)


def test_a_search_keeps_its_points_where_one_that_failed_succeeds_at_last(sweep):
    def broken(config):
        if len(sweep.started) in (2, 4):
            raise RuntimeError("no memory")
        return queries(config)

    first = sweep(broken, method="bayes", parameters=SPACE, count=8)
    first.run()
    failed = [name for name, row in first.rows.items() if row.value is None]
    assert len(failed) == 2
    second = sweep(method="bayes", parameters=SPACE, count=10)
    second.run()
    assert list(second.rows)[:8] == list(first.rows)
    assert [name for name, _ in sweep.started] == [*failed, *list(second.rows)[8:]]
    assert None not in values(second.rows)


def test_points_that_were_proposed_but_not_yet_run_when_the_power_failed_are_run(sweep, tmp_path):
    straight = sweep(method="bayes", parameters=SPACE, count=7)
    straight.run()
    for name in list(straight.rows)[5:]:
        shutil.rmtree(tmp_path / "runs" / name)
    again = sweep(method="bayes", parameters=SPACE, count=7)
    again.run()
    assert again.rows == straight.rows
    assert [name for name, _ in sweep.started] == list(straight.rows)[5:]


def test_a_sweep_goes_on_in_a_folder_that_was_moved(sweep, tmp_path):
    sweep(method="bayes", parameters=SPACE, count=7).run()
    sweep(method="bayes", parameters=SPACE, count=9).run()
    straight = (tmp_path / "runs" / "points.yaml").read_text()
    sweep(method="bayes", parameters=SPACE, count=7, folder="there").run()
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    moved = sweep(method="bayes", parameters=SPACE, count=9, folder="elsewhere")
    moved.run()
    assert len(sweep.started) == 2
    assert (tmp_path / "elsewhere" / "points.yaml").read_text() == straight
    assert str(tmp_path / "elsewhere") in (tmp_path / "elsewhere" / "table.csv").read_text()


def test_a_search_of_another_kind_is_not_continued(sweep, tmp_path):
    done = sweep(method="bayes", parameters=SPACE, count=2)
    done.run()
    identity = yaml.safe_load((tmp_path / "runs" / "sweep.yaml").read_text())
    (tmp_path / "runs" / "sweep.yaml").write_text(yaml.safe_dump({**identity, "search": None, "at_once": 1}))
    with pytest.raises(ConfigError, match="holds a sweep with search=None, this one has search=optuna"):
        sweep(method="bayes", parameters=SPACE, count=2).run()


def test_more_values_of_a_key_are_further_points(sweep):
    sweep().run()
    more = sweep(parameters={**GRID, "pooler.num_queries": {"values": [4, 8, 16]}})
    assert more.run() is True
    assert len(more.rows) == 6
    assert [name for name, _ in sweep.started] == ["pooler.num_queries-16_seed-0", "pooler.num_queries-16_seed-1"]


def test_the_folder_of_another_sweep_is_refused(command, refused, capsys):
    parameters = {"neuron": {"values": ["gru"]}}
    command("sweep.yaml", "folder=runs", "+budget=smoke", parameters=parameters)
    capsys.readouterr()
    line = refused("sweep.yaml", "folder=runs", "+budget=laptop", parameters=parameters)
    assert "folder=runs holds a sweep with overrides=['+budget=smoke']" in line
    line = refused("sweep.yaml", "folder=runs", "+budget=smoke", parameters=GRID)
    assert "keys=['neuron']" in line
