"""What a user does, on a CUDA card; `pytest -m gpu` where there is one."""

import importlib
import json
import sys

import pytest
import torch
from conftest import compose
from hydra.core.global_hydra import GlobalHydra

from anx.commands.run import train
from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.experiment.build import build_rollout
from anx.experiment.files.weights import read_weights
from anx.perturb.inputs import Duplicate, Noise, Occlude, Shuffle
from anx.population import get_vector
from anx.rollout.device import DeviceRollout
from anx.views.film import why_no_film

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

ON_GPU = ["+budget=smoke", "trainer.accelerator=gpu", "logger=csv"]
PONG = ["+experiment=pong", "env.max_steps=8", "rollout.slots=8"]


def run(folder, *overrides):
    film = [] if why_no_film() is None else ["report.film=false"]
    return train(compose(*ON_GPU, "report.figures=true", *film, f"run_dir={folder}", *overrides))


def population(rollout, candidates, sigma=0.3):
    vector = get_vector(rollout.agent).cuda()
    noise = torch.randn(candidates, len(vector), generator=torch.Generator().manual_seed(0))
    return vector + sigma * noise.to(vector)


@pytest.fixture
def play(monkeypatch):
    """Lets a program play the shipped agent."""

    def play(program, *arguments, device="cuda"):
        monkeypatch.setattr(sys, "argv", ["anx", "weights=anx:cartpole", f"device={device}", *arguments])
        GlobalHydra.instance().clear()
        importlib.import_module(f"anx.commands.{program}").main()

    return play


@pytest.mark.parametrize(
    "overrides",
    [
        ["callbacks.pictures.every=1"],  # whose first is of a run that goes on
        ["optimizer=cmaes", "learner.episodes=groups", "learner.group_size=4"],
        ["learner.mean_decay=0.9", "perturbations=[shuffle]"],
        ["+ablation=no_memory"],
    ],
    ids=" ".join,
)
def test_a_training_leaves_its_report_with_figures_and_film(overrides, tmp_path):
    report = run(tmp_path, "env.max_steps=60", *overrides)
    assert report["shuffled"]["mean"] > 0
    assert (tmp_path / "report.html").is_file()
    assert read_weights(tmp_path / "agent.safetensors")


def test_an_interrupted_training_goes_on_to_the_bit(tmp_path):
    small = ["env.max_steps=60", "callbacks.pictures=null", "report=null"]
    run(tmp_path / "whole", *small, "trainer.max_steps=4")
    run(tmp_path / "parts", *small, "trainer.max_steps=2")
    run(tmp_path / "parts", *small, "trainer.max_steps=4", "ckpt_path=auto", f"hydra.run.dir={tmp_path / 'parts'}")
    whole, parts = (read_weights(tmp_path / name / "agent.safetensors").state for name in ("whole", "parts"))
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


@pytest.mark.parametrize("overrides", [PONG, [*PONG, "optimizer=genetic"]], ids=" ".join)
def test_a_world_of_the_cpu_is_trained_on_by_agents_of_the_card(overrides, tmp_path):
    pytest.importorskip("ale_py")
    assert run(tmp_path, *overrides, "report=null")["plain"]["mean"] <= 0


@pytest.mark.parametrize("ablation", ["none", "mean_pooling", "softmax_scalars", "no_memory", "fnn"])
def test_steps_are_recorded_as_a_graph_and_come_to_what_they_do_uncompiled(ablation):
    agent, compiled = build_rollout(compose(f"+ablation={ablation}", "rollout.compile=true", "env.max_steps=40"))
    _, eager = build_rollout(compose(f"+ablation={ablation}", "rollout.compile=false", "env.max_steps=40"))
    agent.cuda()
    candidates = population(compiled, 300)
    for episodes in (1, 6):
        for group in (None, torch.arange(300) // 2):
            ours, theirs = (each(candidates, episodes, 3, group=group) for each in (compiled, eager))
            assert float((ours.returns - theirs.returns).abs().median()) < 1e-3
            assert float((ours.steps == theirs.steps).float().mean()) > 0.98
    (step,) = compiled.compile._steps.values()
    assert all(each.record for each in step._compiled.values())


@pytest.mark.parametrize(
    "perturbation", [Shuffle(every=5), Noise(3), Duplicate(2), Occlude(0.4)], ids=lambda p: type(p).__name__
)
def test_perturbations_draw_the_same_in_recorded_steps(perturbation):
    _, compiled = build_rollout(compose("rollout.compile=true", "env.max_steps=40"))
    _, eager = build_rollout(compose("rollout.compile=false", "env.max_steps=40"))
    candidates = population(compiled, 200)
    ours, theirs = (each(candidates, 2, 3, [perturbation]) for each in (compiled, eager))
    assert float((ours.returns - theirs.returns).abs().median()) < 1e-3


class Asking(CartPoleSwingUpHarder):
    """A world that looks at a number in each step, which waits for the card and can't be captured."""

    def step(self, state, action):
        float(state.x.sum())
        return super().step(state, action)


def test_a_world_that_waits_for_the_card_is_played_all_the_same():
    agent, rollout = build_rollout(compose("rollout.compile=false", "env.max_steps=40"))
    agent.cuda()
    asking = DeviceRollout(agent, Asking(max_steps=40), compile=False)
    candidates = population(rollout, 5)
    for _ in range(2):
        ours, theirs = (each(candidates, 4, 3) for each in (asking, rollout))
        torch.testing.assert_close(ours.returns, theirs.returns, rtol=0, atol=1e-3)
        assert torch.equal(ours.steps, theirs.steps)


def test_the_card_and_the_processor_evaluate_an_agent_alike(play, tmp_path):
    returns = []
    for device in ("cuda", "cpu"):
        output = tmp_path / f"{device}.json"
        play("evaluate", "episodes=200", "perturbations=[shuffle]", f"output={output}", device=device)
        returns.append(json.loads(output.read_text())["returns"])
    cuda, cpu = map(torch.tensor, returns)
    # In double precision: the same episodes but for those that chaos has taken apart by their ends.
    assert float((cuda - cpu).abs().median()) < 1
    assert abs(float(cuda.mean() - cpu.mean())) < 30


@pytest.mark.skipif(why_no_film() is not None, reason="needs an ffmpeg")
def test_an_agent_on_the_card_is_filmed(play, tmp_path):
    play("film", "env.max_steps=3", f"output={tmp_path / 'film.mp4'}")
    assert (tmp_path / "film.mp4").stat().st_size > 1000


def test_an_agent_on_the_card_is_drawn(play, tmp_path):
    play("evaluate", "env.max_steps=40", "episodes=4", f"figures={tmp_path}")
    assert len(list(tmp_path.glob("*.png"))) > 3
