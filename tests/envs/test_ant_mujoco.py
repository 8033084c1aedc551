import gymnasium
import numpy as np
import pytest

from anx.envs.ant_mujoco import INPUTS, JOINTS, AntEnv, AntMujoco

mujoco = pytest.importorskip("mujoco", reason="needs MuJoCo: pip install 'anx[mujoco]'")


def actions(count, seed=0, size=0.3):
    return np.random.default_rng(seed).uniform(-size, size, (count, 8)).astype(np.float32)


@pytest.mark.parametrize(("seed", "size"), [(0, 0.2), (7, 1.2)])
def test_observations_and_rewards_are_those_of_gymnasiums_ant_step_for_step(seed, size):
    theirs = gymnasium.make("Ant-v5", include_cfrc_ext_in_observation=False).unwrapped
    ours = AntEnv()
    ours.reset(seed=seed + 1)
    for action in actions(5):
        ours.step(action)  # an episode before leaves no trace
    assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0].astype(np.float32))
    for step, action in enumerate(actions(200, seed, size)):  # noqa: B007
        mine, reward, ended, _, _ = ours.step(action)
        other, their_reward, they_ended, _, _ = theirs.step(action)
        assert np.array_equal(mine, other.astype(np.float32))
        assert reward == pytest.approx(their_reward, abs=1e-5)
        assert ended == they_ended
        if ended:
            break
    assert ended if size > 1 else step == 199
    theirs.close()


def test_joints_are_named_in_the_simulators_order():
    model = AntEnv()._model
    joints = [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_JOINT, i).replace("_", " ") for i in range(model.njnt)]
    assert tuple(joints[i] for i in model.actuator_trnid[:, 0]) == JOINTS
    assert tuple(f"{each} angle" for each in joints[1:]) == INPUTS[5:13]
    assert tuple(f"{each} speed" for each in joints[1:]) == INPUTS[-8:]


def test_training_leaves_out_the_bonus_for_being_healthy_and_pays_nothing_below_0():
    test, training = AntEnv(), AntEnv(training=True)
    test.reset(seed=3)
    training.reset(seed=3)
    below = 0
    for action in actions(50):
        own, paid = test.step(action)[1], training.step(action)[1]
        assert paid == pytest.approx(max(0.0, own - 1), abs=1e-12)
        below += own < 1
    assert 0 < below < 50


def test_an_ant_that_flies_ends_the_episode_without_the_bonus():
    ant = AntEnv()
    ant.reset(seed=0)
    ant._position[2] = 2.0
    _, reward, ended, truncated, _ = ant.step(np.zeros(8, np.float32))
    assert ended
    assert not truncated
    assert reward < 0.5


def test_the_number_of_processes_changes_nothing():
    walked = []
    for processes in (1, 2):
        ants = AntMujoco(processes=processes).make(3, training=False)
        ants.reset(seed=[1, 2, 1])
        walked.append([ants.step(np.stack([a, a, a]))[:2] for a in actions(10)])
        ants.close()
    for (one, reward), (other, their_reward) in zip(*walked, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(reward, their_reward)
        assert np.array_equal(one[0], one[2])


def test_a_picture_shows_an_ant_in_the_middle_that_moves_with_its_legs():
    ant = AntEnv()
    ant.reset(seed=0)
    first = ant.render()
    brown = (first.astype(int)[..., 0] - first[..., 2]) > 30
    rows, columns = np.nonzero(brown)
    assert 0.01 < brown.mean() < 0.2
    assert abs(columns.mean() - first.shape[1] / 2) < 30
    assert abs(rows.mean() - first.shape[0] / 2) < 60
    for action in actions(10, size=1.0):
        ant.step(action)
    assert not np.array_equal(ant.render(), first)
