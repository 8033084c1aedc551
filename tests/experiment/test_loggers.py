import csv
import json
import os
from pathlib import Path

import pytest
import torch
import wandb
from conftest import compose
from PIL import Image
from wandb_file import records

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.loggers.metrics_file import MetricsFile
from anx.experiment.loggers.wandb_run import make_wandb_logger, users_folder, wandb_mode
from anx.rollout.evaluation import summarise


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
    wandb.teardown()  # of a service that runs already; it takes the variable that leads there along
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    yield
    wandb.teardown()  # W&B reads the environment once


def test_whoever_is_not_logged_in_logs_offline_without_a_question(nobody):
    assert wandb_mode() == "offline"


@pytest.mark.parametrize("mode", ["disabled", "offline", "online"])
def test_the_users_own_mode_is_obeyed(nobody, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    assert wandb_mode() == mode


@pytest.fixture
def started(nobody, tmp_path):
    """Starts a run that is kept here; returns what W&B was told of it."""

    def start(**explicit):
        wandb.teardown()  # W&B reads the environment once
        facts = {"run_dir": str(tmp_path / "run"), "experiment": "cartpole", "ablations": {"no_memory": {}}}
        (tmp_path / "run").mkdir(exist_ok=True)
        logger = make_wandb_logger(**facts, **explicit)
        run = logger.experiment
        told = {
            "project": run.project,
            "group": run.group,
            "tags": list(run.tags),
            "name": run.name,
            "notes": run.notes,
            "job_type": run.job_type,
            "folder": Path(run.dir).parents[2],
        }
        logger.end(None)
        return told

    return start


def test_a_run_is_grouped_by_its_setting_unless_the_environment_or_the_command_line_says_otherwise(
    started, monkeypatch, tmp_path
):
    ours = started()
    assert (ours["project"], ours["group"]) == ("anx", "cartpole+no_memory")
    assert ours["tags"] == ["cartpole", "no_memory"]
    assert ours["folder"] == tmp_path / "run"
    theirs = {"project": "p", "group": "g", "tags": ["a", "b"], "name": "n", "notes": "o", "job_type": "j"}
    for key, value in theirs.items():
        name = {"group": "WANDB_RUN_GROUP"}.get(key, f"WANDB_{key.upper()}")
        monkeypatch.setenv(name, ",".join(value) if key == "tags" else value)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "theirs"))
    (tmp_path / "theirs").mkdir()
    expected = {**theirs, "tags": ["cartpole", "no_memory", "a", "b"], "folder": tmp_path / "theirs"}
    assert started() == expected
    explicit = {"project": "p2", "group": "g2", "name": "n2"}
    (tmp_path / "given").mkdir()
    assert started(**explicit, tags=["c"], folder=str(tmp_path / "given")) == {
        **expected,
        **explicit,
        "tags": ["cartpole", "no_memory", "c"],
        "folder": tmp_path / "given",
    }


def test_the_folder_that_wandbs_agent_sets_is_not_the_users(nobody, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert users_folder() == str(tmp_path)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    assert users_folder() is None
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "theirs"))
    assert users_folder() == str(tmp_path / "theirs")


def test_the_configuration_leaves_to_the_environment_what_the_environment_may_say():
    config = compose().logger.wandb
    assert [config[key] for key in ("project", "name", "group", "tags", "folder")] == [None] * 5


@pytest.mark.parametrize("without", ["logger=null", "~logger", "logger.csv=null", "logger.wandb=null", "~logger.wandb"])
def test_a_run_can_do_without_a_logger(without, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    small = ["+budget=smoke", "env.max_steps=20", "trainer.max_steps=1", "callbacks.pictures=null", "report=null"]
    train(compose(*small, without, f"run_dir={tmp_path}"))
    assert (tmp_path / "report.json").is_file()
    assert (tmp_path / "metrics.csv").is_file() == ("wandb" in without)


def test_a_run_that_is_over_leaves_its_table_its_media_and_on_demand_its_agent(nobody, tmp_path):
    wandb.teardown()
    run_dir = tmp_path / "run"
    (run_dir / "figures").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(run_dir / "figures" / "latent.png")
    (run_dir / "film.mp4").write_bytes(b"a film")
    (run_dir / "agent.safetensors").write_bytes(b"an agent")
    logger = make_wandb_logger(run_dir=str(run_dir), agent=True)
    logger.log_outcome(run_dir, {"plain": summarise(torch.tensor([1.0, 3.0]))}, 7)
    logger.end(None)
    (path,) = (run_dir / "wandb").glob("offline-run-*/run-*.wandb")
    logged, artifacts = {}, []
    for record in records(path):
        logged.update({item.key or "/".join(item.nested_key): item.value_json for item in record.history.item})
        artifacts += [record.artifact.type] if record.HasField("artifact") else []
    assert logged["trainer/global_step"] == "7"
    assert artifacts.count("agent") == 1
    media = path.parent / "files" / "media"
    assert [each.read_bytes() for each in media.glob("videos/film*.mp4")] == [b"a film"]
    assert len(list(media.glob("images/figures/latent*.png"))) == 1
    (table,) = media.glob("table/final*.table.json")
    assert json.loads(table.read_text())["data"] == [["plain", 2.0, pytest.approx(2**0.5), 1.0, 2]]


def test_wandbs_own_refusal_is_one_line(nobody):
    wandb.teardown()
    with pytest.raises(ConfigError, match=r"logger.wandb .*logger=csv"):
        make_wandb_logger(project="a/b")


def test_an_offline_run_holds_its_config_fitness_validation_and_a_picture(nobody, run_command, tmp_path):
    small = ["+budget=smoke", "env.max_steps=20", "report=null", f"hydra.run.dir={tmp_path / 'run'}"]
    assert run_command(*small, "+ablation=[no_memory,learned_queries]") == 0
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    logged, config = {}, {}
    for record in records(path):
        for item in record.history.item:
            logged.setdefault(item.key or "/".join(item.nested_key), []).append(item.value_json)
        for item in (*record.run.config.update, *record.config.update):
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
