import os
import signal
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


class Mortal(Counter):
    """Takes its process with it at an action of 1, once or, without a file, each time."""

    def __init__(self, once=None):
        super().__init__()
        self.once = once

    def step(self, action):
        if action == 1 and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


def test_a_process_that_dies_is_replaced_and_its_slots_are_named():
    envs = Workers(Mortal, 5, 2)  # slots 0 to 2, 3 and 4
    envs.reset(seed=[9] * 5)
    *_, info = act(envs, 0, 0, 0, 0, 0)
    assert info == {}
    observation, reward, terminated, truncated, info = act(envs, 0, 1, 0, 0, 0.5)
    assert info["lost"].tolist() == [True, True, True, False, False]
    assert info["died"].tolist() == [False, True, False, False, False]
    assert observation[3:, 0, 0].tolist() == [2, 2]  # the other process went on
    assert reward.tolist() == [0, 0, 0, 0, 0.5]
    assert not (terminated | truncated).any()
    observation, info = envs.reset(seed=[7, 8, 9, 0, 0], options={"reset_mask": info["lost"]})
    assert info == {}
    assert observation[:, :, 0].tolist() == [[0, 7], [0, 8], [0, 9], [2, 9], [2, 9]]
    envs.close()


def test_a_process_that_dies_between_two_steps_is_noticed():
    envs = Workers(Counter, 4, 2)
    envs.reset(seed=[9] * 4)
    act(envs, 0, 0, 0, 0)
    (victim,) = envs._processes[1].processes
    victim.kill()
    victim.join()
    *_, info = act(envs, 0, 0, 0, 0)
    assert info["lost"].tolist() == [False, False, True, True]
    envs.close()


def test_closing_leaves_no_process_whatever_they_are_doing():
    envs = Workers(Counter, 4, 2)
    envs.reset(seed=[9] * 4)
    envs.step_async(np.zeros((4, 1), np.float32))
    processes = [process.processes[0] for process in envs._processes]
    envs.close()
    assert not any(process.is_alive() for process in processes)
