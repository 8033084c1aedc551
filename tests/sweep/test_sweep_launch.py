"""How the runs of a sweep are launched: several at once, each with its part of the cores."""

import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from sweeping import content, queries, rows_of

from anx.cores import count_cores
from anx.sweep.file import read_sweep_file
from anx.sweep.launch import width_of
from anx.sweep.runner import Sweep

pytest_plugins = ["sweep_fixtures"]


def test_a_run_is_in_the_sweeps_group_unless_the_user_has_said_another(sweep, monkeypatch):
    groups = []

    def grouped(config):
        groups.append(os.environ["WANDB_RUN_GROUP"])
        return queries(config)

    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    sweep(grouped, parameters={"seed": {"values": [0]}}).run()
    assert "WANDB_RUN_GROUP" not in os.environ
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    sweep(grouped, parameters={"seed": {"values": [1]}}).run()
    assert groups == ["runs", "mine"]


def test_a_run_of_several_processes_is_not_launched(sweep):
    done = sweep(parameters={"trainer.devices": {"values": [2, 1]}})
    done.run()
    two, one = done.rows.values()
    assert two.reason.startswith("trainer.devices times trainer.num_nodes is 2")
    assert one.value == 160.0


def dying(config):
    """A run that takes its process along."""
    if config.pooler.num_queries == 4 and config.seed == 1:
        os._exit(1)
    return queries(config)


@pytest.mark.exhaustive
def test_joblib_runs_several_at_once_and_survives_the_death_of_one(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs an extra: pip install 'anx[launchers]'")
    GlobalHydra.instance().clear()
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content(), sort_keys=False))
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = Sweep(read_sweep_file(tmp_path / "sweep.yaml"), tmp_path / "runs", None, launcher, dying)
    assert done.run() is True
    _, dead, *others = done.rows.values()
    assert dead.reason.startswith("TerminatedWorkerError: ")
    assert [row.value for row in others] == [80.0, 81.0]
    processes = {json.loads((row.folder / "report.json").read_text())["process"] for row in others}
    assert os.getpid() not in processes


def counting(config):
    """A run that leaves how many cores it and its threads take."""
    queries(config)
    (Path(config.run_dir) / "report.json").write_text(json.dumps([count_cores(), torch.get_num_threads()]))
    return {}


@pytest.mark.parametrize(("launcher", "at_once"), [("basic", 1), ("joblib", 2), ("joblib", -1)])
def test_the_runs_of_a_sweep_share_the_cores(tmp_path, monkeypatch, launcher, at_once):
    if launcher == "joblib":
        pytest.importorskip(
            "hydra_plugins.hydra_joblib_launcher", reason="needs an extra: pip install 'anx[launchers]'"
        )
    GlobalHydra.instance().clear()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    overrides = [f"hydra/launcher={launcher}", *([f"hydra.launcher.n_jobs={at_once}"] if launcher == "joblib" else [])]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content(parameters={"seed": {"values": [0]}})))
    rows = rows_of(Sweep(read_sweep_file(tmp_path / "sweep.yaml"), tmp_path / "runs", None, overrides, counting))
    cores, threads = json.loads((rows["seed-0"].folder / "report.json").read_text())
    share = max(1, count_cores() // (count_cores() if at_once == -1 else at_once))
    assert cores == share
    if launcher == "joblib":  # else this process' torch has its threads already
        assert threads <= share


@pytest.mark.parametrize(
    ("launcher", "width"), [({"n_jobs": -1}, 0), ({"n_jobs": 3}, 3), ({"array_parallelism": 5}, 5)]
)
def test_a_sweep_is_as_wide_as_its_launcher(launcher, width):
    assert width_of(OmegaConf.create(launcher)) == (width or count_cores())
