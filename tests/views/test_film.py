import importlib.util
import sys
from types import SimpleNamespace

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate

import anx.commands.evaluate
from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle
from anx.population import get_vector
from anx.views.film import film
from anx.views.scene import HEIGHT, WIDTH

needs_ale = pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="needs ale_py")


def make_rollout(*overrides):
    agent, env = make_agent(*overrides)
    rollout = instantiate(compose(*overrides).rollout, agent=agent, env=env)
    agent.to(rollout.evaluation_dtype)
    return rollout


def read(path):
    with imageio.get_reader(path) as reader:
        return reader.count_frames(), reader.get_meta_data(), reader.get_data(0)


def test_of_a_hundred_steps_a_second_every_second_one_is_filmed_and_the_last(tmp_path):
    rollout = make_rollout("env.max_steps=11")
    assert len(rollout.trace(get_vector(rollout.agent), 0).rewards) == 11
    film(tmp_path / "film.mp4", rollout, 0, [Shuffle(), Noise(2)], "cartpole")
    frames, meta, first = read(tmp_path / "film.mp4")
    assert frames == 6
    assert meta["fps"] == 50
    assert meta["codec"] == "h264"
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert first.std() > 20  # something is drawn


@needs_ale
@pytest.mark.parametrize("perturbations", [[], [Shuffle(), Occlude(), Noise(60)], [Duplicate()]])
def test_pong_is_filmed_step_by_step(tmp_path, perturbations):
    film(tmp_path / "film.mp4", make_rollout("+experiment=pong", "env.max_steps=12"), 0, perturbations, "pong")
    frames, meta, first = read(tmp_path / "film.mp4")
    assert frames == 12
    assert meta["fps"] == 15
    assert first.shape == (HEIGHT, WIDTH, 3)


def test_an_evaluation_writes_the_film_it_is_asked_for(monkeypatch, capsys, tmp_path):
    np.savez(tmp_path / "agent.npz", params=np.zeros(913, np.float32))
    path = tmp_path / "films" / "film.mp4"
    arguments = [f"weights={tmp_path / 'agent.npz'}", "env.max_steps=4", "episodes=1", f"video={path}"]
    monkeypatch.setattr(sys, "argv", ["anx", *arguments])
    GlobalHydra.instance().clear()
    anx.commands.evaluate.main()
    assert read(path)[0] == 2
    assert f"written to {path}" in capsys.readouterr().err


def test_an_interrupted_film_leaves_the_older_one_and_nothing_else(tmp_path):
    rollout = make_rollout("env.max_steps=11")

    def interrupted(*arguments, **options):
        yield from list(type(rollout).watch(rollout, *arguments, **options))[:4]
        raise KeyboardInterrupt

    parts = {"agent": rollout.agent, "env": rollout.env, "evaluation_dtype": rollout.evaluation_dtype}
    broken = SimpleNamespace(**parts, watch=interrupted)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        film(path, broken, 0, [], "cartpole")
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_plays_in_the_precision_of_evaluations_and_leaves_the_agent_as_it_was(tmp_path, monkeypatch):
    rollout = make_rollout("env.max_steps=4")
    rollout.agent.float()
    before = get_vector(rollout.agent).clone()
    played = []

    def watch(vector, *arguments, **options):
        played.append(vector.dtype)
        return type(rollout).watch(rollout, vector, *arguments, **options)

    monkeypatch.setattr(rollout, "watch", watch)
    film(tmp_path / "film.mp4", rollout, 0, [], "cartpole")
    assert played == [torch.float64]
    assert get_vector(rollout.agent).dtype == torch.float32
    assert torch.equal(get_vector(rollout.agent), before)


def test_an_agent_without_attention_is_filmed(tmp_path):
    film(tmp_path / "film.mp4", make_rollout("+ablation=fnn", "env.max_steps=4"), 0, [Shuffle()], "fnn")
    assert read(tmp_path / "film.mp4")[0] == 2
