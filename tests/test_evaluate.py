import json
import re
import sys

import numpy as np
import pytest
from conftest import compose
from hydra.core.global_hydra import GlobalHydra

import anx.evaluate
from anx.run import train


@pytest.fixture
def evaluate(monkeypatch, capsys, tmp_path):
    """Runs a command line; returns what it printed and the json it wrote."""

    def run(*arguments):
        output = tmp_path / "result.json"
        monkeypatch.setattr(sys, "argv", ["anx", *arguments, f"output={output}"])
        GlobalHydra.instance().clear()
        anx.evaluate.main()
        return capsys.readouterr().out, json.loads(output.read_text())

    return run


@pytest.fixture
def vector(tmp_path):
    path = tmp_path / "agent.npz"
    np.savez(path, params=0.3 * np.random.RandomState(0).randn(913).astype(np.float32))
    return path


def test_the_json_holds_what_was_run_and_every_return(evaluate, vector):
    printed, result = evaluate(f"weights={vector}", "episodes=30", "seed=4", "perturbations=[shuffle]")
    assert len(result["returns"]) == len(result["steps"]) == result["episodes"] == 30
    assert result["mean"] == pytest.approx(np.mean(result["returns"]))
    assert result["std"] == pytest.approx(np.std(result["returns"], ddof=1))
    assert result["seconds"] > 0
    assert result["config"]["seed"] == 4
    assert result["share_that_differs"] == 0
    for word in ("plain", "shuffle", "mean", "std. error", "0.00% of the episodes"):
        assert word in printed


def test_perturbations_are_applied_in_the_order_given(evaluate, vector):
    _, shuffled_last = evaluate(f"weights={vector}", "episodes=5", "perturbations=[noise,shuffle]")
    printed, shuffled_first = evaluate(f"weights={vector}", "episodes=5", "perturbations=[shuffle,noise]")
    assert list(shuffled_last["config"]["perturbations"]) == ["noise", "shuffle"]
    assert list(shuffled_first["config"]["perturbations"]) == ["shuffle", "noise"]
    assert "shuffle + noise(channels=5, sigma=0.1)" in printed


def test_figures_come_with_a_table_of_what_the_latent_code_holds(evaluate, vector, tmp_path):
    folder = tmp_path / "figures"
    small = ["episodes=4", "env.max_steps=25", f"figures={folder}"]
    printed, _ = evaluate(f"weights={vector}", *small, "perturbations=[noise]")
    assert {path.name for path in folder.iterdir()} == {
        *("attention.png", "queries.png", "latent.png", "regression.png", "regression.json")
    }
    r2 = json.loads((folder / "regression.json").read_text())["r2"]
    for name in ("x", "x velocity", "cos(angle)", "sin(angle)", "angular velocity"):
        assert re.search(rf"│ {re.escape(name)} +│ +{r2[name]:.3f} │", printed)
    assert "held-out episodes: 2" in printed


def test_another_seed_plays_other_episodes(evaluate, vector):
    (_, first), (_, again), (_, other) = (evaluate(f"weights={vector}", "episodes=9", f"seed={s}") for s in (0, 0, 1))
    assert first["returns"] == again["returns"] != other["returns"]


def test_shareable_agents_and_checkpoints_bring_their_own_configuration(evaluate, tmp_path):
    small = ["+budget=smoke", "env.max_steps=40", "logger=csv", "callbacks.pictures=null", "pooler.num_queries=4"]
    train(compose(*small, f"run_dir={tmp_path}"))
    results = []
    for name in ("agent.safetensors", "checkpoints/last.ckpt"):
        _, result = evaluate(f"weights={tmp_path / name}", "episodes=7", "pooler.gain=0.5")
        assert result["config"]["pooler"]["num_queries"] == 4
        assert result["config"]["pooler"]["gain"] == 0.5  # what the command line says goes before the file
        assert max(result["steps"]) <= 40
        results.append(result["returns"])
    assert results[0] == results[1]
