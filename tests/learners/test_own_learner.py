"""Another way to learn is one file and its configuration: nothing in anx knows of it."""

import csv
import json

import pytest
import torch

from anx.experiment.files.weights import read_weights

LEARNER = '''
import torch
from anx.learners.base import Learner, Words
from anx.learners.data import generation_seeds


class Constant(Learner):
    """Teaches an agent one action, whatever it meets, by gradients."""

    words = Words("batch", "batches", "the agent")

    def __init__(self, parts, *, action: float = 0.5, validation_episodes: int = 2, test_episodes: int = 3):
        super().__init__(parts, validation_episodes=validation_episodes, test_episodes=test_episodes)
        self.action = action

    def train_dataloader(self):
        return generation_seeds(self.parts.seed, first=self.trainer.global_step)

    def training_step(self, seed, batch_idx):
        batch = torch.randn(8, 5, 1, generator=torch.Generator().manual_seed(seed))  # of cart-pole's observations
        start = self.agent.initial_state(5)
        actions = [self.agent(self.agent.prepare(), inputs, start)[0] for inputs in batch]
        loss = (torch.stack(actions) - self.action).square().mean()
        self.log("train/loss", loss)
        return loss
'''
LEARNER_CONFIG = "_target_: my_learner.Constant\naction: 0.5\n"


@pytest.fixture
def train(tmp_path, monkeypatch, run_command):
    """Runs anx.run's command line with the learner, in a folder of one's own."""
    (tmp_path / "my_learner.py").write_text(LEARNER)
    (tmp_path / "own" / "learner").mkdir(parents=True)
    (tmp_path / "own" / "learner" / "constant.yaml").write_text(LEARNER_CONFIG)
    monkeypatch.syspath_prepend(tmp_path)

    def run(folder, *overrides):
        chosen = [
            f"--config-dir={tmp_path / 'own'}",
            "learner=constant",
            "optimizer=adam",
            "optimizer.lr=0.05",
            "+budget=smoke",
        ]
        small = ["env.max_steps=20", "logger=csv", "report.figures=false", "report.film=false"]
        assert run_command(*chosen, *small, f"hydra.run.dir={tmp_path / folder}", *overrides) == 0
        return tmp_path / folder

    return run


def losses(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_it_runs_resumes_reports_and_shows_its_progress(train, capsys):
    straight = train("straight", "trainer.max_steps=6", "+callbacks.progress.every=0")
    assert len(losses(straight)) == 6
    assert losses(straight)[-1] < losses(straight)[0] / 2
    printed = "".join(capsys.readouterr())
    shown = [line for line in printed.splitlines() if line.startswith("batch 6/6")]
    assert "loss 0." in shown[-1]
    assert "shuffled " in shown[-1]
    assert "generation" not in printed

    report = json.loads((straight / "report.json").read_text())
    assert report["batches"] == 6
    assert report["plain"]["episodes"] == report["shuffled"]["episodes"] == 3
    assert report["agent"]["chosen_by"] == "validation/shuffled_mean"
    page = (straight / "report.html").read_text()
    assert "6 batches" in page
    assert "generation" not in page.split("<h2>What was run")[0]

    halves = train("halves", "trainer.max_steps=2")
    train("halves", "trainer.max_steps=6", f"ckpt_path={halves / 'checkpoints' / 'last.ckpt'}")
    assert losses(halves) == losses(straight)
    ours, theirs = (read_weights(each / "checkpoints" / "last.ckpt").state for each in (halves, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert read_weights(halves / "agent.safetensors").config["name"] == "cartpole"


def test_its_arguments_are_checked_by_name(train, run_command, tmp_path, capsys):
    with pytest.raises(AssertionError):
        train("refused", "learner.action=much")
    assert "learner.action=much must be a number" in capsys.readouterr().err


def test_what_is_no_learner_is_refused(run_command, capsys, tmp_path):
    assert run_command("learner._target_=torch.nn.Identity", f"hydra.run.dir={tmp_path}", "logger=csv") == 2
    assert "learner._target_=torch.nn.Identity must be an anx.learners.base.Learner" in capsys.readouterr().err
