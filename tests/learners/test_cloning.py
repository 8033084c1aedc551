"""An agent learns by gradients what a teacher says, and goes on where it was."""

import csv
import json
import math

import pytest
import torch
from conftest import compose

from anx.data.base import Lesson, Lessons
from anx.errors import ConfigError
from anx.experiment.files.weights import read_weights
from anx.experiment.prepare import build_learner, check
from anx.learners.lessons import InTurns
from anx.learners.schedule import share
from anx.learners.student import Student

STEPS = 5
CARTPOLE = "anx.envs.cartpole.CartPoleSwingUpHarder"


class Noise(Lessons):
    """A teacher that is asked about noise."""

    def __init__(self, count: int = 12, inputs: int = 5, world: str = CARTPOLE, **recorded: object) -> None:
        self.env = {"_target_": world, "max_steps": 9}
        self.count = count
        self.inputs = inputs

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        observations = torch.randn(STEPS, self.inputs, generator=generator)
        previous = torch.rand(STEPS, 1, generator=generator)
        counted = (torch.arange(STEPS) < STEPS - index % 2).float()
        return Lesson(observations, previous, observations.sum(1, keepdim=True), counted)


CLONING = ["optimizer=adam", "optimizer.lr=0.05", "data._target_=test_cloning.Noise", "learner.batch_size=4"]
SMALL = ["+budget=smoke", "env.max_steps=5", "logger=csv", "report=null", "callbacks.pictures=null"]
PERTURBED = ["perturbations=[shuffle,occlude]", "perturbations.shuffle.every=2", "learner.action_noise=0.1"]


@pytest.fixture
def clone(tmp_path, run_command):
    """Runs anx.run's command line in a folder of one's own."""

    def run(folder, *overrides):
        given = [*CLONING, *SMALL, "trainer.log_every_n_steps=1", f"hydra.run.dir={tmp_path / folder}"]
        assert run_command(*given, *overrides) == 0
        return tmp_path / folder

    return run


