import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import gymnasium
import numpy as np
import pytest
from toys import Counter, Mortal, Pixels, Tidy

from anx.envs.workers import Workers


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


def test_environments_of_a_new_process_stand_still_until_they_are_reset():
    envs = Workers(Mortal, 2, 1)
    assert act(envs, 0.5, 0.5)[1].tolist() == [0, 0]  # never reset
    envs.reset(seed=[9, 9])
    act(envs, 0, 1)
    envs.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})  # the other has nothing left to play
    observation, reward, terminated, _, _ = act(envs, 0.5, 0.5)
    assert observation[0, :, 0].tolist() == [1, 9]
    assert reward.tolist() == [0.5, 0]
    assert not terminated.any()
    envs.close()


def test_a_process_that_dies_between_two_steps_is_noticed():
    envs = Workers(Counter, 4, 2)
    envs.reset(seed=[9] * 4)
    act(envs, 0, 0, 0, 0)
    victim = envs._processes[1].process
    victim.kill()
    victim.join()
    *_, info = act(envs, 0, 0, 0, 0)
    assert info["lost"].tolist() == info["died"].tolist() == [False, False, True, True]
    envs.close()


def test_closing_closes_environments_and_leaves_no_process_whatever_they_are_doing(tmp_path, monkeypatch):
    monkeypatch.setattr("anx.envs.workers.GRACE", 0.5)
    for name, action in (("idle", 0), ("asleep", 1)):
        envs = Workers(partial(Tidy, tmp_path / name), 2, 2)
        envs.reset(seed=[9] * 2)
        (tmp_path / name).unlink()  # left by the one that was asked for its spaces
        envs.step_async(np.full((2, 1), action, np.float32))
        processes = [process for process, _ in envs._processes]
        envs.close()
        assert not any(process.is_alive() for process in processes)
        assert (tmp_path / name).exists() == (name == "idle")


def test_what_an_environment_raises_is_raised_here_with_where_it_was(tmp_path):
    envs = Workers(partial(Tidy, tmp_path / "closed"), 3, 2)
    envs.reset(seed=[9] * 3)
    with pytest.raises(RuntimeError, match=r"(?s)toys\.py.*in step.*ZeroDivisionError: of a toy"):
        act(envs, 0, -1, 0)
    envs.close()


def test_observations_keep_their_type_and_actions_are_not_overwritten_later():
    envs = Workers(Pixels, 3, 2)
    first, _ = envs.reset(seed=[7, 8, 255])
    assert first.dtype == np.uint8
    assert first[:, 0, 0].tolist() == [7, 8, 255]
    paid = [envs.step(np.array(actions))[1].tolist() for actions in ([1, 2, 3], [5, 0, 1])]
    assert paid == [[1, 2, 3], [6, 2, 4]]
    envs.reset(seed=[1, 1, 1])
    assert first[:, 0, 0].tolist() == [7, 8, 255]
    envs.close()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_every_start_method_plays_the_same_and_replaces_its_dead(method, tmp_path):
    offset = np.float32(0.5)

    class Local(Mortal):  # not importable: sent by value
        def observe(self):
            return super().observe() + offset

    envs = Workers(lambda: Local(tmp_path / "died"), 3, 2, method)
    observation, _ = envs.reset(seed=[2, 9, 4])
    assert observation[:, :, 0].tolist() == [[0.5, 2.5], [0.5, 9.5], [0.5, 4.5]]
    *_, info = act(envs, 0, 0, 1)
    assert info["lost"].tolist() == [False, False, True]
    observation, _ = envs.reset(seed=[0, 0, 6], options={"reset_mask": info["lost"]})
    assert observation[:, :, 0].tolist() == [[1.5, 2.5], [1.5, 9.5], [0.5, 6.5]]
    assert act(envs, 0.25, 0, 1)[1].tolist() == [0.25, 0, 1]
    envs.close()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_several_threads_have_workers_of_their_own(method):
    def count(limit):
        envs = Workers(partial(Counter, limit), 2, 2, method)
        envs.reset(seed=[9, 9])
        truncated = [act(envs, 0, 0)[3].tolist() for _ in range(3)]
        envs.close()
        return truncated

    with ThreadPoolExecutor(3) as threads:
        for limit, truncated in enumerate(threads.map(count, (1, 2, 3)), start=1):
            assert truncated == [[step >= limit] * 2 for step in (1, 2, 3)]


def test_what_cannot_be_sent_to_a_process_is_refused():
    with pytest.raises(ValueError, match=r"cannot be sent .* \(cannot pickle .*lock.*\); it must hold no open files"):
        Workers(partial(Tidy, threading.Lock()), 2, 1)


def test_an_environment_without_a_fixed_shape_is_refused():
    class Talking(Counter):
        observation_space = gymnasium.spaces.Text(9)

    with pytest.raises(ValueError, match=r"observation space Text.* has no fixed shape; allowed: Box and Discrete"):
        Workers(Talking, 2, 1)


SCRIPT = """
import os
import sys

import gymnasium
import numpy as np

from anx.envs.workers import Workers

print("imported", flush=True)


class Own(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action[0]), False, False, {}


envs = Workers(Own, 3, 2, sys.argv[1])
envs.reset(seed=[1, 2, 3])
print(envs.step(np.ones((3, 1)))[1].sum(), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("ending", ["left open", "killed"])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_script_without_a_main_guard_runs_once_and_leaves_no_process_when_it_ends(method, ending, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), method, ending]
    # Every process holds the script's output open: this waits until all have ended.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "imported\n3.0\n"
    assert done.stderr == ""
    assert done.returncode == (-9 if ending == "killed" else 0)


def test_stepping_simulators_imports_neither_torch_nor_hydra():
    modules = "anx.envs.worker, anx.envs.ant, anx.envs.car_racing, anx.envs.pong"
    unwanted = f"import sys, {modules}; print(sorted({{'torch', 'hydra', 'matplotlib'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", unwanted], capture_output=True, text=True).stdout == "[]\n"
