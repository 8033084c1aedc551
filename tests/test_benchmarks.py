"""What the benchmarks print is what was measured."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anx.rollout.base import Episodes

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """A module of the benchmarks by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def ratios(capsys):
    return [float(ratio) for ratio in re.findall(r" ratio: (\S+)$", capsys.readouterr().out, re.MULTILINE)]


def test_a_ratio_is_ours_over_theirs_and_more_is_better(benchmark, capsys):
    comparison = benchmark("comparison")
    comparison.conclude("time", {"ours": [1.0, 2.0, 9.0], "theirs": [5.0, 6.0, 7.0]}, "s")
    comparison.conclude("speed", {"ours": [1000, 2000, 9000], "theirs": [500, 500, 500]}, "steps/s")
    assert ratios(capsys) == [3.0, 4.0]


def test_sides_are_measured_in_turns_and_printed_as_they_are(benchmark, capsys):
    answers = iter([1.0, 2.0, 3.0, 4.0])
    sides = {"ours": lambda: next(answers), "theirs": lambda: next(answers)}
    measured = benchmark("comparison").measure_in_turns("any", sides, "s", rounds=2)
    assert measured == {"ours": [1.0, 3.0], "theirs": [2.0, 4.0]}
    assert "round 2/2  ours 3.00 s  theirs 4.00 s" in capsys.readouterr().out


def test_a_generation_and_the_steps_that_were_simulated_are_told_apart(benchmark, monkeypatch, capsys):
    rollout = benchmark("rollout")
    monkeypatch.setattr(rollout, "seconds", lambda *_: 0.5)

    def hundred_steps(population, episodes, seed):
        return Episodes(torch.zeros(len(population), episodes), torch.full((len(population), episodes), 100))

    evojax = SimpleNamespace(seconds=lambda: 2.0)
    rollout.measure("any", hundred_steps, torch.zeros(2, 3), 4, evojax, rounds=1)
    assert ratios(capsys) == [4.0, 0.4]  # 2 s to 0.5 s; 800 steps in 0.5 s to 8,000 in 2 s


def test_the_fair_share_is_that_of_ones_threads_among_all(benchmark):
    share = benchmark("cores").fair_share
    assert share(threads=2, busy=3, cores=2) == pytest.approx(0.8)
    assert share(threads=1, busy=3, cores=2) == pytest.approx(0.5)
    assert share(threads=1, busy=0, cores=2) == 1
    assert share(threads=2, busy=1, cores=4) == 2


def test_the_noise_scale_is_the_steps_at_which_signal_and_noise_are_equal(benchmark):
    """Estimates of a gradient of length 2 in 1,000 dimensions, each with noise of length 4 from 50 steps."""
    noise = np.random.default_rng(0).standard_normal((40, 1000)) * 4 / np.sqrt(1000)
    scale, cosine = benchmark("gradient_noise").noise_scale(noise + np.eye(1000)[0] * 2, steps=50)
    assert scale == pytest.approx(50 * 4**2 / 2**2, rel=0.1)
    assert cosine == pytest.approx(2**2 / (2**2 + 4**2), rel=0.1)
    assert benchmark("gradient_noise").noise_scale(np.array([[1.0, 0], [-1.0, 0]]), steps=50)[0] == float("inf")
