"""Environments of somebody's own package are trained in, evaluated and filmed without a line changed here."""

import importlib
import json
import sys

import gymnasium
import pytest
from hydra.core.global_hydra import GlobalHydra

PACKAGE = '''
import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from anx.envs import HostEnvironment, TorchEnvironment
from anx.envs.workers import Workers
from anx.spec import Spec

gymnasium.register("MyEnv-v0", entry_point="my_package:MyEnv", max_episode_steps=12)


class MyEnv(gymnasium.Env):
    """Keep a number small by two buttons, the first of which is 1."""

    metadata = {"render_modes": ["rgb_array"]}
    observation_space = Box(-np.inf, np.inf, (3,), np.float64)
    action_space = Discrete(2, start=1)

    def __init__(self, step_size=0.5, render_mode=None):
        self.step_size, self.render_mode = step_size, render_mode

    def observe(self):
        return np.array([self.x, self.x**2, 1.0])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.normal()
        return self.observe(), {}

    def step(self, action):
        self.x += self.step_size * {1: -1, 2: 1}[int(action)]
        return self.observe(), -abs(self.x), False, False, {}

    def render(self):
        return np.full((40, 60, 3), 100, np.uint8)


class MyWorld(TorchEnvironment):
    """The same, in torch."""

    def __init__(self, max_steps: int = 12, step_size: float = 0.5):
        self.step_size = step_size
        self.spec = Spec((2,), ("push",), max_steps=max_steps, inputs=("x", "x squared"))

    def reset(self, episodes, generator):
        return torch.randn(episodes, 1, generator=generator)

    def observe(self, state):
        return torch.cat([state, state**2], dim=-1)

    def step(self, state, action):
        state = state + self.step_size * action
        return state, -state.abs().squeeze(-1), state.abs().squeeze(-1) > 9


class MyHost(HostEnvironment):
    """Many of them."""

    has_pictures = False
    overlaps = True

    def __init__(self, max_steps: int = 12):
        self.spec = Spec((3,), ("less", "more"), max_steps=max_steps, discrete=True)

    def make(self, slots, training, pictures=False):
        return Workers(MyEnv, slots, 2)
'''

SMOKE = ["+budget=smoke", "trainer.max_steps=2", "logger=csv", "report.figures=false", "rollout.compile=false"]
OWN = {
    "gymnasium": ["env=gymnasium", "env.id=my_package:MyEnv-v0", "env.processes=1", "+env.kwargs.step_size=0.25"],
    "torch": ["env._target_=my_package.MyWorld", "env.max_steps=12", "+env.step_size=0.25"],
    "host": ["env._target_=my_package.MyHost", "env.max_steps=12", "rollout=host"],
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Somebody's own package, beside which they are."""
    (tmp_path / "my_package.py").write_text(PACKAGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_package", None)
    gymnasium.registry.pop("MyEnv-v0", None)


@pytest.fixture
def run(package, monkeypatch, capfd):
    """Runs a command line; returns what it printed."""

    def run(program, *arguments, code=None):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        main = importlib.import_module(f"anx.commands.{program}").main
        if code is None:
            main()
        else:
            with pytest.raises(SystemExit) as end:
                main()
            assert end.value.code == code
        return "".join(capfd.readouterr())

    return run


def test_they_are_as_they_must_be(package):
    import my_package

    from anx.envs import check_env
    from anx.envs.gymnasium import GymnasiumEnv

    check_env(my_package.MyWorld())
    check_env(my_package.MyHost())
    check_env(GymnasiumEnv("my_package:MyEnv-v0"))


@pytest.mark.parametrize("kind", OWN)
def test_an_environment_of_ones_own_is_trained_in_evaluated_and_filmed(run, tmp_path, kind):
    printed = run("run", *OWN[kind], *SMOKE, f"hydra.run.dir={tmp_path / 'run'}")
    agent = tmp_path / "run" / "agent.safetensors"
    assert agent.is_file()
    draws = kind == "gymnasium"
    assert (tmp_path / "run" / "film.mp4").is_file() == draws
    assert ("the report has no film: the environment draws no pictures" in printed) == (not draws)

    refused = run("evaluate", f"weights={agent}", "episodes=2", code=2)
    assert "say trust=[my_package]" in refused
    assert refused.count("\n") == 1
    video = [f"video={tmp_path / 'film.mp4'}"]
    arguments = [f"weights={agent}", "trust=[my_package]", "episodes=3", f"output={tmp_path / 'said.json'}"]
    run("evaluate", *arguments, *(video if draws else []))
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["steps"] == [12, 12, 12]
    assert (tmp_path / "film.mp4").is_file() == draws
    if not draws:
        refused = run("evaluate", *arguments, *video, code=2).strip().splitlines()[-1]
        assert refused.startswith("error: env=My")
        assert refused.endswith("draws no pictures: it can't be filmed")
