import gymnasium
import numpy as np
import pytest

from anx.envs.pong import Pong

pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")


@pytest.fixture
def games():
    envs = Pong(threads=1).make(2)
    yield envs
    envs.close()


def test_a_game_gives_four_gray_frames_of_84x84_and_takes_six_buttons(games):
    observation, _ = games.reset(seed=np.array([1, 2]))
    assert observation.shape == (2, *Pong().spec.observation_shape)
    assert observation.dtype == np.uint8
    assert games.single_action_space.n == Pong().spec.action_size


def test_the_same_seed_is_the_same_game(games):
    played = []
    for _ in range(2):
        observation, _ = games.reset(seed=np.array([7, 7]))
        frames = [observation]
        for t in range(40):
            frames.append(games.step(np.array([t % 6, t % 6]))[0])
        played.append(np.stack(frames))
    assert np.array_equal(played[0], played[1])
    assert np.array_equal(played[0][:, 0], played[0][:, 1])


def test_the_score_can_be_hidden():
    seen = []
    for options in ({}, {"score": False}):
        envs = Pong(threads=1, **options).make(1)
        envs.reset(seed=np.array([7]))
        seen.append(np.stack([envs.step(np.array([0]))[0][0] for _ in range(3)]))
        envs.close()
    whole, hidden = seen
    assert whole[:, :, :10].any()
    assert not hidden[:, :, :10].any()
    assert np.array_equal(hidden[:, :, 10:], whole[:, :, 10:])


def test_whoever_never_moves_loses_to_21(games):
    games.reset(seed=np.array([0, 1]))
    total, over = np.zeros(2), np.zeros(2, dtype=bool)
    for _ in range(3000):
        _, reward, terminated, _, _ = games.step(np.zeros(2, dtype=np.int64))
        total += np.where(over, 0, reward)
        over |= terminated
        if over.all():
            break
    assert total.tolist() == [-21, -21]


def test_a_whole_game_is_followed_by_the_next_without_being_asked_for(games):
    games.reset(seed=np.array([0, 1]))
    ends = sum(games.step(np.zeros(2, dtype=np.int64))[2].astype(int) for _ in range(1700))
    assert ends.tolist() == [2, 2]


def test_a_game_to_fewer_points_ends_with_the_last_of_them_and_the_next_one_begins_at_0():
    games = Pong(threads=1, points=3).make(2)
    for begun in ([True, True], [False, True], [True, False]):
        games.reset(seed=np.array([0, 1]), options={"reset_mask": np.array(begun)})
        lost = np.zeros(2)
        while not (-lost[begun] >= 3).all():
            _, reward, terminated, truncated, _ = games.step(np.zeros(2, dtype=np.int64))
            lost += reward
            assert not truncated.any()
            assert np.array_equal(terminated[begun], -lost[begun] >= 3)
    games.close()


@pytest.mark.parametrize(("threads", "slots", "used"), [(0, 5, 3), (0, 2, 2), (4, 9, 4), (1024, 2, 2)])
def test_the_emulator_has_no_more_threads_than_cores_that_are_ours_and_games(threads, slots, used, monkeypatch):
    told = []

    class Emulator(gymnasium.vector.VectorEnv):
        num_envs = 9
        single_observation_space = single_action_space = gymnasium.spaces.Discrete(6)

        def __init__(self, game, **options):
            told.append(options["num_threads"])

    monkeypatch.setattr("ale_py.vector_env.AtariVectorEnv", Emulator)
    monkeypatch.setattr("anx.envs.pong.count_cores", lambda: 3)
    Pong(threads=threads).make(slots)
    assert told == [used]
