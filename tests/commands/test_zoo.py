import json
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx.commands.evaluate
import anx.commands.playing
import anx.commands.reproduce
import anx.commands.zoo
from anx.zoo.shipped import shipped_names
from anx.zoo.table import read_table


def run(monkeypatch, program, *arguments):
    monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
    GlobalHydra.instance().clear()
    program()


@pytest.fixture
def reproduce(monkeypatch, tmp_path):
    """Runs `anx.reproduce zoo` with cart-pole's agent; returns the table that it wrote."""

    def play(*arguments):
        table = tmp_path / "zoo.yaml"
        own = [f"table={table}", f"output={tmp_path / 'zoo.md'}", *arguments]
        run(monkeypatch, anx.commands.reproduce.main, "zoo", "agents=[cartpole]", *own)
        return read_table(table)

    return play


@pytest.fixture
def played(costs_nothing):
    """Evaluations cost nothing, and return 100, 200, ...; says how many episodes each was asked for."""
    return costs_nothing(anx.commands.playing)


def test_a_score_is_what_anx_evaluate_gives(reproduce, monkeypatch, tmp_path, capsys):
    build, short = anx.commands.zoo.build, "env.max_steps=200"
    monkeypatch.setattr(anx.commands.zoo, "build", lambda name, more, device: build(name, [*more, short], device))
    scores = reproduce("episodes=5", "seed=3")["cartpole"].scores
    output, noise = tmp_path / "result.json", ["perturbations=[shuffle,noise]", "perturbations.noise.channels=5"]
    given = ["weights=anx:cartpole", short, "episodes=5", "seed=3", f"output={output}"]
    run(monkeypatch, anx.commands.evaluate.main, *given, *noise)
    theirs = json.loads(output.read_text())
    assert scores["5 of noise"] == {"mean": round(theirs["mean"], 2), "sem": round(theirs["sem"], 2), "episodes": 5}
    assert scores["shuffled"] == scores["plain"] == scores["duplicated"]
    assert len({score["mean"] for score in scores.values()}) >= 3
    assert f"{theirs['mean']:.1f} ± {theirs['sem']:.1f}" in capsys.readouterr().out


def test_each_agent_plays_its_own_number_of_episodes_unless_told_otherwise(reproduce, played):
    own = read_table()["cartpole"].episodes
    scores = reproduce()["cartpole"].scores
    assert played == [own] * 6
    assert [score["mean"] for score in scores.values()] == [100, 200, 300, 400, 500, 600]
    assert {score["episodes"] for score in scores.values()} == {own}
    reproduce("episodes=7")
    assert played[6:] == [7] * 6


def test_an_interrupt_leaves_the_scores_that_are_finished_and_those_of_before(reproduce, played, monkeypatch, tmp_path):
    play = anx.commands.playing.evaluate

    def play_once(*arguments):
        if played:
            raise KeyboardInterrupt
        return play(*arguments)

    monkeypatch.setattr(anx.commands.playing, "evaluate", play_once)
    with pytest.raises(SystemExit) as end:
        reproduce("episodes=3")
    assert end.value.code == 130
    before, after = read_table()["cartpole"].scores, read_table(tmp_path / "zoo.yaml")["cartpole"].scores
    assert after == {**before, "plain": {"mean": 100, "sem": 0, "episodes": 3}}
    assert "| 100.0 ± 0.0 |" in (tmp_path / "zoo.md").read_text()


def test_scores_of_another_file_are_not_kept(reproduce, played, monkeypatch):
    zoo = read_table()
    zoo["cartpole"].sha256, zoo["cartpole"].scores["of old"] = "other", {"mean": 1, "sem": 1, "episodes": 1}
    monkeypatch.setattr(anx.commands.zoo, "read_table", lambda: zoo)
    row = reproduce("episodes=2")["cartpole"]
    assert row.sha256 != "other"
    assert "of old" not in row.scores


def test_without_an_agent_the_page_is_written_of_what_is_known(monkeypatch, played, tmp_path):
    page, table = tmp_path / "zoo.md", tmp_path / "zoo.yaml"
    run(monkeypatch, anx.commands.reproduce.main, "zoo", "agents=[]", f"output={page}", f"table={table}")
    assert played == []
    assert read_table(table) == read_table()
    assert read_table()["cartpole"].command in page.read_text()


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("agents=[foo]", f"agents=foo does not ship; allowed: {', '.join(shipped_names())}"),
        ("episodes=0", "episodes=0 must be an integer, at least 1"),
        ("output=zoo.txt", "output=zoo.txt must end in .md"),
        ("table=zoo.csv", "table=zoo.csv must end in .yaml"),
        ("inputs=5", "inputs=5 must be lists of anx.evaluate's overrides by name"),
        ("inputs.plain=5", "inputs={'plain': 5, "),
        ("inputs.plain=['seed=3']", "inputs.plain=['seed=3'] must leave out seed=3: it is of the whole table"),
    ],
)
def test_what_cannot_be_played_or_written_is_refused_in_one_line(monkeypatch, played, capsys, argument, says):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, anx.commands.reproduce.main, "zoo", argument)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")
    assert played == []


def test_an_agent_without_a_row_is_refused(monkeypatch, played, capsys):
    monkeypatch.setattr(anx.commands.zoo, "read_table", dict)
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, anx.commands.reproduce.main, "zoo")
    assert end.value.code == 2
    assert "has no row in anx/zoo/zoo.yaml" in capsys.readouterr().err
