"""Any environment of gymnasium's, as an agent sees it and acts in it."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from anx.envs import check_env
from anx.envs.gymnasium import GymnasiumEnv
from anx.envs.spaces import plain_action, plain_observation
from anx.errors import ConfigError


class Echo(gymnasium.Env):
    """What is observed is given; a step pays the sum of what was done."""

    metadata = {"render_modes": [], "render_fps": 25}  # noqa: RUF012 (gymnasium's own convention)

    def __init__(self, observations, actions, seen=None, render_mode=None):
        self.observation_space, self.action_space = observations, actions
        self.seen = seen
        self.done = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.seen, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.done.append(action)
        return self.seen, np.sum(action), False, False, {}


@pytest.fixture
def register():
    """Registers an environment; returns its id."""
    ids = []

    def register(observations, actions, seen=None, limit=9):
        ids.append(f"Echo{len(ids)}-v0")
        kwargs = {"observations": observations, "actions": actions, "seen": seen}
        gymnasium.register(ids[-1], entry_point=Echo, max_episode_steps=limit, kwargs=kwargs)
        return ids[-1]

    yield register
    for each in ids:
        del gymnasium.registry[each]


NUMBERS, BUTTONS = Box(-1, 1, (2,), np.float64), Discrete(3)
RGB = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
SEEN = {
    "scalars in double precision": (Box(-9, 9, (2,), np.float64), np.array([0.1, 7.0]), [0.1, 7.0]),
    "integers": (Box(0, 255, (2,), np.uint8), np.array([3, 255], np.uint8), [3, 255]),
    "a single number": (Box(-9, 9, (), np.float32), np.array(2.5, np.float32), [2.5]),
    "one of several": (Discrete(4, start=-1), 2, [0, 0, 0, 1]),
    "a gray frame": (Box(0, 255, (6, 8), np.uint8), RGB[..., 1], RGB[None, ..., 1]),
    "a colour frame": (Box(0, 255, (6, 8, 3), np.uint8), RGB, RGB.transpose(2, 0, 1)),
    "stacked frames": (Box(0, 255, (3, 6, 8), np.uint8), RGB.transpose(2, 0, 1), RGB.transpose(2, 0, 1)),
}


@pytest.mark.parametrize(("space", "seen", "expected"), SEEN.values(), ids=SEEN)
def test_an_observation_becomes_scalars_or_frames(register, space, seen, expected):
    env = GymnasiumEnv(register(space, NUMBERS, seen), processes=1)
    expected = np.asarray(expected)
    assert env.spec.observation_shape == expected.shape
    envs = env.make(2, training=True)
    observations, _ = envs.reset(seed=[1, 2])
    assert observations.dtype == (np.uint8 if expected.ndim == 3 else np.float32)
    for _ in range(2):
        assert np.array_equal(observations, np.stack([expected] * 2).astype(observations.dtype))
        observations, *_ = envs.step(np.zeros((2, 2), np.float32))
    envs.close()


ACTIONS = {
    "bounds of each": (Box(np.array([-2.0, 0]), np.array([2.0, 1]), dtype=np.float64), 2, [-1, 0.5], [-2, 0.75]),
    "of a matrix": (Box(-3, 3, (2, 1), np.float32), 2, [1, -0.5], [[3], [-1.5]]),
    "a single number": (Box(0, 1, (), np.float32), 1, [0], 0.5),
    "a button": (Discrete(3), 3, 2, 2),
    "a button with another start": (Discrete(3, start=5), 3, 2, 7),
}


@pytest.mark.parametrize(("space", "count", "action", "expected"), ACTIONS.values(), ids=ACTIONS)
def test_an_action_becomes_one_of_the_environments(register, space, count, action, expected):
    env = GymnasiumEnv(register(Box(-1, 1, (1,)), space, np.zeros(1, np.float32)), processes=1)
    assert (env.spec.action_size, env.spec.discrete) == (count, isinstance(space, Discrete))
    assert (env.spec.max_steps, env.spec.fps, env.has_pictures) == (9, 25, False)
    envs = env.make(1, training=False)
    envs.reset(seed=[0])
    taken = np.array([action], np.int64 if env.spec.discrete else np.float32)
    _, reward, *_ = envs.step(taken)
    assert reward[0] == pytest.approx(np.sum(expected))
    envs.close()


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (Dict({"x": NUMBERS}), "gymnasium.wrappers.FlattenObservation"),
        (Tuple([BUTTONS]), "gymnasium.wrappers.FlattenObservation"),
        (MultiBinary(3), "gymnasium.wrappers.FlattenObservation"),
        (Box(-1, 1, (3, 3)), "frames, of type uint8, .* gymnasium.wrappers.FlattenObservation"),
        (Box(0, 255, (2, 3, 8, 8), np.uint8), "frames, of type uint8"),
    ],
    ids=str,
)
def test_observations_that_are_no_agents_are_refused_with_what_to_do(register, space, says):
    with pytest.raises(ValueError, match=f"its observations are .*{says}"):
        plain_observation(space)
    with pytest.raises(ValueError, match=rf"^id=Echo0-v0: its observations are .*{says}"):
        GymnasiumEnv(register(space, NUMBERS))


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (Box(-np.inf, np.inf, (2,)), "without bounds: wrap it with gymnasium.wrappers.RescaleAction, or state"),
        (Box(np.array([0, -np.inf], np.float32), 1, (2,)), "without bounds"),
        (Box(0, 9, (2,), np.int64), "allowed: Discrete, and a Box of floats"),
        (MultiBinary(3), "allowed: Discrete, and a Box of floats"),
        (MultiDiscrete([2, 3]), "allowed: Discrete, and a Box of floats"),
    ],
    ids=str,
)
def test_actions_that_are_no_agents_are_refused_with_what_to_do(register, space, says):
    with pytest.raises(ValueError, match=f"its actions are .*{says}"):
        plain_action(space)
    with pytest.raises(ValueError, match=rf"^id=Echo0-v0: its actions are .*{says}"):
        GymnasiumEnv(register(NUMBERS, space))


def test_an_episode_needs_an_end(register):
    unlimited = register(NUMBERS, NUMBERS, limit=None)
    with pytest.raises(ValueError, match=r"^max_steps=null: Echo0-v0 has no limit of its own; allowed: an integer"):
        GymnasiumEnv(unlimited)
    assert GymnasiumEnv(unlimited, max_steps=7).spec.max_steps == 7
    assert GymnasiumEnv(register(NUMBERS, NUMBERS, limit=3), max_steps=7).spec.max_steps == 7


def test_one_that_draws_nothing_cannot_be_filmed_and_says_which(register):
    with pytest.raises(ConfigError, match=r"^env\.id=Echo0-v0 draws no pictures"):
        GymnasiumEnv(register(NUMBERS, NUMBERS, np.zeros(2))).make(1, training=False, pictures=True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"id": "Nope-v0"},
            r"^id=Nope-v0 is no environment that gymnasium can find \(Environment `Nope` does",
        ),
        ({"id": "CartPole-v9"}, r"^id=CartPole-v9 is no environment that gymnasium can find"),
        ({"id": "no_such_package:Env-v0"}, r"^id=no_such_package:Env-v0 is .* \(No module named 'no_such_package'\)$"),
        ({"id": "anx.envs.registration:Env-v0"}, r"^id=anx\.envs\.registration:Env-v0 is no environment"),
        ({"id": ""}, r"^id= is no environment"),
        ({"id": "CartPole-v1", "kwargs": {"mass": 2}}, r"^id=CartPole-v1 can't be made of kwargs={'mass': 2} \("),
        ({"id": "CartPole-v1", "max_steps": 0}, r"^max_steps=0 must be an integer, at least 1"),
        ({"id": "CartPole-v1", "processes": -1}, r"^processes=-1 must be an integer, at least 0"),
    ],
    ids=str,
)
def test_what_is_wrong_with_an_id_is_said_in_a_line(arguments, says):
    with pytest.raises(ValueError, match=says) as wrong:
        GymnasiumEnv(**arguments)
    assert "\n" not in str(wrong.value)


def test_a_simulator_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    for name in [each for each in sys.modules if each.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)  # another test may have had it
    with pytest.raises(ValueError, match=r"^id=Hopper-v5 can't be made \(MuJoCo is not installed, run `pip install"):
        GymnasiumEnv("Hopper-v5")
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(ConfigError, match=r"^env=gymnasium needs the Arcade .* env\.id=ALE/Pong-v5: pip in"):
        GymnasiumEnv("ALE/Pong-v5")


@pytest.mark.parametrize("id", ["Pendulum-v1", "CartPole-v1", "FrozenLake-v1"])
def test_gymnasiums_own_are_as_they_must_be(id):
    check_env(GymnasiumEnv(id, max_steps=50, processes=2))


def test_an_atari_game_is_four_gray_frames_and_its_buttons_have_names():
    pytest.importorskip("ale_py", reason="needs the Arcade Learning Environment: pip install 'anx[atari]'")
    env = GymnasiumEnv("ALE/Breakout-v5", processes=1)
    assert env.spec.observation_shape == (4, 84, 84)
    assert env.spec.actuators == ("noop", "fire", "right", "left")
    assert (env.spec.discrete, env.spec.max_steps, env.spec.fps) == (True, 27000, 15)
    envs = env.make(2, training=False)
    frames, _ = envs.reset(seed=[3, 3])
    assert (frames.shape, frames.dtype) == ((2, 4, 84, 84), np.uint8)
    assert np.array_equal(frames[0], frames[1])
    envs.step(np.array([1, 1]))
    assert envs.render()[0].shape == (84, 84, 3)
    envs.close()
    assert GymnasiumEnv("ALE/Breakout-v5", kwargs={"full_action_space": True}).spec.action_size == 18
    with pytest.raises(ValueError, match=r"^kwargs\.mode=1 is none of a game's; allowed: repeat_action_pro"):
        GymnasiumEnv("ALE/Breakout-v5", kwargs={"mode": 1})


def test_a_colour_frame_of_gymnasiums_is_seen_and_drawn():
    pytest.importorskip("Box2D", reason="needs Box2D")
    env = GymnasiumEnv("CarRacing-v3", max_steps=5, processes=1)
    assert env.spec.observation_shape == (3, 96, 96)
    envs = env.make(1, training=False, pictures=True)
    envs.reset(seed=[0])
    assert envs.render()[0].shape == (400, 600, 3)
    envs.close()