def losses(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_an_agent_is_cloned_validated_shipped_and_reported_and_goes_on_as_it_would_have(clone):
    rates = ["learner.schedule=cosine", "learner.schedule_steps=12", "learner.warmup=2", "learner.truncate=2"]
    straight = clone("straight", "trainer.max_steps=12", *PERTURBED, *rates)
    assert len(losses(straight)) == 12
    assert min(losses(straight)[-4:]) < losses(straight)[0] / 2
    report = json.loads((straight / "report.json").read_text())
    assert report["batches"] == 12
    assert report["agent"]["chosen_by"] == "validation/shuffled_mean"
    assert report["plain"]["episodes"] == report["shuffled"]["episodes"] == 16
    assert read_weights(straight / "agent.safetensors").config["name"] == "cartpole"

    halves = clone("halves", "trainer.max_steps=4", *PERTURBED, *rates)  # in the midst of the second epoch
    last = halves / "checkpoints" / "last.ckpt"
    clone("halves", "trainer.max_steps=12", *PERTURBED, *rates, f"ckpt_path={last}")
    assert losses(halves) == losses(straight)
    ours, theirs = (read_weights(each / "checkpoints" / "last.ckpt").state for each in (halves, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_clone_whose_rate_is_constant_goes_on_for_longer_than_it_was_to(clone):
    last = clone("constant", "trainer.max_steps=2") / "checkpoints" / "last.ckpt"
    assert len(losses(clone("constant", "trainer.max_steps=4", f"ckpt_path={last}"))) == 4


def test_a_clone_whose_rate_was_to_end_at_0_does_not_go_on_for_longer(clone, run_command, tmp_path, capsys):
    given = ["learner.schedule=linear", f"hydra.run.dir={tmp_path / 'linear'}"]
    last = clone("linear", *given, "trainer.max_steps=2") / "checkpoints" / "last.ckpt"
    assert run_command(*CLONING, *SMALL, *given, "trainer.max_steps=4", f"ckpt_path={last}") == 2
    assert (
        "learner.schedule_steps=4, but ckpt_path was trained with learner.schedule_steps=2" in capsys.readouterr().err
    )


@pytest.fixture
def learner():
    """Makes the learner of a command line."""

    def make(*overrides):
        config = compose(*CLONING, *SMALL, "trainer.max_steps=2", *overrides)
        check(config)
        return build_learner(config)

    return make


WRONG = {
    "loss=cross_entropy is for agents that press buttons": ["learner.loss=cross_entropy"],
    "learner.batch_size=13 must be at most 12, the lessons that there are": ["learner.batch_size=13"],
    "learner.schedule_steps=2 must be more than 3, the warmup": ["learner.schedule=linear", "learner.warmup=3"],
    "learner.action_noise=-1.0 must be at least 0": ["learner.action_noise=-1.0"],
    r"learner.occlude=\[0.5, 0.2\] must be two shares": ["learner.occlude=[0.5,0.2]"],
    "ratio=0.95 removes all 5 inputs": ["learner.occlude=[0,0.95]"],
    "an agent without attention takes all of its inputs": ["+ablation=fnn", "learner.occlude=[0,0.5]"],
    "trainer.accumulate_grad_batches=2 must be 1": ["+trainer.accumulate_grad_batches=2"],
    "learner.batch_size=4 must be a multiple of 3": ["trainer.devices=3"],
    r"learner.data=\[4\] observed, \[1\] answered: the environment's are \[5\] and \[1\]": ["+data.inputs=4"],
    f"learner.data=Other is env._target_ of the lessons, env._target_={CARTPOLE} is the run's": ["+data.world=Other"],
}


@pytest.mark.parametrize(("says", "overrides"), WRONG.items())
def test_what_cannot_be_cloned_is_refused_by_its_key(says, overrides, learner):
    with pytest.raises(ConfigError, match=says):
        learner(*overrides)


def test_a_search_is_given_no_gradients_and_cloning_no_search_and_lessons():
    for given, says in (
        (["learner=cloning"], "PGPE searches; .* optimizer=adam"),
        (["optimizer=adam", "~data"], "data=null: learner=cloning .* needs lessons"),
        (["optimizer=adam", "learner=evolution"], "Adam is no search, .* learner=cloning"),
    ):
        with pytest.raises(ConfigError, match=says):
            check(compose(*given))


def test_each_batch_misses_a_share_of_its_own_and_a_run_that_goes_on_the_same_ones(clone, monkeypatch):
    left, scores = [], Student.scores

    def watched(student, observations, previous, pipeline, rows):
        left.append(pipeline.num_inputs)
        return scores(student, observations, previous, pipeline, rows)

    monkeypatch.setattr(Student, "scores", watched)
    asked = ["perturbations=[duplicate]", "learner.occlude=[0.2,0.9]", "learner.schedule_steps=40"]
    clone("straight", "trainer.max_steps=40", *asked)
    straight, left[:] = list(left), []
    assert set(straight) <= set(range(1, 9))  # of 10
    assert len(set(straight)) > 5

    halves = clone("halves", "trainer.max_steps=15", *asked)
    clone("halves", "trainer.max_steps=40", *asked, f"ckpt_path={halves / 'checkpoints' / 'last.ckpt'}")
    assert left == straight


def test_an_agent_starts_where_its_layers_do(learner):
    assert all(parameter.abs().max() > 0 for parameter in learner().agent.parameters())


def test_an_epoch_has_every_lesson_once_and_a_later_start_leaves_batches_as_they_are():
    batches = iter(InTurns(10, 3, seed=1))
    first = [next(batches) for _ in range(7)]
    one, other = ([each for batch in first[start : start + 3] for each in batch] for start in (0, 3))
    assert len(set(one)) == len(set(other)) == 9
    assert one != other
    later = iter(InTurns(10, 3, seed=1, first=5))
    assert [next(later) for _ in range(2)] == first[5:]
    assert next(iter(InTurns(10, 3, seed=2))) != first[0]


def test_processes_share_each_batch():
    whole = next(iter(InTurns(10, 4, seed=1)))
    parts = [next(iter(InTurns(10, 4, seed=1, rank=rank, processes=2))) for rank in range(2)]
    assert [each for pair in zip(*parts, strict=True) for each in pair] == whole


def test_motors_are_taught_by_their_torques(learner):
    cloning = learner()
    scores, taught = torch.randn(2, STEPS, 1), torch.randn(2, STEPS, 1)
    errors = cloning.errors(scores, taught)
    assert errors.shape == (2, STEPS)
    torch.testing.assert_close(errors, (scores.tanh() - taught.tanh()).square()[..., 0])


def test_buttons_are_taught_by_what_the_teacher_presses_or_how_surely(learner):
    cloning = learner()
    cloning.agent.discrete, cloning.loss = True, "cross_entropy"
    scores, taught = torch.randn(3, STEPS, 4), torch.randn(3, STEPS, 4)
    functional = torch.nn.functional.cross_entropy
    for target, wanted in (("actions", taught.argmax(-1).flatten()), ("scores", taught.softmax(-1).flatten(0, 1))):
        cloning.target = target
        theirs = functional(scores.flatten(0, 1), wanted, reduction="none").view(3, STEPS)
        torch.testing.assert_close(cloning.errors(scores, taught), theirs)


def test_learning_rates_rise_and_fall():
    assert [share("constant", step, 10, 3) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [share("linear", step, 4) for step in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert [round(share("cosine", step, 4), 3) for step in range(5)] == [1, 0.854, 0.5, 0.146, 0]


def test_a_student_learns_in_half_precision_and_keeps_its_own(clone):
    folder = clone("half", "trainer.max_steps=3", "trainer.precision=bf16-mixed", *PERTURBED)
    assert all(math.isfinite(each) for each in losses(folder))
    state = read_weights(folder / "agent.safetensors").state
    assert {value.dtype for value in state.values()} == {torch.float32}
