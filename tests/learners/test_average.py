import csv

import pytest
import torch
from conftest import compose

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.files.weights import read_weights
from anx.learners.average import RunningAverage

SMALL = [
    "+budget=smoke",
    "env.max_steps=30",
    "logger=csv",
    "callbacks.pictures=null",
    "report=null",
    "learner.test_episodes=1",
]
AVERAGED = ("validation/average_plain_mean", "validation/average_shuffled_mean")


def run(folder, *overrides):
    train(compose(*SMALL, f"run_dir={folder}", *overrides))
    with (folder / "metrics.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["train/fitness_mean"]]


def test_the_average_weighs_each_mean_by_the_decay_to_the_power_of_its_age():
    means = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    average = RunningAverage(0.8)
    assert average.value is None
    for count in range(1, 7):
        average.add(means[count - 1])
        weights = 0.8 ** torch.arange(count - 1, -1, -1, dtype=torch.float64)
        torch.testing.assert_close(average.value, weights @ means[:count] / weights.sum(), rtol=1e-12, atol=0)


def test_an_average_goes_on_from_its_state_to_the_bit():
    straight, first, second = (RunningAverage(0.9) for _ in range(3))
    means = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for mean in means:
        straight.add(mean)
    for mean in means[:2]:
        first.add(mean)
    second.state = first.state
    for mean in means[2:]:
        second.add(mean)
    assert torch.equal(second.value, straight.value)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """The folder of a run with an average, and its rows."""
    folder = tmp_path_factory.mktemp("averaged")
    return folder, run(folder, "learner.mean_decay=0.5", "trainer.max_steps=4")


def same(row, other):
    return all(row[key] == other[key] for key in row if not key.startswith("perf/"))


def test_a_run_validates_its_average_and_resumes_it_bit_for_bit(averaged, tmp_path):
    straight, rows = averaged
    assert [bool(row[name]) for row in rows for name in AVERAGED] == [False, False, True, True] * 2
    decay, last = "learner.mean_decay=0.5", tmp_path / "checkpoints" / "last.ckpt"
    run(tmp_path, decay, "trainer.max_steps=3")
    resumed = run(tmp_path, decay, "trainer.max_steps=4", f"ckpt_path={last}")
    assert all(same(row, other) for row, other in zip(rows, resumed, strict=True))
    a, b = (torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (straight, tmp_path))
    assert torch.equal(a["average"]["sum"], b["average"]["sum"])
    shipped, other = (read_weights(folder / "agent.safetensors").state for folder in (straight, tmp_path))
    assert all(torch.equal(shipped[name], other[name]) for name in shipped)


def test_an_average_mixes_no_two_searches(tmp_path):
    two = ["optimizer=halving", "optimizer.searches=2", "optimizer.turn=2"]
    run(tmp_path, *two, "learner.mean_decay=0.75", "trainer.max_steps=3")  # the third generation is the other's first
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    mean = torch.cat([each.flatten() for each in last["state_dict"].values()]).double()
    assert last["average"]["weight"] == 0.25
    ours, theirs = (each.sort().values for each in (last["average"]["sum"], 0.25 * mean))  # whatever the layers' order
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_the_average_changes_nothing_of_the_search_and_of_the_means_validation(averaged, tmp_path):
    rows, plain = averaged[1], run(tmp_path, "trainer.max_steps=2")
    for row, other in zip(plain, rows, strict=False):
        assert not set(row) & set(AVERAGED)
        assert same(row, other)
    assert rows[1][AVERAGED[0]] != rows[1]["validation/plain_mean"]


@pytest.mark.parametrize(
    ("decay", "allowed"),
    [(1.0, "at least 0 and less than 1"), (-0.1, "at least 0 and less than 1"), (float("nan"), "a number")],
)
def test_what_is_no_decay_is_refused_by_name(tmp_path, decay, allowed):
    with pytest.raises(ConfigError, match=rf"learner\.mean_decay={decay} must be {allowed}"):
        run(tmp_path, f"learner.mean_decay={decay}")
