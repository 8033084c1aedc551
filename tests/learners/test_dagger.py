"""A student plays, its teacher says to each step what it would do, and both are lessons from then on."""

import csv
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from combinations import build
from conftest import compose
from worlds import World

from anx.data.base import Lesson, Lessons
from anx.data.growing import Growing
from anx.data.lessons import RecordedLessons
from anx.data.play import play
from anx.errors import ConfigError
from anx.experiment.files.weights import read_weights
from anx.experiment.prepare import build_learner, check
from anx.perturb.inputs import Occlude, Shuffle
from anx.population import get_vector
from anx.rollout.host import HostRollout
from anx.teachers.acting import Acting
from anx.teachers.base import Teacher

SCALARS = ("scalar", "lstm", "attention", "linear", "linear")
PATCHES = ("patch", "frame_difference", "attention", "mlp", "linear")


class HostWorld(World):
    """Numbers that are stepped on the CPU."""

    rollout = "host"

    def __init__(self, max_steps=4):
        super().__init__((5,), action_size=2, discrete=False, brightness=1.0)


class Against(Teacher):
    """Pushes against what it sees first."""

    def __init__(self, env):
        self.size = env.spec.action_size

    def __call__(self, seen):
        first = torch.from_numpy(seen.observations).float().flatten(1)[:, :1]
        return -first * torch.linspace(0.5, 1.0, self.size)


class Few(Lessons):
    """Lessons of three steps that somebody else has recorded."""

    def __init__(self, actions: int = 2, **recorded: object) -> None:
        self.actions = actions

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        observations = torch.rand(3, 5, generator=generator)
        return Lesson(observations, torch.zeros(3, self.actions), -observations[:, : self.actions], torch.ones(3))


WORLD = ["env._target_=test_dagger.HostWorld", "env.max_steps=4", "rollout=host", "rollout.threads=1"]
DAGGER = ["optimizer=adam", "learner=dagger", "data._target_=test_dagger.Few", "learner.batch_size=4"]
ROUNDS = ["learner.dagger.every=3", "learner.dagger.episodes=4", "learner.dagger.slots=2"]
ASKED = ["+teacher._target_=test_dagger.Against"]
PERTURBED = ["perturbations=[shuffle,occlude]", "perturbations.shuffle.every=2", "learner.action_noise=0.1"]
PERTURBED += ["learner.schedule_steps=10"]
SMALL = ["+budget=smoke", "logger=csv", "report=null", "callbacks.pictures=null", "trainer.log_every_n_steps=1"]
SMALL += ["learner.validation_episodes=2", "learner.test_episodes=2"]
ALL = [*WORLD, *DAGGER, *ROUNDS, *SMALL]


@pytest.fixture
def dagger(tmp_path, run_command):
    """Runs anx.run's command line in a folder of one's own."""

    def run(folder, *overrides, code=0):
        assert run_command(*ALL, *ASKED, *overrides, f"hydra.run.dir={tmp_path / folder}") == code
        return tmp_path / folder

    return run


