"""What is wrong with an environment of one's own is said in a line."""

from dataclasses import replace
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from toys import Walk
from worlds import FRAMES, NUMBERS, World, WorldEnvs, WorldState

from anx.envs import HostEnvironment, check_env
from anx.envs.ant import Ant
from anx.envs.ant_mujoco import AntMujoco
from anx.envs.car_racing import CarRacing
from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.envs.pong import Pong
from anx.envs.workers import Workers
from anx.errors import ConfigError
from anx.spec import Spec


class Host(World):
    rollout = "host"
    has_pictures = False


def numbers(kind=World, **more):
    return type("Mine", (kind,), more)((5,), action_size=2, discrete=False, brightness=1.0)


@pytest.mark.parametrize(
    "make",
    [
        CartPoleSwingUpHarder,
        lambda: NUMBERS,
        lambda: FRAMES,
        lambda: numbers(Host),
        lambda: Host((4, 12, 12), action_size=3, discrete=True, brightness=255.0),
        pytest.param(Ant, marks=pytest.mark.slow),
        AntMujoco,
        pytest.param(Pong, marks=pytest.mark.slow),
        pytest.param(CarRacing, marks=pytest.mark.slow),
        pytest.param(partial(CarRacing, simulator="gymnasium", max_steps=30), marks=pytest.mark.slow),
    ],
)
def test_ours_and_those_of_the_tests_are_as_they_must_be(make):
    pytest.importorskip("pybullet") if make is Ant else None
    pytest.importorskip("mujoco") if make is AntMujoco else None
    pytest.importorskip("ale_py") if make is Pong else None
    pytest.importorskip("Box2D") if make not in (Ant, Pong) and "Car" in str(make) else None
    check_env(make())


def with_spec(**changed):
    env = numbers()
    env.spec = replace(env.spec, **changed)
    return env


SPECS = {
    "spec.observation_shape=(5, 5) must be (N,) or (frames, height, width)": {"observation_shape": (5, 5)},
    "spec.observation_shape=(0,) must be": {"observation_shape": (0,)},
    "spec.actuators is empty": {"actuators": ()},
    "spec.actuators=['a', 'b'] must be a tuple": {"actuators": ["a", "b"]},
    "spec.actuators=('a', 'a') has a name twice": {"actuators": ("a", "a")},
    "spec.inputs names 2 scalars; an observation has shape (5,)": {"inputs": ("x", "y")},
    "spec.max_steps=0 must be an integer": {"max_steps": 0},
    "spec.discrete=1 must be true or false": {"discrete": 1},
    "spec.fps=0 must be a number above 0": {"fps": 0},
}


@pytest.mark.parametrize(("says", "changed"), SPECS.items())
def test_a_spec_that_is_not_so_is_named(says, changed):
    with pytest.raises(ConfigError) as wrong:
        check_env(with_spec(**changed))
    assert str(wrong.value).startswith(f"Mine: {says}")


def test_an_environment_of_no_kind_is_told_what_to_inherit_from():
    with pytest.raises(ConfigError, match=r"^object\.rollout=None must be 'device' or 'host': inherit from anx"):
        check_env(object())
    env = numbers()
    env.spec = None
    with pytest.raises(ConfigError, match=r"^Mine: spec=None must be an anx\.spec\.Spec"):
        check_env(env)


class OnlyOneAxis(World):
    def step(self, state, action):
        push = action.sum(1)
        return WorldState(0.9 * state.seen, state.left - 1), push, state.left <= 1


class OfTheBatch(World):
    def step(self, state, action):
        after, paid, done = super().step(state, action)
        return after, paid - paid.mean(), done


class InPlace(World):
    def step(self, state, action):
        state.left.sub_(1)
        return super().step(state, action)


class Single(World):
    def observe(self, state):
        return state.seen.float()


class Drawing(World):
    def render(self, state):
        return np.zeros((9, 9), np.uint8)


def answers(change):
    """A world whose steps' answers are changed."""

    class Changed(World):
        def step(self, state, action):
            return change(*super().step(state, action))

    return Changed


TORCH = {
    "its first axis must be the 4 episodes": numbers(reset=lambda self, n, g: WorldState(torch.rand(5), torch.ones(n))),
    "allowed: trees of tensors": numbers(reset=lambda self, n, g: (torch.zeros(n), 3)),
    "holds infinite values": numbers(reset=lambda self, n, g: WorldState(torch.full((n, 5), torch.nan), torch.ones(n))),
    "reset returns other starts for the same seed": numbers(
        reset=lambda self, n, g: WorldState(torch.rand(n, 5), torch.ones(n))
    ),
    "observe returns torch.int64; allowed: floats and torch.uint8": numbers(observe=lambda self, s: s.seen.long()),
    "observe returns shape [4, 3] for 4 episodes; the spec says [4, 5]": numbers(
        observe=lambda self, s: s.seen[..., 2:]
    ),
    "observe changes its state in place": numbers(observe=lambda self, state: state.seen.add_(1)),
    "step changes its arguments in place": numbers(InPlace),
    "step draws random numbers": numbers(answers(lambda state, paid, done: (state, paid + torch.rand(()), done))),
    "step must return a tuple of three": numbers(answers(lambda *answer: answer[:2])),
    "step returns a reward of shape [4, 1] for 4 episodes": numbers(answers(lambda s, r, d: (s, r[..., None], d))),
    "step returns a reward of shape float for": numbers(answers(lambda s, paid, d: (s, 0.0, d))),
    "step returns a reward of torch.int64": numbers(answers(lambda s, paid, d: (s, paid.long(), d))),
    "step returns a reward that holds infinite": numbers(answers(lambda s, paid, d: (s, paid / 0, d))),
    "step returns a done of torch.float32, not of torch.bool": numbers(answers(lambda s, r, d: (s, r, d.float()))),
    "step returns a state of another structure": numbers(answers(lambda s, paid, d: (tuple(s), paid, d))),
    "step returns a state with a tensor of shape [4, 5] and torch.float64": numbers(
        answers(lambda s, paid, d: (s._replace(seen=s.seen.double()), paid, d))
    ),
    "a batch of no axis can't be stepped": numbers(OnlyOneAxis, observe=lambda self, state: state.seen),
    "comes out otherwise in a batch of no axis": numbers(OfTheBatch),
    "observe returns torch.float32 for a state in torch.float64": numbers(Single),
    "render returns uint8 of shape [9, 9]": numbers(Drawing),
}


