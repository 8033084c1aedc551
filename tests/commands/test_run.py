"""The command line as a user meets it."""

import importlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from anx.commands.run import train
from anx.experiment.files.weights import read_weights

ROOT = Path(__file__).parents[2]
EXPERIMENTS = [path.stem for path in (ROOT / "configs" / "experiment").glob("*.yaml")]
EXPERIMENT_OF = {"attention_agent": "car_racing", "tanh_vision": "pong", "raw_values": "pong", "puzzle_pong": "pong"}
# In the fast tests two that train; all of them are built there.
ABLATIONS = [
    path.stem if path.stem in ("fnn", "no_memory") else pytest.param(path.stem, marks=pytest.mark.exhaustive)
    for path in sorted((ROOT / "configs" / "ablation").glob("*.yaml"))
]
# All but those that follow gradients, for cloning.
SEARCHES = [path.stem for path in (ROOT / "configs" / "optimizer").glob("*.yaml") if path.stem != "adam"]
NEEDS = {"ant": "pybullet", "ant_mujoco": "mujoco", "pong": "ale_py", "car_racing": "envpool"}


def run(*command, **options):
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command line in this process; returns what it printed."""

    def run(program, *arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        try:
            importlib.import_module(f"anx.commands.{program}").main()
        except SystemExit as end:
            assert not end.code  # noqa: PT017
        return capsys.readouterr().out

    return run


def test_help_lists_the_groups_and_the_keys(command):
    printed = command("run", "--help")
    groups = ("experiment: ant, ant_mujoco, car_racing, cartpole, pong", "budget: gpu, laptop, paper, quick, smoke")
    for part in (*groups, "num_queries: 16", "no_memory           A feed-forward neuron on the last four inputs"):
        assert part in printed
    assert "+experiment=pong" in printed
    printed = command("evaluate", "--help")
    assert "perturbations: drop_actuators, duplicate, noise, occlude, permute_actuators, shuffle" in printed


def test_no_module_has_the_name_of_one_of_pythons():
    """`python anx/run.py` puts this folder first on the path."""
    assert {path.stem for path in (ROOT / "anx").iterdir()} & sys.stdlib_module_names == set()


def test_the_shell_is_offered_completion(command):
    assert "complete" in command("run", "-sc", "install=bash")


def test_a_multirun_has_a_folder_for_every_job(command, tmp_path):
    small = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]
    command("run", "-m", *small, "pooler.num_queries=4,8", f"hydra.sweep.dir={tmp_path}")
    for job, queries in (("0", 4), ("1", 8)):
        assert OmegaConf.load(tmp_path / job / "config.yaml").pooler.num_queries == queries
        assert (tmp_path / job / "report.json").is_file()


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_ablation_trains(tmp_path, ablation):
    experiment = EXPERIMENT_OF.get(ablation, "cartpole")
    if module := NEEDS.get(experiment):
        pytest.importorskip(module, reason="needs an extra: pip install 'anx[all]'")
    chosen = [f"+experiment={experiment}", f"+ablation={ablation}", "+budget=smoke"]
    config = compose(*chosen, "env.max_steps=20", "rollout.compile=false", "logger=csv", f"run_dir={tmp_path}")
    assert train(config)["generations"] == config.trainer.max_steps


@pytest.mark.parametrize("optimizer", SEARCHES)
def test_every_optimizer_trains(tmp_path, optimizer):
    config = compose(f"optimizer={optimizer}", "+budget=smoke", "env.max_steps=20", "logger=csv", f"run_dir={tmp_path}")
    assert train(config)["generations"] == config.trainer.max_steps


@pytest.mark.exhaustive
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains_resumes_evaluates_records_and_reproduces(tmp_path, command, experiment):
    if module := NEEDS.get(experiment):
        pytest.importorskip(module, reason="needs an extra: pip install 'anx[all]'")
    run_dir, last = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    short = [f"+experiment={experiment}", "env.max_steps=25"]
    small = [*short, "+budget=smoke", "rollout.compile=false", "logger=csv", f"hydra.run.dir={run_dir}"]
    command("run", *small, "trainer.max_steps=1", "report=null")
    command("run", *small, "trainer.max_steps=2", f"ckpt_path={last}")
    assert json.loads((run_dir / "report.json").read_text())["generations"] == 2
    assert (run_dir / "pictures" / "attention_000002.png").is_file()
    assert (run_dir / "report.html").read_text().count("data:video/mp4") == 1

    agent, result, film = run_dir / "agent.safetensors", tmp_path / "result.json", tmp_path / "film.mp4"
    assert read_weights(agent).config["name"] == experiment
    command(
        "evaluate", f"weights={agent}", "episodes=2", "perturbations=[shuffle]", f"output={result}", f"video={film}"
    )
    evaluated = json.loads(result.read_text())
    assert max(evaluated["steps"]) <= 25
    assert film.stat().st_size > 1000

    if experiment == "ant_mujoco":
        return  # the paper has no table of it
    tables = tmp_path / "tables.md"
    limited = f"agents.{experiment}.overrides=['+experiment={experiment}','env.max_steps=25']"
    command(
        "reproduce", f"weights.{experiment}={agent}", "tables=[reshuffle]", "episodes=2", limited, f"output={tables}"
    )
    assert f"{np.mean(evaluated['returns']):.0f} ± {np.std(evaluated['returns'], ddof=1):.0f}" in tables.read_text()


@pytest.mark.exhaustive
def test_the_wheel_carries_configs_and_agents_and_runs_from_any_folder(tmp_path):
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    ours = {path.relative_to(ROOT / "configs") for path in (ROOT / "configs").rglob("*.yaml")}
    assert {path.relative_to(site / "anx" / "configs") for path in (site / "anx" / "configs").rglob("*.yaml")} == ours
    zoo = {path.name for path in (ROOT / "anx" / "zoo").iterdir() if path.is_file()}
    assert {path.name for path in (site / "anx" / "zoo").iterdir()} == zoo
    small = [
        "+budget=smoke",
        "env.max_steps=20",
        "logger=csv",
        "report.film=false",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    code = (
        "import os, anx.commands.run; assert anx.__file__.startswith(os.environ['PYTHONPATH']); anx.commands.run.main()"
    )
    run("-c", code, *small, cwd=tmp_path, env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert (tmp_path / "run" / "report.html").is_file()