def metrics(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_student_that_plays_goes_on_as_it_would_have(dagger, tmp_path):
    straight = dagger("straight", "trainer.max_steps=10", *PERTURBED)
    rows = metrics(straight)
    assert [row["train/played_steps"] == "" for row in rows[:10]] == [True] * 3 + [False] * 7
    assert float(rows[9]["perf/playing_seconds"]) > 0 < float(rows[9]["perf/training_seconds"])
    numbers = np.load(straight / "dagger" / "episodes.npy")["number"]
    assert sorted(numbers) == list(range(12))

    halves = dagger("halves", "trainer.max_steps=5", *PERTURBED)
    # As if it had been killed later: rounds that the checkpoint does not know of are there, and are played again.
    shutil.copytree(straight / "dagger", halves / "dagger", dirs_exist_ok=True)
    dagger("halves", "trainer.max_steps=10", *PERTURBED, "ckpt_path=auto")
    assert [row["train/loss"] for row in metrics(halves)] == [row["train/loss"] for row in rows]
    for file in ("episodes.npy", "observations.npy", "actions.npy", "scores.npy", "rewards.npy"):
        assert (halves / "dagger" / file).read_bytes() == (straight / "dagger" / file).read_bytes(), file
    ours, theirs = (read_weights(each / "checkpoints" / "last.ckpt").state for each in (halves, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_full_disk_ends_a_run_in_one_line(dagger, monkeypatch, capsys):
    def full(self, rows):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Growing, "append", full)
    dagger("full", "trainer.max_steps=6", code=2)
    said = capsys.readouterr().err
    assert "dagger: the disk is full after 0 episodes, which are kept" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("names", [SCALARS, PATCHES], ids="-".join)
def test_a_student_plays_as_in_a_rollout_under_the_same_perturbations(names):
    agent, world = build(names)
    agent.float()
    chosen = [Shuffle(every=2), Occlude(0.25)]
    played = HostRollout(agent, world, slots=2, compile=False)(get_vector(agent).unsqueeze(0), 5, 1, chosen)
    student = Acting(agent, chosen)
    episodes = sorted(play(world, Against(world), 1, range(5), slots=2, player=student), key=lambda each: each.number)
    ours = torch.tensor([float(each.rewards.sum()) for each in episodes])
    torch.testing.assert_close(ours, played.returns[0], rtol=0, atol=1e-4)
    plain = HostRollout(agent, world, slots=2, compile=False)(get_vector(agent).unsqueeze(0), 5, 1)
    assert not torch.allclose(ours, plain.returns[0], atol=1e-3)


def test_the_teacher_acts_as_often_as_it_is_told_to_and_always_answers():
    agent, world = build(SCALARS)
    student, teacher = Acting(agent.float()), Against(world)
    shares = []
    for beta in (0.0, 0.5, 1.0):
        episodes = list(play(world, teacher, 1, range(40), player=student, beta=beta))
        same = [np.abs(each.actions - np.tanh(each.scores)).max(-1) < 1e-6 for each in episodes]
        shares.append(float(np.concatenate(same).mean()))
    assert shares[0] == 0
    assert 0.35 < shares[1] < 0.65
    assert shares[2] == 1


def learner(*overrides):
    config = compose(*ALL, "trainer.max_steps=2", *overrides)
    check(config)
    return build_learner(config)


def test_what_is_played_is_added_to_the_lessons_that_there_were(tmp_path):
    rounds = learner(*ASKED, f"learner.dagger.path={tmp_path}").rounds
    rounds.play(2)
    rounds.read(2)
    played = RecordedLessons(str(tmp_path), length=3)
    assert len(rounds.lessons) == 8 + len(played)
    assert torch.equal(rounds.lessons[9].observations, played[1].observations)
    assert rounds.metrics["train/played_steps"] == played.episodes["steps"].sum()
    rounds.check(2)
    with pytest.raises(ConfigError, match=r"learner.dagger.path=.* of the run that goes on, with the 12 episodes"):
        rounds.check(3)


WRONG = {
    "learner.dagger.every=0 must be at least 1": ["learner.dagger.every=0", *ASKED],
    "learner.dagger.beta=2.0 must be from 0 to 1": ["learner.dagger.beta=2.0", *ASKED],
    "teacher=null: learner=dagger asks one": [],
    "learner=dagger: a student plays in environments that step on the CPU": [
        *ASKED,
        "env._target_=anx.envs.cartpole.CartPoleSwingUpHarder",
        "rollout=device",
        "~rollout.threads",
        "+data.actions=1",
    ],
}


@pytest.mark.parametrize(("says", "overrides"), WRONG.items())
def test_what_is_no_round_is_refused_by_its_key(says, overrides):
    with pytest.raises(ConfigError, match=says):
        learner(*overrides)


@pytest.mark.exhaustive
def test_two_processes_learn_and_play_as_one_does(tmp_path):
    for name, extra in (("one", []), ("two", ["trainer.strategy=ddp", "trainer.devices=2"])):
        arguments = [*ALL, *ASKED, *PERTURBED, "trainer.max_steps=5", *extra, f"hydra.run.dir={tmp_path / name}"]
        command = [sys.executable, "-m", "anx.run", *arguments]
        path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path}
        )
        assert done.returncode == 0, done.stderr
    ours, theirs = metrics(tmp_path / "two"), metrics(tmp_path / "one")
    assert [float(row["train/loss"]) for row in ours[:5]] == pytest.approx(
        [float(row["train/loss"]) for row in theirs[:5]], rel=1e-4
    )
    episodes = [np.load(tmp_path / name / "dagger" / "episodes.npy") for name in ("two", "one")]
    assert episodes[0]["number"].tolist() == episodes[1]["number"].tolist() == [0, 1, 2, 3]
    state, other = (read_weights(tmp_path / name / "checkpoints" / "last.ckpt").state for name in ("two", "one"))
    for name, value in state.items():
        torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-5)
