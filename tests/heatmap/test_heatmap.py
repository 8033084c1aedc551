"""Students trained and tested with inputs missing: each is trained once, and plays each test once."""

import csv
import sys
from pathlib import Path

import pytest
from conftest import randomise
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.heatmap.cells
import anx.heatmap.command
import anx.sweep.folder
from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.weights import write_agent
from anx.heatmap.command import main, read_arguments
from anx.heatmap.paper import paper_scores

GRID = ["train=[0,0.4]", "test=[0,0.2]", "episodes=3", "env.max_steps=20"]


def a_run(config):
    """A training that takes no time: its student is random, and another one for another share."""
    agent, _ = build_rollout(config)
    folder, resolved = Path(config.run_dir), OmegaConf.to_container(config, resolve=True)
    randomise(agent, seed=round(10 * config.perturbations.occlude.ratio))
    write_agent(agent.float(), {key: resolved[key] for key in ("name", *AGENT_KEYS)}, folder / "agent.safetensors")
    (folder / "metrics.csv").write_text("step,validation/shuffled_mean,perf/training_seconds\n0,1.0,7.4\n")
    (folder / "report.json").write_text("{}")


@pytest.fixture
def heatmap(monkeypatch, tmp_path):
    """Runs a command line; returns its exit code and how many cells were played."""
    played = []
    evaluate = anx.heatmap.cells.play

    def play(*arguments):
        played.append(None)
        if len(played) == heatmap.interrupted_at:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    def heatmap(*arguments, interrupted_at=None):
        played.clear()
        heatmap.interrupted_at = interrupted_at
        monkeypatch.setattr(sys, "argv", ["anx", f"folder={tmp_path}", *arguments])
        GlobalHydra.instance().clear()
        try:
            main()
        except SystemExit as end:
            return end.code, len(played)
        return 0, len(played)

    monkeypatch.setattr(anx.heatmap.cells, "play", play)
    monkeypatch.setattr(anx.heatmap.command, "run", a_run)
    monkeypatch.setattr(anx.sweep.folder, "save", lambda figure, path: path.touch())
    return heatmap


def cells(folder):
    with (folder / "heatmap.csv").open(newline="") as file:
        return {(row["trained"], row["tested"]): float(row["mean"]) for row in csv.DictReader(file)}


def test_a_heat_map_goes_on_where_it_was(heatmap, tmp_path):
    assert heatmap(*GRID, interrupted_at=3) == (130, 3)
    assert len(cells(tmp_path)) == 2
    students = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/agent.safetensors")}
    assert heatmap(*GRID) == (0, 2)
    found = cells(tmp_path)
    assert list(found) == [("0", "0"), ("0", "0.2"), ("0.4", "0"), ("0.4", "0.2")]
    assert len(set(found.values())) == 4
    assert {path: path.stat().st_mtime_ns for path in students} == students
    assert (tmp_path / "heatmap.png").stat().st_size > 1000
    text = (tmp_path / "heatmap.md").read_text()
    assert "| trained \\ tested | 0 | 0.2 | training, s | playing, s |" in text
    assert "| 7 |" in text
    assert "The paper's" not in text

    assert heatmap(*GRID) == (0, 0)
    assert heatmap(GRID[0], "test=[0,0.2,0.6]", *GRID[2:]) == (0, 2)
    assert heatmap("train=[0]", "test=[0]", "episodes=4", *GRID[3:]) == (0, 1)


def test_a_student_that_could_not_be_trained_is_a_row_without_scores(heatmap, tmp_path, monkeypatch):
    def failing(config):
        if config.perturbations.occlude.ratio:
            raise ConfigError("seed=7 is unlucky")
        a_run(config)

    monkeypatch.setattr(anx.heatmap.command, "run", failing)
    assert heatmap(*GRID) == (0, 2)
    assert "- trained at 0.4: seed=7 is unlucky" in (tmp_path / "heatmap.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train=[0,1]"], r"train=\[0, 1\] must be a list of shares, each once, at least 0 and less than 1"),
        (["test=[0.5,0.5]"], r"test=\[0.5, 0.5\] must be a list of shares"),
        (["episodes=0"], "episodes=0 must be an integer, at least 1"),
        (["folder="], "folder is missing"),
    ],
)
def test_what_is_wrong_is_named(arguments, says):
    with pytest.raises(ConfigError, match=says):
        read_arguments(["folder=here", *arguments])


def test_inputs_are_occluded_and_nothing_else_unless_asked_for():
    assert read_arguments(["folder=here", "seed=1"]).overrides == ["seed=1", "perturbations=[occlude]"]
    both = "perturbations=[shuffle,occlude]"
    assert read_arguments(["folder=here", both]).overrides == [both]
    assert len(read_arguments(["folder=here"]).train) == 10


def test_the_papers_scores_are_found_by_their_shares():
    assert paper_scores([0.7, 0.25], [0.0, 0.6]) == [[21, -4], [None, None]]
