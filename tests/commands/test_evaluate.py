import hashlib
import json
import re
import sys

import numpy as np
import pytest
import torch
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.commands.evaluate
from anx.commands.run import train
from anx.experiment.build import build_rollout
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.weights import write_agent
from anx.rollout.evaluation import evaluate as play_episodes
from anx.views.figures import study


@pytest.fixture
def evaluate(monkeypatch, capsys, tmp_path):
    """Runs a command line; returns what it printed and the json it wrote."""

    def run(*arguments):
        output = tmp_path / "result.json"
        monkeypatch.setattr(sys, "argv", ["anx", *arguments, f"output={output}"])
        GlobalHydra.instance().clear()
        anx.commands.evaluate.main()
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
    assert result["weights"] == {"path": str(vector), "sha256": hashlib.sha256(vector.read_bytes()).hexdigest()}
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


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Agents in files, by name: the default one, and one whose policy is an mlp."""
    folder = tmp_path_factory.mktemp("agents")
    return {name: write(folder / f"{name}.safetensors", f"policy={name}") for name in ("linear", "mlp")}


def write(path, *overrides):
    """A random agent in a file that describes it."""
    config = compose("env.max_steps=20", *overrides)
    agent, _ = make_agent("env.max_steps=20", *overrides)
    said = OmegaConf.create({key: config[key] for key in ("name", *AGENT_KEYS)})
    write_agent(agent.float(), OmegaConf.to_container(said, resolve=True), path)
    return path


APPLIED = {
    "a value": (["pooler.gain=0.5"], {"pooler.gain": 0.5}),
    "a value of an environment": (["env.max_steps=7"], {"env.max_steps": 7}),
    "values with dots, quotes and commas": (
        ["name='a.b, c=d [/e]'", "pooler.gain=1.25", "++pooler.scale=true", "policy.hidden_sizes=[]"],
        {"name": "a.b, c=d [/e]", "pooler.gain": 1.25, "pooler.scale": True, "policy.hidden_sizes": []},
    ),
    "a deletion": (["~pooler.gain"], {"pooler.gain": None}),
    "another rollout's value": (["rollout.lanes=2"], {"rollout.lanes": 2}),
    "a neuron of the same size": (["neuron=lstm", "neuron.hidden_size=8"], {"neuron.hidden_size": 8}),
    "an ablation": (["+ablation=softmax_scalars"], {"pooler.activation": "softmax"}),
    "an ablation of none": (["+ablation=none"], {"pooler.activation": "tanh"}),
}


@pytest.mark.parametrize(("overrides", "config"), APPLIED.values(), ids=APPLIED)
def test_what_the_command_line_says_goes_on_top_of_what_the_file_says(evaluate, files, overrides, config):
    _, result = evaluate(f"weights={files['linear']}", "episodes=3", *overrides)
    resolved = OmegaConf.create(result["config"])
    assert {key: OmegaConf.select(resolved, key) for key in config} == config
    assert result["overrides"][2:-1] == overrides
    if "env.max_steps=7" in overrides:
        assert max(result["steps"]) <= 7


def test_an_ablation_is_of_the_agent_and_not_only_of_the_report(evaluate, files):
    plain, ablated = (evaluate(f"weights={files['linear']}", *each)[1] for each in ([], ["+ablation=softmax_scalars"]))
    assert plain["returns"] != ablated["returns"]
    _, same = evaluate(f"weights={files['linear']}", "pooler.activation=softmax")
    assert ablated["returns"] == same["returns"]


@pytest.mark.parametrize(
    "override", ["policy=mlp", "pooler=mean", "neuron=stacked", "+ablation=mean_pooling", "+ablation=fnn"]
)
def test_another_part_than_the_file_has_is_refused_where_the_weights_do_not_fit(evaluate, files, capsys, override):
    with pytest.raises(SystemExit) as end:
        evaluate(f"weights={files['linear']}", override)
    assert end.value.code == 2
    assert "it is of another architecture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("env=pang", "env=pang is unknown"),
        ("env=car_racing", "splitter=ScalarSplitter takes a vector"),
        ("rollout=host", "env=cartpole needs rollout=device, not rollout=host"),
        ("+ablation=raw_values", "ablation=raw_values is for agents with neuron FrameDifferenceNeuron"),
        ("policy.hidden_size=3", "hidden_size"),
        ("+policy.hidden_size=3", "policy.hidden_size=3 is no argument of MLPPolicy"),
    ],
)
def test_what_makes_no_sense_for_the_files_agent_is_refused_by_name(evaluate, files, capsys, override, says):
    with pytest.raises(SystemExit) as end:
        evaluate(f"weights={files['linear']}", override)
    assert end.value.code == 2
    line = capsys.readouterr().err
    assert says in line
    assert line.count("\n") == 1


def test_a_part_of_the_right_architecture_takes_the_files_place(evaluate, files):
    _, own = evaluate(f"weights={files['mlp']}", "episodes=3")
    _, chosen = evaluate(f"weights={files['mlp']}", "episodes=3", "policy=mlp")
    assert own["returns"] == chosen["returns"]
    assert own["config"]["policy"]["hidden_sizes"] == chosen["config"]["policy"]["hidden_sizes"] == [32]


def test_keys_that_only_the_files_agent_has_can_be_set(evaluate, tmp_path):
    pytest.importorskip("pybullet")
    path = write(tmp_path / "ant.safetensors", "+experiment=ant")
    _, result = evaluate(f"weights={path}", "episodes=1", "rollout.slots=2", "env.processes=1")
    assert result["config"]["name"] == "ant"
    assert result["config"]["rollout"]["slots"] == 2


def test_an_experiment_that_is_chosen_replaces_what_the_file_says_and_that_is_said(evaluate, files, monkeypatch):
    said = []
    monkeypatch.setattr("anx.experiment.file_base.log.warning", lambda text, *values: said.append(text % values))
    chosen = [f"weights={files['linear']}", "episodes=1", "+experiment=cartpole"]
    _, result = evaluate(*chosen)
    assert result["config"]["env"]["max_steps"] == 1000
    assert said == []
    evaluate(*chosen, "pooler.activation=softmax")
    assert "was trained with pooler.activation=tanh; it is evaluated with softmax" in said[0]


def test_each_run_of_a_multirun_has_its_own_files_agent(files, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(anx.commands.evaluate, "print_results", lambda config, *rest: seen.append(config))
    paths = f"weights={files['linear']},{files['mlp']}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["anx", "-m", paths, "episodes=1", "pooler.gain=0.5", f"hydra.sweep.dir={tmp_path}"]
    )
    GlobalHydra.instance().clear()
    anx.commands.evaluate.main()
    assert [list(config.policy.hidden_sizes) for config in seen] == [[], [32]]
    assert [config.pooler.gain for config in seen] == [0.5, 0.5]


def test_an_agent_is_left_as_it_was(tmp_path):
    config = compose("env.max_steps=20", config_name="evaluate")
    agent, rollout = build_rollout(config)
    before = {name: value.clone() for name, value in (*agent.named_parameters(), *agent.named_buffers())}
    play_episodes(agent, rollout, episodes=2, seed=0)
    study(rollout, 0, [], episodes=2)
    after = dict((*agent.named_parameters(), *agent.named_buffers()))
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name])
        assert value.dtype == after[name].dtype == torch.float32


@pytest.mark.parametrize("device", ["3", "null", "[cpu]", "meta", "cpu:x", "true"])
def test_a_device_that_is_none_is_refused_in_one_line(evaluate, vector, capsys, device):
    with pytest.raises(SystemExit) as end:
        evaluate(f"weights={vector}", f"device={device}")
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: device=")


def test_another_seed_plays_other_episodes(evaluate, vector):
    (_, first), (_, again), (_, other) = (evaluate(f"weights={vector}", "episodes=9", f"seed={s}") for s in (0, 0, 1))
    assert first["returns"] == again["returns"] != other["returns"]


def test_shareable_agents_and_checkpoints_bring_their_own_configuration(evaluate, tmp_path):
    small = ["+budget=smoke", "env.max_steps=40", "logger=csv", "callbacks.pictures=null", "pooler.num_queries=4"]
    small += ["trainer.val_check_interval=4"]  # the best is the last
    train(compose(*small, f"run_dir={tmp_path}"))
    results = []
    for name in ("agent.safetensors", "checkpoints/last.ckpt"):
        _, result = evaluate(f"weights={tmp_path / name}", "episodes=7", "pooler.gain=0.5")
        assert result["config"]["pooler"]["num_queries"] == 4
        assert result["config"]["pooler"]["gain"] == 0.5  # what the command line says goes before the file
        assert max(result["steps"]) <= 40
        results.append(result["returns"])
    assert results[0] == results[1]
