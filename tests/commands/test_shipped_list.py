"""`python -m anx.zoo`."""

import sys

import pytest

from anx.commands.shipped import main
from anx.zoo.table import in_words, read_table


@pytest.fixture
def printed(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx.zoo", *arguments])
        main()
        return capsys.readouterr().out

    return run


def test_the_agents_that_ship_are_listed_with_their_scores(printed):
    text = printed()
    for name, row in read_table().items():
        line = next(line for line in text.splitlines() if f"anx:{name} " in line)
        for score in row.scores.values():
            assert f"{score['mean']:.1f}" in line


def test_one_is_shown_with_what_trained_it(printed):
    row = read_table()["cartpole"]
    text = printed("anx:cartpole")
    assert all(line in text for line in row.command.splitlines())
    assert all(in_words(score) in text for score in row.scores.values())


def test_an_agent_that_does_not_ship_is_refused_by_name(printed, capsys):
    with pytest.raises(SystemExit) as end:
        printed("anx:nobody")
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: agent=anx:nobody is not one of anx:")
