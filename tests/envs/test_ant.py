import multiprocessing

import gymnasium
import numpy as np
import pytest

from anx.envs.ant import Ant, AntEnv

pytest.importorskip("pybullet", reason="needs PyBullet: pip install 'anx[ant]'")


def actions(count, seed=0):
    return np.random.default_rng(seed).uniform(-1.2, 1.2, (count, 8)).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 7])
def test_observations_and_rewards_are_those_of_the_reference_step_for_step(seed):
    pytest.importorskip("pybullet_envs_gymnasium", reason="the reference: pip install pybullet-envs-gymnasium")
    theirs = gymnasium.make("AntBulletEnv-v0").unwrapped
    ours = AntEnv()
    ours.reset(seed=seed + 1)
    for action in actions(5):
        ours.step(action)  # an episode before leaves no trace
    mine, other = ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0]
    np.testing.assert_allclose(mine, other, rtol=0, atol=1e-6)
    for action in actions(1000, seed):
        mine, reward, ended, _, _ = ours.step(action)
        other, their_reward, they_ended, _, _ = theirs.step(action)
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-6)
        assert reward == pytest.approx(their_reward, abs=1e-6)
        assert ended == they_ended
    ours.close()
    theirs.close()


def test_the_sum_of_all_parts_follows_from_torso_ankles_and_feet():
    ant = AntEnv()
    ant.reset(seed=5)
    for action in actions(100):
        (x, y, _), _ = ant._bullet.getBasePositionAndOrientation(ant._ant, ant._client)
        (vx, vy, _), _ = ant._bullet.getBaseVelocity(ant._ant, ant._client)
        links = ant._bullet.getLinkStates(ant._ant, range(20), physicsClientId=ant._client)
        expected = [x + sum(link[0][0] for link in links), y + sum(link[0][1] for link in links)]
        assert ant._sum_parts(x, y, vx, vy) == pytest.approx(expected, abs=1e-9)
        ant.step(3 * action)
    ant.close()


def test_training_leaves_out_the_bonus_for_being_alive_and_pays_nothing_below_0():
    test, training = AntEnv(), AntEnv(training=True)
    test.reset(seed=3)
    training.reset(seed=3)
    below = 0
    for action in actions(100):
        own, paid = test.step(action)[1], training.step(action)[1]
        assert paid == pytest.approx(max(0.0, own - 1), abs=1e-12)
        below += own < 1
    assert 0 < below < 100


def test_a_fallen_ant_ends_the_episode_and_pays_the_bonus_back():
    ant = AntEnv()
    ant.reset(seed=0)
    on_its_back = (1, 0, 0, 0)
    ant._bullet.resetBasePositionAndOrientation(ant._ant, (0, 0, 0.25), on_its_back, physicsClientId=ant._client)
    _, reward, ended, truncated, _ = ant.step(np.zeros(8, np.float32))
    assert ended
    assert not truncated
    assert reward < 0


def test_every_input_has_a_name():
    assert len(set(Ant().spec.inputs)) == len(Ant().spec.inputs) == 28


def test_the_number_of_processes_changes_nothing():
    walked = []
    for processes in (1, 2, 5):
        ants = Ant(processes=processes).make(3, training=False)
        ants.reset(seed=[1, 2, 1])
        steps = [ants.step(np.stack([a, a, a]))[:2] for a in actions(20)]
        fresh, _ = ants.reset(seed=[5, 6, 7], options={"reset_mask": np.array([False, True, False])})
        walked.append((*map(np.array, zip(*steps, strict=True)), fresh))
        ants.close()
    for one, two, three in zip(*walked, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)
    observations, _, fresh = walked[0]
    assert np.array_equal(observations[:, 0], observations[:, 2])
    assert np.array_equal(fresh[0], observations[-1, 0])  # goes on
    assert not np.array_equal(fresh[1], observations[-1, 1])  # starts anew


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_ants_walk_the_same_in_processes_of_every_start_method(method, monkeypatch):
    monkeypatch.setattr("anx.envs.workers.START_METHOD", method)
    alone, others = AntEnv(), Ant(processes=2).make(2, training=False)
    alone.reset(seed=4)
    others.reset(seed=[3, 4])
    for action in actions(20):
        observation, reward, *_ = alone.step(action)
        theirs, rewards, *_ = others.step(np.stack([-action, action]))
        assert np.array_equal(theirs[1], observation)
        assert rewards[1] == reward
    alone.close()
    others.close()