@pytest.mark.parametrize(("says", "env"), TORCH.items(), ids=list(TORCH))
def test_what_a_torch_environment_does_wrong_is_said(says, env):
    with pytest.raises(ConfigError) as wrong:
        check_env(env)
    assert str(wrong.value).startswith("Mine: ")
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def host(**changed):
    """A world on the CPU whose vector environments have other methods and attributes."""
    env = numbers(Host)
    kind = type("Envs", (WorldEnvs,), changed)
    env.make = lambda slots, training, pictures=False: kind(env, slots)
    return env


def stepping(change):
    """A step whose answer is changed."""
    return lambda self, actions: change(*WorldEnvs.step(self, actions))


def unseeded(self, *, seed=None, options=None):
    return WorldEnvs.reset(
        self, seed=np.random.default_rng().integers(1000, size=self.num_envs).tolist(), options=options
    )


def by_slot(self, *, seed=None, options=None):
    return WorldEnvs.reset(self, seed=[each + slot for slot, each in enumerate(seed)], options=options)


def all_of_them(self, *, seed=None, options=None):
    return WorldEnvs.reset(self, seed=seed)


class Resetting(WorldEnvs):
    """Starts another episode as soon as one has ended, and forgets what it is reset to."""

    def step(self, actions):
        if getattr(self, "over", False):
            self.reset(seed=[9] * self.num_envs)
        answer = super().step(actions)
        self.over = bool(answer[2].any())
        return answer


def resetting():
    env = numbers(Host)
    env.make = lambda slots, training, pictures=False: Resetting(env, slots)
    return env


BOX = gymnasium.spaces.Box(-1, np.inf, (2,), np.float32)
HOST = {
    "make(3, ...) makes 2 environments, not 3": host(__init__=lambda self, env, n: WorldEnvs.__init__(self, env, 2)),
    "overlaps is true, but what make returns has no step_async": numbers(Host, overlaps=True),
    "spec.discrete=False, but actions are Discrete(2), not a Box": host(
        step=None, single_action_space=property(lambda self: gymnasium.spaces.Discrete(2), lambda self, space: None)
    ),
    "without bounds: wrap it with gymnasium.wrappers.RescaleAction": host(
        single_action_space=property(lambda self: BOX, lambda self, space: None)
    ),
    "spec.actuators names 2, but actions are Box(-1.0, 1.0, (3,)": host(
        single_action_space=property(lambda self: gymnasium.spaces.Box(-1, 1, (3,)), lambda self, space: None)
    ),
    "reset must return a tuple of two": host(reset=lambda self, **seed: WorldEnvs.reset(self, **seed)[0]),
    "reset returns observations of shape [3, 1, 5]; the spec says [3, 5]": host(
        reset=lambda self, **seed: (WorldEnvs.reset(self, **seed)[0][:, None], {})
    ),
    "reset returns observations of int64; allowed": host(
        reset=lambda self, **seed: (WorldEnvs.reset(self, **seed)[0].astype(np.int64), {})
    ),
    "step must return a tuple of five": host(step=stepping(lambda *answer: answer[:4])),
    "step returns rewards of shape [3, 1] for 3 slots": host(step=stepping(lambda o, r, *more: (o, r[:, None], *more))),
    "step returns terminated of float64, not of bool": host(step=stepping(lambda o, r, e, *m: (o, r, e * 1.0, *m))),
    "step returns rewards that are infinite": host(step=stepping(lambda o, r, *more: (o, r * np.nan, *more))),
    "the same seed is another episode when it is played again, at its start": host(reset=unseeded),
    "the same seed is another episode in another slot, at its start": host(reset=by_slot),
    'reset(options={"reset_mask": ...}) changes slots that are not in its mask': host(reset=all_of_them),
    "it must not reset itself": resetting(),
    "render returns nothing": host(render=lambda self: None),
}
HOST["render returns nothing"].has_pictures = True


@pytest.mark.parametrize(("says", "env"), HOST.items(), ids=list(HOST))
def test_what_an_environment_on_the_cpu_does_wrong_is_said(says, env):
    with pytest.raises(ConfigError) as wrong:
        check_env(env)
    assert str(wrong.value).startswith("Mine: ")
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_one_that_steps_in_processes_is_checked_there():
    class Walks(HostEnvironment):
        spec = Spec((5,), ("push",), max_steps=9)
        overlaps = True
        has_pictures = False

        def make(self, slots, training, pictures=False):
            return Workers(partial(Walk, None, ()), slots, 2)

    check_env(Walks())
