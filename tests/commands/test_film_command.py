"""`python -m anx.film`."""

import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx.commands.film
from anx.views.film import why_no_film


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["anx.film", "weights=anx:cartpole", "env.max_steps=3", *arguments])
        GlobalHydra.instance().clear()
        anx.commands.film.main()

    return run


@pytest.mark.skipif(why_no_film() is not None, reason="needs an ffmpeg")
def test_an_agent_in_a_file_is_filmed_where_the_command_line_says_or_here(run, tmp_path):
    run()
    run("output=other.mp4", "perturbations=[shuffle]")
    first, second = (tmp_path / "film.mp4").read_bytes(), (tmp_path / "other.mp4").read_bytes()
    assert len(first) > 1000
    assert first != second


def test_what_is_no_film_is_refused(run, capsys):
    with pytest.raises(SystemExit) as end:
        run("output=film.gif")
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: output=film.gif must end in .mp4\n"
