"""A run ends with the generation that reaches its environment steps, whatever a generation has."""

import csv
import json

import pytest
from conftest import compose
from lightning import Trainer

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.config.check import check
from anx.experiment.prepare import prepare
from anx.learners.base import Learner

# A generation is 4 episodes of 5 steps each: none ends earlier.
SMALL = ["+budget=smoke", "env.max_steps=5", "logger=csv", "callbacks.pictures=null", "report=null"]
SMALL += ["optimizer.popsize=4", "optimizer=cmaes", "learner.rollouts=1", "learner.test_episodes=2"]
ENDLESS = ["trainer.max_steps=-1", "trainer.val_check_interval=2"]


def run(folder, *overrides):
    return train(compose(*SMALL, *ENDLESS, f"run_dir={folder}", *overrides))


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["train/env_steps"]]


@pytest.mark.parametrize(("steps", "generations"), [(40, 2), (41, 3)])
def test_a_run_ends_validated_and_whole_with_the_generation_that_reaches_its_steps(tmp_path, steps, generations):
    report = run(tmp_path, f"learner.max_env_steps={steps}")
    assert [float(row["train/env_steps"]) for row in rows(tmp_path)] == [20.0 * n for n in range(1, generations + 1)]
    assert rows(tmp_path)[-1]["validation/shuffled_mean"], "the last generation is validated, every second or not"
    assert report["generations"] == generations
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert (tmp_path / "agent.safetensors").is_file()


def test_a_run_that_goes_on_counts_the_steps_that_it_had(tmp_path):
    last = tmp_path / "halves" / "checkpoints" / "last.ckpt"
    run(tmp_path / "straight", "learner.max_env_steps=75")
    run(tmp_path / "halves", "trainer.max_steps=2")
    report = run(tmp_path / "halves", "learner.max_env_steps=75", f"ckpt_path={last}")
    assert report["generations"] == 4
    ours, theirs = rows(tmp_path / "halves"), rows(tmp_path / "straight")
    for key in ("step", "train/env_steps", "train/fitness_mean", "validation/shuffled_mean"):
        assert [row[key] for row in ours] == [row[key] for row in theirs]
    assert run(tmp_path / "halves", "learner.max_env_steps=75", f"ckpt_path={last}") == report, "it had them all"
    assert len(rows(tmp_path / "halves")) == 4


def test_generations_end_a_run_that_has_fewer_steps(tmp_path):
    assert run(tmp_path, "learner.max_env_steps=999", "trainer.max_steps=1")["generations"] == 1


def test_no_checkpoint_is_written_right_before_the_last_validation(tmp_path, monkeypatch):
    """A run that went on from it would end without that validation."""
    told = []
    monkeypatch.setattr(Trainer, "save_checkpoint", lambda self, path, weights_only=False: told.append("saved"))
    monkeypatch.setattr(Learner, "on_validation_start", lambda self: told.append("validated"), raising=False)
    run(tmp_path, "learner.max_env_steps=60", "callbacks.last.every=0", "callbacks.best=null")
    assert told == ["saved", "validated", "saved", "validated", "saved", "saved"]


@pytest.mark.parametrize("value", [0, -5, 1.5, "True", "many"])
def test_steps_that_are_no_count_are_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=rf"^learner\.max_env_steps={value} must be "):
        prepare(compose(*SMALL, *ENDLESS, f"run_dir={tmp_path}", f"learner.max_env_steps={value}"))


def test_more_steps_are_allowed_than_a_machine_can_hold():
    check(compose(*SMALL, *ENDLESS, "learner.max_env_steps=5000000000"))
