import math
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from anx.envs.cartpole import CartPoleState, CartPoleSwingUpHarder
from anx.envs.registration import ID


def reference_step(x, v, theta, w, action):
    """The paper's equations, one episode in plain Python."""
    g, mc, mp, length, b, dt = 9.82, 0.5, 0.5, 0.6, 0.1, 0.01
    force, total = 10 * min(1.0, max(-1.0, action)), mc + mp
    s, c = math.sin(theta), math.cos(theta)
    x_accel = (-2 * mp * length * w**2 * s + 3 * mp * g * s * c + 4 * force - 4 * b * v) / (4 * total - 3 * mp * c**2)
    w_accel = (-3 * mp * length * w**2 * s * c + 6 * total * g * s + 6 * (force - b * v) * c) / (
        4 * length * total - 3 * mp * length * c**2
    )
    x, theta, v, w = x + v * dt, theta + w * dt, v + x_accel * dt, w + w_accel * dt
    reward = (math.cos(theta) + 1) / 2 * math.cos(x / 2.4 * math.pi / 2)
    return (x, v, theta, w), reward, abs(x) > 2.4


def test_a_batch_steps_like_the_papers_equations_one_by_one():
    env = CartPoleSwingUpHarder()
    batch = CartPoleState(*(x.double() for x in env.reset(8, torch.Generator().manual_seed(0))))
    singles = [tuple(float(x[e]) for x in batch) for e in range(8)]
    actions = torch.empty(100, 8, 1, dtype=torch.float64).uniform_(
        -1.5, 1.5, generator=torch.Generator().manual_seed(1)
    )
    for action in actions:
        batch, reward, done = env.step(batch, action)
        for e in range(8):
            singles[e], own_reward, own_done = reference_step(*singles[e], float(action[e]))
            assert [float(x[e]) for x in batch] == pytest.approx(singles[e], abs=1e-9)
            assert float(reward[e]) == pytest.approx(own_reward, abs=1e-9)
            assert bool(done[e]) == own_done


def test_starts_fill_the_papers_range_and_no_more():
    state = CartPoleSwingUpHarder().reset(10_000, torch.Generator().manual_seed(0))
    for values, centre, spread in zip(state, (0, 0, math.pi, 0), (2.4, 10, math.pi / 2, 10), strict=True):
        assert (values - centre).abs().max() <= spread * 1.0001
        assert (values - centre).abs().max() > 0.99 * spread
        assert abs(float((values - centre).mean())) < 0.05 * spread


def test_more_episodes_leave_the_first_starts_as_they_were():
    env = CartPoleSwingUpHarder()
    few, many = (env.reset(n, torch.Generator().manual_seed(3)) for n in (4, 9))
    for a, b in zip(few, many, strict=True):
        assert torch.equal(a, b[:4])


def test_a_pole_that_has_turned_often_moves_as_it_would_without_its_turns():
    world, angles = CartPoleSwingUpHarder(), torch.linspace(-3, 3, 64)
    few, many = (
        CartPoleState(torch.zeros(64), torch.zeros(64), theta, torch.ones(64))
        for theta in (angles, angles + 80 * math.pi)
    )
    action = torch.full((64, 1), 0.3)
    torch.testing.assert_close(world.observe(few), world.observe(many), rtol=0, atol=1e-4)
    (after_few, *few), (after_many, *many) = world.step(few, action), world.step(many, action)
    torch.testing.assert_close((few, after_few.theta_dot), (many, after_many.theta_dot), rtol=0, atol=1e-4)


def test_gymnasium_accepts_the_environment_and_cuts_it_at_a_thousand_steps():
    with pytest.warns(UserWarning, match="infinity"):  # its observations have no bounds
        check_env(gymnasium.make(f"anx.envs.registration:{ID}", render_mode="rgb_array").unwrapped)
    assert gymnasium.spec(ID).max_episode_steps == 1000


def test_gymnasiums_environment_is_the_torch_environment():
    env = gymnasium.make(f"anx.envs.registration:{ID}")
    observation, _ = env.reset(seed=4)
    state = env.unwrapped._state
    for action in (0.5, -1.0, 2.0):
        (*values,), reward, _ = reference_step(*map(float, state), action)
        observation, ours, *_ = env.step(np.array([action], np.float32))
        state = env.unwrapped._state
        x, v, theta, w = values
        assert observation.tolist() == pytest.approx([x, v, math.cos(theta), math.sin(theta), w], abs=1e-4)
        assert ours == pytest.approx(reward, abs=1e-5)


def test_the_picture_shows_the_cart_where_it_is():
    env = gymnasium.make(f"anx.envs.registration:{ID}", render_mode="rgb_array")
    env.reset(seed=0)
    world = env.unwrapped
    columns = []
    for x in (-2.0, 0.0, 2.0):
        world._state = CartPoleState(*map(torch.tensor, (x, 0.0, math.pi, 0.0)))
        picture = env.render()
        assert picture.shape == (300, 600, 3)
        blue = (picture[..., 2] > 120) & (picture[..., 0] < 80)
        columns.append(np.nonzero(blue)[1].mean())
    assert columns == pytest.approx([300 - 2 * 600 / 5.8, 300, 300 + 2 * 600 / 5.8], abs=3)


def test_importing_anx_registers_nothing_and_an_id_that_names_the_module_does():
    script = f"""
import gymnasium
before = set(gymnasium.registry)
import anx, anx.envs, anx.envs.cartpole
assert set(gymnasium.registry) == before
for _ in range(2):
    env = gymnasium.make("anx.envs.registration:{ID}")
print(env.spec.id, env.reset(seed=3)[0].shape)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == f"{ID} (5,)\n", done.stderr
