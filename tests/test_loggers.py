import csv
import json
import os
import subprocess
import sys

import pytest
import torch
import wandb
from wandb_file import records

from anx.loggers import MetricsFile, wandb_mode


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_is_a_generation_and_a_late_metric_gets_a_column(tmp_path):
    log = MetricsFile(str(tmp_path / "metrics.csv"))
    log.log_metrics({"a": 1.0, "epoch": 0}, step=0)
    log.log_metrics({"a": 2.0}, step=1)
    log.log_metrics({"b": 3.0}, step=1)
    log.log_metrics({"a": 4.0}, step=2)
    log.finalize("success")
    assert rows(tmp_path / "metrics.csv") == [
        {"step": "0", "a": "1.0", "b": ""},
        {"step": "1", "a": "2.0", "b": "3.0"},
        {"step": "2", "a": "4.0", "b": ""},
    ]


def test_a_resumed_run_replaces_the_rows_that_it_logs_again(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,a\n0,1.0\n1,2.0\n2,3.0\n3,")  # the last one was cut off
    log = MetricsFile(str(path))
    for step in (2, 3):
        log.log_metrics({"a": step * 10.0}, step=step)
    log.finalize("success")
    assert [(row["step"], row["a"]) for row in rows(path)] == [("0", "1.0"), ("1", "2.0"), ("2", "20.0"), ("3", "30.0")]


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A machine on which nobody ever logged in."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    wandb.teardown()


def test_whoever_is_not_logged_in_logs_offline_without_a_question(nobody):
    assert wandb_mode() == "offline"


@pytest.mark.parametrize("mode", ["disabled", "offline", "online"])
def test_the_users_own_mode_is_obeyed(nobody, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    assert wandb_mode() == mode


@pytest.mark.slow
def test_an_offline_run_holds_its_config_fitness_validation_and_a_picture(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")} | {"HOME": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "anx.run",
        "+budget=smoke",
        "env.max_steps=60",
        "report=null",
        "+ablation=[no_memory,learned_queries]",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    logged, config = {}, {}
    for record in records(path):
        for item in record.history.item:
            logged.setdefault(item.key or "/".join(item.nested_key), []).append(item.value_json)
        for item in record.run.config.update:
            config[item.key] = item.value_json
        if record.HasField("run"):
            group, tags = record.run.run_group, list(record.run.tags)
    assert len(logged["train/fitness_mean"]) == 4
    assert len(logged["validation/shuffled_mean"]) == 2
    assert len(logged["attention/filenames"]) == 2
    pictures = list(path.parent.glob("files/media/images/attention*.png"))
    assert len(pictures) == 2
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert json.loads(config["pooler"])["num_queries"] == 16
    assert group == "cartpole+no_memory+learned_queries"
    assert tags == ["cartpole", "no_memory", "learned_queries"]
    identity = json.loads(config["identity"])
    assert identity == json.loads((tmp_path / "run" / "identity.json").read_text())[-1]
    assert identity["versions"]["torch"] == torch.__version__
    assert "'+ablation=[no_memory,learned_queries]'" in identity["command"]
    assert identity["seed"] == 0
