import numpy as np
import pytest
from worlds import FRAMES

from anx.data.play import play
from anx.envs.pong import Pong
from anx.errors import ConfigError
from anx.teachers.pong import BUTTONS, PongTeacher, Stance, shown_after
from anx.teachers.table_tennis import BOTTOM, PADDLE_Y, TOP, down_after, folded


def test_it_wins_every_point():
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    env = Pong(max_steps=220, threads=1)
    # One begins after an even number of frames, one after an odd one: then the wheel is never seen, but worked out.
    for episode in play(env, PongTeacher(env), 0, [0, 1], slots=2):
        assert episode.rewards.sum() >= 2
        assert (episode.rewards >= 0).all()
        assert (episode.actions == episode.scores).all(), "it does what it says"


def test_a_button_that_is_held_while_the_ball_flies_away_brings_the_paddle_to_the_same_place_wherever_it_was():
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    env = Pong(max_steps=100, threads=1)
    (episode,) = play(env, PongTeacher(env, hold="up"), 0, [0], slots=1)
    up, down = BUTTONS.index("right"), BUTTONS.index("left")
    assert (episode.actions[:5].argmax(-1) == up).all(), "there is no ball yet"
    games = env.make_readable(2)
    games.reset(seed=[0, 0])
    for buttons in 6 * [[up, down]] + 12 * [[up, up]]:
        games.step_async(np.array(buttons))
        games.step_wait()
    assert len(set(games.memory()[:, PADDLE_Y])) == 1
    games.close()


def test_what_it_says_of_a_game_does_not_depend_on_the_game_beside_it():
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    env = Pong(max_steps=40, threads=1)
    together = {each.number: each for each in play(env, PongTeacher(env), 5, [0, 1], slots=2, epsilon=0.2)}
    (alone,) = play(env, PongTeacher(env), 5, [1], slots=1, epsilon=0.2)
    for ours, theirs in zip(together[1], alone, strict=True):
        assert np.array_equal(ours, theirs)
    assert (alone.actions != alone.scores).any(), "some steps were random"


def test_it_plays_pong_only():
    with pytest.raises(ConfigError, match="teacher=pong plays Pong only; allowed: env=pong"):
        PongTeacher(FRAMES)
    assert Pong().spec.actuators == BUTTONS


@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"horizon": 7}, {"rest": 10}, {"hold": "left"}])
def test_a_number_that_is_none_is_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        PongTeacher(Pong(), **wrong)


def test_a_ball_is_reflected_by_both_walls():
    assert folded(100) == 100
    assert folded(TOP - 2.5) == TOP + 2.5
    assert folded(BOTTOM + 2.5) == BOTTOM - 2.5
    assert folded(BOTTOM + (BOTTOM - TOP) + 1) == TOP + 1


def test_the_paddles_edges_send_the_ball_off_steeply():
    assert [down_after(offset) for offset in (-2, 0, 1, 4, 5, 8, 9, 12, 13, 16)] == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2]


def test_a_press_moves_the_paddle_as_foreseen():
    """As the console was seen to do it: twelve frames of down, then nothing."""
    stance = Stance(109, 110.0)
    shown = [shown_after(stance, 92, (1, 1, 1, 0), frames)[0] for frames in range(2, 20, 2)]
    assert shown == [109, 114, 123, 133, 144, 155, 166, 172, 175]
