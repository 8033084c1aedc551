import numpy as np
import pytest

from anx.envs.ant import Ant
from anx.envs.pong import Pong
from anx.errors import ConfigError

pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")


def shrinking(before, after):
    """A matrix that averages `before` pixels to `after`."""
    edges = np.arange(after + 1) * before / after
    covered = np.minimum(edges[1:, None], np.arange(1, before + 1)) - np.maximum(edges[:-1, None], np.arange(before))
    return covered.clip(0) * after / before


@pytest.fixture
def games():
    envs = Pong(threads=1).make_readable(2)
    yield envs
    envs.close()


def assert_shows_what_is_seen(games, seen):
    """The console's screen is the game's newest frame; of two frames the emulator shows the maximum."""
    rows, columns = shrinking(210, 84), shrinking(160, 84)
    for console, frames in zip(games._consoles, seen, strict=True):
        screen = rows @ console.getScreenGrayscale().astype(float) @ columns.T
        assert np.abs(screen - frames[-1]).mean() < 1, "but for where something moved between the two frames"


def test_the_memory_is_that_of_the_game_that_is_seen(games):
    seen, _ = games.reset(seed=np.array([3, 4]))
    assert_shows_what_is_seen(games, seen)
    for t in range(60):
        seen, *_ = games.step(np.array([t // 5 % 6, t // 3 % 6]))
        assert_shows_what_is_seen(games, seen)
    memory = games.memory()
    assert memory.shape == (2, 128)
    assert memory[0, 51] != memory[1, 51], "the paddles stand where each was moved to"


def test_a_game_that_is_reset_alone_leaves_the_others_memory(games):
    games.reset(seed=np.array([3, 4]))
    for _ in range(5):
        games.step(np.array([2, 2]))
    before = games.memory()
    games.reset(seed=np.array([3, 5]), options={"reset_mask": np.array([False, True])})
    after = games.memory()
    assert (before[0] == after[0]).all()
    assert (before[1] != after[1]).any()


def test_an_environment_without_such_memory_says_so():
    with pytest.raises(ConfigError, match=r"env=Ant has no memory that a teacher could read; allowed: env=pong"):
        Ant().make_readable(1)
