import sys

import pytest

import anx.commands.curves
from anx.commands.curves import label_runs
from anx.views.figures import read_metrics

ROWS = "step,train/env_steps,validation/shuffled_mean\n0,10,1\n1,20,2\n"


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Runs the command line beside two runs and a file of a third; returns its exit code."""
    for name in ("runs/a", "runs/b=1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.csv").write_text(ROWS)
    (tmp_path / "runs" / "pgpe.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx.curves", *arguments])
        try:
            anx.commands.curves.main()
        except SystemExit as end:
            return end.code
        return 0

    return run


def test_several_runs_become_one_picture(draw, tmp_path, capsys):
    runs = ["runs/a", "runs/b=1", "runs/pgpe.csv"]
    assert draw(*runs, "--x", "env_steps", "--labels", "one", "two", "of a file", "--output", "docs/curves.png") == 0
    assert capsys.readouterr().out == "docs/curves.png\n"
    assert (tmp_path / "docs" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_runs_are_labelled_by_how_their_paths_differ(draw, tmp_path):
    files = [tmp_path / "runs" / name for name in ("a/metrics.csv", "b=1/metrics.csv", "pgpe.csv")]
    assert label_runs(files) == ["a", "b=1", "pgpe"]
    assert label_runs([tmp_path / "x/0/metrics.csv", tmp_path / "y/0/metrics.csv"]) == ["x/0", "y/0"]
    assert label_runs(files[:1]) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "RUN_FOLDER=nowhere must be a run's folder, with its metrics.csv in it, or such a file"),
        (["runs"], "RUN_FOLDER=runs must be a run's folder"),
        (["runs/a", "--x", "hours"], "x=hours is not one of generations, env_steps, core_hours"),
        (["runs/a", "--x", "core_hours"], "x=core_hours needs perf/core_hours, which runs/a/metrics.csv does not have"),
        (
            ["runs/a", "--y", "loss"],
            "y=loss was not logged in runs/a/metrics.csv; allowed: train/env_steps, validation/",
        ),
        (["runs/a", "runs/a"], "labels=a, a must be different ones, as many as runs: 2"),
        (["runs/a", "--labels", "a", "b"], "labels=a, b must be different ones, as many as runs: 1"),
        (["runs/a", "--output", "a.pdf"], "output=a.pdf must end in .png"),
    ],
)
def test_what_can_not_be_drawn_is_said_in_one_line(draw, capsys, arguments, says):
    assert draw(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"step,loss\n0,1\n1,much\n", "runs/a/metrics.csv, line 3: loss=much is no number"),
        (b"step,loss\n0,1,2\n", "runs/a/metrics.csv, line 2: beyond the header=['2'] is no number"),
        (b"\xff\xfe\x00", "runs/a/metrics.csv is no table of metrics ("),
    ],
)
def test_a_file_that_no_run_has_logged_is_refused_in_one_line(draw, tmp_path, capsys, content, says):
    (tmp_path / "runs" / "a" / "metrics.csv").write_bytes(content)
    assert draw("runs/a", "--y", "loss") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}")
    assert error.count("\n") == 1


def test_a_last_row_that_was_cut_off_is_left_out(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS + "2,3")
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.csv")] == ["0", "1"]
