"""The same seed is the same run as it was: numbers of before, held by `tests/data/numbers.csv`.

The tolerances pass another processor, and nothing else. Another one rounds single precision differently, by 1e-7; an
episode carries that on to 1e-5 of its return at most (shuffled inputs, which round differently, too, show how far), so
that 1e-3 is ample. The order of the candidates by their fitness then stays, and on nothing else depends the step size:
it is double precision, and 1e-6 is ample. Another stream of random numbers, other episodes or another order of the
parameters change returns by a tenth and more, and the step size by 1e-5 and more. Where all candidates do equally badly
(Pong), what shows is the checksum of the parameters: their sum, each times the cosine of its place.
"""

import csv
from pathlib import Path

import pytest
import torch
from conftest import compose, needs_compiler
from hydra.utils import instantiate

import anx.learners.evolution
from anx.commands.run import train
from anx.experiment.build import build_agent
from anx.experiment.files.weights import load_into, read_weights
from anx.population import get_vector, in_order

NUMBERS = Path(__file__).parents[1] / "data" / "numbers.csv"
RETURNS, STEP_SIZE, CHECKSUM = {"rel": 1e-3, "abs": 1e-6}, {"rel": 1e-6}, {"rel": 1e-3}
SMALL = ["logger=csv", "report=null", "callbacks.pictures=null"]


def recorded(run):
    """The rows of a run of before."""
    with NUMBERS.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.pop("run") == run]


def checksum(path, config):
    """The parameters of an agent in a file, as one number."""
    env = instantiate(config.env)
    agent = build_agent(config, env)
    load_into(agent, read_weights(path), path)
    vector = get_vector(agent).double()
    return float(vector @ torch.arange(len(vector)).double().cos())


def assert_as_recorded(folder, config, run):
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for then, now in zip(recorded(run), rows, strict=False):
        assert now["step"] == then.pop("step")
        if sum_then := then.pop("checksum"):
            assert checksum(folder / "agent.safetensors", config) == pytest.approx(float(sum_then), **CHECKSUM)
        for name, value in then.items():
            assert bool(now.get(name)) == bool(value), (run, name)
            if value:
                tolerance = STEP_SIZE if name == "train/sigma" else RETURNS
                assert float(now[name]) == pytest.approx(float(value), **tolerance), (run, now["step"], name)
    assert len(rows) >= len(recorded(run)) > 0


@pytest.mark.parametrize(
    ("run", "overrides", "module"),
    [
        ("cartpole", ["+experiment=cartpole"], None),
        ("cartpole_published", ["+experiment=cartpole", "+ablation=published_layout", "optimizer=cmaes"], None),
        pytest.param(
            "ant", ["+experiment=ant", "+ablation=published_layout"], "pybullet", marks=pytest.mark.exhaustive
        ),
        pytest.param("pong", ["+experiment=pong"], "ale_py", marks=pytest.mark.exhaustive),
        pytest.param("car_racing", ["+experiment=car_racing"], "envpool", marks=pytest.mark.exhaustive),
    ],
)
def test_a_smoke_run_gives_the_numbers_of_before(tmp_path, run, overrides, module):
    if module:
        pytest.importorskip(module, reason="needs an extra: pip install 'anx[all]'")
    config = compose(*overrides, "+budget=smoke", *SMALL, f"run_dir={tmp_path}")
    train(config)
    assert_as_recorded(tmp_path, config, run)


@pytest.mark.exhaustive
@needs_compiler
@pytest.mark.parametrize(("run", "overrides"), [("default", []), ("default_zeros", ["learner.start=zeros"])])
def test_the_first_generations_of_the_default_run_give_the_numbers_of_before(tmp_path, run, overrides):
    config = compose(*SMALL, "trainer.max_steps=5", "learner.test_episodes=1", f"run_dir={tmp_path}", *overrides)
    train(config)
    assert_as_recorded(tmp_path, config, run)


@pytest.mark.exhaustive
@pytest.mark.parametrize("other", ["optimizer.seed=1", "learner.rollouts=3"])
def test_the_numbers_would_notice_another_run(tmp_path, other):
    config = compose("+experiment=cartpole", "+budget=smoke", *SMALL, f"run_dir={tmp_path}", other)
    train(config)
    with pytest.raises(AssertionError):
        assert_as_recorded(tmp_path, config, "cartpole")


@pytest.mark.exhaustive
def test_the_numbers_would_notice_another_order_of_the_parameters(tmp_path, monkeypatch):
    monkeypatch.setattr(anx.learners.evolution, "in_order", lambda agent: dict(reversed([*in_order(agent).items()])))
    config = compose("+experiment=cartpole", "+budget=smoke", *SMALL, f"run_dir={tmp_path}")
    train(config)
    with pytest.raises(AssertionError):
        assert_as_recorded(tmp_path, config, "cartpole")
