"""What is shown of how far something is, and what terminals can open."""

import io
import time

import pytest
from rich.console import Console

from anx import progress
from anx.progress import advance, clock, shown
from anx.terminal import clickable


class Screen(io.StringIO):
    """A terminal, or not."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def draws(monkeypatch):
    """What `shown` draws, without patience, while `work` is done."""

    def draw(work, total=10, terminal=True):
        monkeypatch.setattr(progress, "PATIENCE", 0.0)
        screen = Screen(terminal)
        with shown("playing", total, Console(file=screen, force_terminal=terminal, width=80)):
            time.sleep(0.05)  # until the bar is there
            work()
        return screen.getvalue()

    return draw


def test_a_terminal_shows_what_is_done_and_how_much_of_it(draws):
    def work():
        advance(2.5)
        advance(2.5)

    drawn = draws(work)
    assert "playing" in drawn
    assert "50%" in drawn


def test_what_is_shown_within_something_that_is_shown_is_not(draws):
    def work():
        with shown("inside", 1) as bar:
            assert not bar
            advance(10)

    drawn = draws(work)
    assert "inside" not in drawn
    assert "100%" in drawn


def test_what_is_no_terminal_gets_nothing(draws):
    assert draws(advance, terminal=False) == ""


def test_what_is_soon_over_shows_nothing():
    screen = Screen(True)
    with shown("playing", 10, Console(file=screen, force_terminal=True)):
        advance()
    assert "playing" not in screen.getvalue()


def test_progress_that_nobody_shows_is_nothing():
    advance()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (307, "5:07"), (3723, "1:02:03")])
def test_a_time_is_read_as_a_clocks(seconds, text):
    assert clock(seconds) == text


def test_a_path_can_be_clicked_on_in_a_terminal_and_is_its_text_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    link = clickable(tmp_path, Screen(True))
    assert link == f"\033]8;;{tmp_path.as_uri()}\033\\{tmp_path}\033]8;;\033\\"
    assert clickable(tmp_path, Screen(False)) == str(tmp_path)
    monkeypatch.setenv("TERM", "dumb")
    assert clickable(tmp_path, Screen(True)) == str(tmp_path)
