from functools import partial

import gymnasium
import numpy as np
import pytest

from anx.envs.workers import Workers


class Counter(gymnasium.Env):
    """Counts to its seed; a step pays its action."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2, 1), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, limit=99):
        self.limit = limit

    def observe(self):
        return np.array([[self.count], [self.until]], np.float32)

    def reset(self, *, seed=None, options=None):
        self.count, self.until = 0, seed
        return self.observe(), {}

    def step(self, action):
        self.count += 1
        return self.observe(), float(action[0]), self.count >= self.until, self.count >= self.limit, {}


@pytest.fixture(params=[1, 2, 3, 8])
def counters(request):
    envs = Workers(partial(Counter, limit=4), 5, request.param)
    yield envs
    envs.close()


def act(envs, *actions):
    return envs.step(np.array(actions, np.float32).reshape(-1, 1))


def test_every_environment_gets_its_own_seed_and_action_and_gives_its_own_answers(counters):
    observation, _ = counters.reset(seed=[2, 9, 1, 9, 3])
    assert observation.shape == (5, 2, 1)
    assert observation.dtype == np.float32
    assert observation[:, :, 0].tolist() == [[0, 2], [0, 9], [0, 1], [0, 9], [0, 3]]
    observation, reward, terminated, truncated, _ = act(counters, 0.5, 0.25, -1, 0, 1)
    assert observation[:, 0, 0].tolist() == [1] * 5
    assert reward.tolist() == [0.5, 0.25, -1, 0, 1]
    assert terminated.tolist() == [False, False, True, False, False]
    assert not truncated.any()


def test_what_has_ended_stands_still_and_pays_nothing_until_it_is_reset(counters):
    counters.reset(seed=[2, 9, 1, 9, 3])
    for _ in range(4):
        observation, reward, terminated, truncated, _ = act(counters, 1, 1, 1, 1, 1)
    assert observation[:, 0, 0].tolist() == [2, 4, 1, 4, 3]
    assert reward.tolist() == [0, 1, 0, 1, 0]
    assert terminated.tolist() == [True, False, True, False, True]
    assert truncated.tolist() == [False, True, False, True, False]
    mask = np.array([True, False, False, True, False])
    observation, _ = counters.reset(seed=[7, 0, 0, 8, 0], options={"reset_mask": mask})
    assert observation[:, :, 0].tolist() == [[0, 7], [4, 9], [1, 1], [0, 8], [3, 3]]
    observation, reward, terminated, _, _ = act(counters, 1, 1, 1, 1, 1)
    assert reward.tolist() == [1, 0, 0, 1, 0]
    assert terminated.tolist() == [False, False, True, False, True]
