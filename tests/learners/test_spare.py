"""What mutants spare: decisions' gradients, the episodes that they are of, and the searches that can."""

import numpy as np
import pytest
import torch
from combinations import build
from conftest import compose
from worlds import FRAMES, NUMBERS

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.files.weights import read_weights
from anx.experiment.prepare import build_learner
from anx.learners.spare import Spare, decide
from anx.population import get_vector, set_vector
from anx.rollout.device import DeviceRollout
from anx.rollout.world import TorchWorld
from anx.solvers.genetic import Genetic
from anx.solvers.pgpe import PGPE

SEED = 5


@pytest.fixture
def agent():
    return build(("patch", "frame_difference", "attention", "linear", "linear"))[0].double()


def worlds_of(agent):
    return TorchWorld(FRAMES, next(agent.parameters()).detach())


def decisions(agent, episode, of):
    world = worlds_of(agent)
    return decide(agent, world, world.reset(SEED, episode, of)[0])


def test_a_decision_is_its_margins_gradient_by_the_margin(agent):
    vector = get_vector(agent)
    first = worlds_of(agent).reset(SEED)[0]

    def margin(shift):
        set_vector(agent, vector + shift)
        with torch.no_grad():
            state = agent.initial_state(agent.splitter.num_inputs)
            scores = agent.explain(agent.prepare(), agent.splitter(first).double(), state)[0].scores
        best, second = scores.topk(2).values
        return (best - second).item()

    way = torch.randn(len(vector), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = (margin(1e-3 * way) - margin(-1e-3 * way)) / 2e-3
    expected = slope / margin(0 * way)  # leaves the agent as it was
    assert decisions(agent, 0, 1)[0][0] @ way == pytest.approx(expected, rel=1e-4)


def test_the_episodes_are_those_of_the_rollout(agent):
    vector = get_vector(agent)
    played = DeviceRollout(agent, FRAMES, compile=False)(vector[None], 4, SEED)
    ours = [decisions(agent, episode, 4) for episode in range(4)]
    np.testing.assert_allclose([total for _, total in ours], played.returns[0], rtol=1e-6)
    assert [len(rows) for rows, _ in ours] == played.steps[0].tolist()
    assert len(set(played.steps[0].tolist())) > 1


def test_what_decides_the_episodes_that_go_well_is_spared_and_nothing_else(agent):
    each = [decisions(agent, episode, 4) for episode in range(4)]
    returns = np.array([total for _, total in each])
    for well, kept in ((None, returns >= returns.mean()), (returns.min(), returns > returns.min())):
        assert 0 < kept.sum() < 4
        rows = torch.cat([rows for (rows, _), good in zip(each, kept, strict=True) if good]).numpy()
        spared = Spare(1000, well)(agent, FRAMES, SEED, 4)
        np.testing.assert_allclose(spared @ spared.T, np.eye(len(spared)), atol=1e-9)
        left = rows - rows @ spared.T @ spared
        assert np.abs(left).max() < 1e-9 * np.abs(rows).max()
        assert len(spared) <= len(rows)
    assert Spare(3)(agent, FRAMES, SEED, 4).shape == (3, len(get_vector(agent)))
    assert Spare(3, well=returns.max())(agent, FRAMES, SEED, 4).shape == (0, len(get_vector(agent)))


def test_what_decides_nothing_is_not_spared(monkeypatch, agent):
    """Decisions that all hang on one direction spare that one, whatever else their decomposition is filled up with."""
    size = len(get_vector(agent))
    one = torch.rand(1, size, generator=torch.Generator().manual_seed(0))
    for strength, count in ((1.0, 1), (0.0, 0)):
        rows = strength * torch.linspace(0.1, 1, 30)[:, None] * one
        monkeypatch.setattr("anx.learners.spare.decide", lambda *_, rows=rows: (rows, 1.0))
        spared = Spare(20)(agent, FRAMES, SEED, 2)
        assert spared.shape == (count, size)
        np.testing.assert_allclose(np.abs(spared @ one[0].double().numpy()), one.double().norm(), rtol=1e-6)


def test_mutants_are_drawn_without_what_is_spared():
    spared = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 20)))[0].T  # [20, 50]
    plain, sparing = (Genetic(50, popsize=8, parents=2, sigma0=1.0, sigma_min=1.0) for _ in range(2))
    sparing.spare(spared)
    np.testing.assert_allclose(sparing.ask() @ spared.T, 0, atol=1e-12)
    np.testing.assert_allclose(sparing.ask(), plain.ask() - plain.ask() @ spared.T @ spared, atol=1e-12)
    sparing.tell(np.arange(8.0)[::-1])
    assert np.abs(sparing.mean).max() > 0.1
    np.testing.assert_allclose(sparing.mean @ spared.T, 0, atol=1e-12)  # told of what it asked


def test_who_can_not_spare_is_told(agent):
    genetic = Genetic(len(get_vector(agent)), popsize=4)
    Spare(3).check(agent, genetic)
    with pytest.raises(ConfigError, match=r"^learner\.spare\.directions=9999 must be less than \d+, the parameters$"):
        Spare(9999).check(agent, genetic)
    with pytest.raises(ConfigError, match=r"^optimizer\._target_=PGPE draws in all.*optimizer=genetic can spare some$"):
        Spare(3).check(agent, PGPE(len(get_vector(agent)), popsize=4))
    numbers, _ = build(("scalar", "lstm", "attention", "linear", "linear"))
    with pytest.raises(ConfigError, match=r"^learner\.spare=Spare must be null: this agent presses no buttons$"):
        Spare(3).check(numbers, genetic)
    with pytest.raises(ConfigError, match=r"^learner\.spare=Spare must be null: this agent presses no buttons$"):
        build_learner(compose("+budget=smoke", "learner=safe", "optimizer=genetic"))
    assert not NUMBERS.spec.discrete


def test_a_run_that_spares_goes_on_as_if_it_had_not_stopped(tmp_path):
    poles = ["+budget=smoke", "env=gymnasium", "env.id=CartPole-v1", "env.max_steps=15", "learner=safe"]
    poles += ["optimizer=genetic", "optimizer.parents=1", "learner.spare.directions=20", "learner.start=layers"]
    poles += ["learner.rollouts=2", "logger=csv", "callbacks.pictures=null", "report=null"]

    def run(folder, *overrides):
        train(compose(*poles, f"run_dir={folder}", *overrides))
        return read_weights(folder / "agent.safetensors").state

    whole = run(tmp_path / "whole", "trainer.max_steps=4")
    run(tmp_path / "half", "trainer.max_steps=2")
    resumed = run(tmp_path / "half", "trainer.max_steps=4", "ckpt_path=auto")
    unspared = run(tmp_path / "unspared", "trainer.max_steps=4", "learner.spare=null")
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name
    assert any(not torch.equal(whole[name], unspared[name]) for name in whole)
