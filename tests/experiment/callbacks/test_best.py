"""What a run ships is the best agent that it has validated, and it says so."""

import json
import shutil

import pytest
import torch
from conftest import compose

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.callbacks.last import Last
from anx.experiment.files.weights import read_checkpoint, read_weights
from anx.learners.evolution import Evolution

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]
SMALL += ["trainer.val_check_interval=1"]


def run(folder, *overrides):
    return train(compose(*SMALL, f"run_dir={folder}", *overrides))


def weights(path):
    return read_weights(path).state


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def scores(monkeypatch):
    """Sets what the validations of the generations come to, and keeps the mean after each."""
    means = {}

    def set_to(*values):
        def validation_step(self, seed, batch_idx):
            generation = self.trainer.global_step
            means[generation] = {name: value.clone() for name, value in self.agent.state_dict().items()}
            self.log("validation/plain_mean", 0.0, batch_size=1)
            self.log("validation/shuffled_mean", values[generation - 1], batch_size=1)

        monkeypatch.setattr(Evolution, "validation_step", validation_step)
        return means

    return set_to


def test_the_best_validated_agent_is_shipped_and_tested_and_the_last_one_is_kept(tmp_path, scores, monkeypatch):
    tested = []
    test_step = Evolution.test_step
    monkeypatch.setattr(
        Evolution, "test_step", lambda self, *a: (tested.append(dict(self.agent.state_dict())), test_step(self, *a))
    )
    means = scores(3.0, 1.0, 3.0, 2.0)  # of equals, the latest
    report = run(tmp_path)
    assert report["generations"] == 4
    assert report["agent"] == {"generation": 3, "chosen_by": "validation/shuffled_mean", "score": 3.0}
    assert json.loads((tmp_path / "report.json").read_text())["agent"] == report["agent"]
    assert same(weights(tmp_path / "agent.safetensors"), means[3])
    assert same(weights(tmp_path / "checkpoints" / "best.ckpt"), means[3])
    assert same(weights(tmp_path / "checkpoints" / "last.ckpt"), means[4])
    assert same(tested[0], means[3])


def test_without_a_validation_the_last_mean_is_shipped(tmp_path, caplog):
    caplog.set_level("INFO")
    report = run(tmp_path, "trainer.val_check_interval=100")
    assert report["agent"] == {"generation": 4, "chosen_by": None, "score": None}
    assert same(weights(tmp_path / "agent.safetensors"), weights(tmp_path / "checkpoints" / "last.ckpt"))
    assert "the mean after generation 4: none was validated" in caplog.text


def test_without_the_callback_the_last_mean_is_shipped(tmp_path, scores):
    means = scores(4.0, 3.0, 2.0, 1.0)
    assert run(tmp_path, "callbacks.best=null")["agent"]["chosen_by"] is None
    assert same(weights(tmp_path / "agent.safetensors"), means[4])


@pytest.mark.parametrize("folder", ["first", "second"])
def test_a_resumed_run_keeps_the_best_of_before_in_whatever_folder(tmp_path, scores, folder):
    means = scores(1.0, 3.0, 2.0, 2.5)
    run(tmp_path / "first", "trainer.max_steps=3")
    last = tmp_path / "moved.ckpt"
    shutil.copy(tmp_path / "first" / "checkpoints" / "last.ckpt", last)
    report = run(tmp_path / folder, f"ckpt_path={last}")
    assert report["agent"] == {"generation": 2, "chosen_by": "validation/shuffled_mean", "score": 3.0}
    assert same(weights(tmp_path / folder / "agent.safetensors"), means[2])


def test_a_run_that_is_killed_right_after_a_validation_still_has_the_best(tmp_path, scores, monkeypatch):
    scores(1.0, 3.0, 2.0, 2.5)
    write = Last.on_validation_end

    def copying(self, trainer, *args):
        write(self, trainer, *args)
        if trainer.global_step == 2:
            shutil.copy(tmp_path / "a" / "checkpoints" / "last.ckpt", tmp_path / "killed.ckpt")

    monkeypatch.setattr(Last, "on_validation_end", copying)
    run(tmp_path / "a", "callbacks.last.every=0")
    report = run(tmp_path / "b", f"ckpt_path={tmp_path / 'killed.ckpt'}")
    assert report["agent"]["generation"] == 2
    a, b = (read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in "ab")
    assert a["global_step"] == b["global_step"] == 4
    assert same(a["state_dict"], b["state_dict"])


def test_the_running_average_is_shipped_where_it_is_better(tmp_path, monkeypatch):
    """What was validated is what is shipped, whichever of the two it is; the run goes on from its mean."""
    averages = {}

    def validation_step(self, seed, batch_idx):
        generation = self.trainer.global_step
        averages[generation] = self.average().float()
        self.log("validation/shuffled_mean", (2.0, 1.0, 3.0, 9.0)[generation - 1], batch_size=1)
        self.log("validation/average_shuffled_mean", (1.0, 4.0, 3.5, 5.0)[generation - 1], batch_size=1)

    monkeypatch.setattr(Evolution, "validation_step", validation_step)
    average = ["learner.mean_decay=0.5", f"ckpt_path={tmp_path / 'checkpoints' / 'last.ckpt'}"]
    assert run(tmp_path, average[0], "trainer.max_steps=1")["agent"]["chosen_by"] == "validation/shuffled_mean"
    for steps in (2, 3):  # the third, a resumed run, has nothing better
        report = run(tmp_path, *average, f"trainer.max_steps={steps}")
        assert report["agent"] == {"generation": 2, "chosen_by": "validation/average_shuffled_mean", "score": 4.0}
        for name in ("agent.safetensors", "checkpoints/best.ckpt"):
            state = weights(tmp_path / name)
            assert torch.equal(
                torch.cat([value.flatten() for value in state.values()]).sort()[0], averages[2].sort()[0]
            )
    mean = run(tmp_path, *average)["agent"]
    assert mean == {"generation": 4, "chosen_by": "validation/shuffled_mean", "score": 9.0}
    assert same(weights(tmp_path / "agent.safetensors"), weights(tmp_path / "checkpoints" / "last.ckpt"))


def test_the_running_average_alone_may_decide(tmp_path, scores, monkeypatch):
    def validation_step(self, seed, batch_idx):
        self.log("validation/shuffled_mean", 9.0, batch_size=1)
        self.log("validation/average_shuffled_mean", float(self.trainer.global_step), batch_size=1)

    monkeypatch.setattr(Evolution, "validation_step", validation_step)
    chosen = "validation/average_shuffled_mean"
    report = run(tmp_path, "learner.mean_decay=0.5", f"callbacks.best.monitor={chosen}", "trainer.max_steps=2")
    assert report["agent"] == {"generation": 2, "chosen_by": chosen, "score": 2.0}
    assert not same(weights(tmp_path / "agent.safetensors"), weights(tmp_path / "checkpoints" / "last.ckpt"))


def test_less_is_better_where_that_is_asked_for_and_nan_never_is(tmp_path, scores):
    scores(float("nan"), 3.0, 2.0, float("nan"))
    assert run(tmp_path, "callbacks.best.mode=min")["agent"]["generation"] == 3


def test_a_metric_that_is_not_logged_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"callbacks\.best\.monitor=score is not logged; allowed: validation/plain_m"):
        run(tmp_path, "callbacks.best.monitor=score")
