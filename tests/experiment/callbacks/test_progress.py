"""What a terminal of any width shows of a run."""

import io
import re
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Timer
from rich.console import Console

from anx.experiment.callbacks import progress
from anx.experiment.callbacks.progress import Progress
from anx.learners.evolution import Evolution

METRICS = {
    "train/fitness_max": 429.0,
    "train/fitness_mean": 359.0,
    "train/sigma": 0.0109,
    "perf/steps_per_second": 2_025_063.0,
    "validation/plain_mean": 244.2,
    "validation/shuffled_mean": 244.1,
}


@pytest.fixture
def show(monkeypatch):
    """What is drawn of 30 generations, two seconds each, that follow on generation 330 of 400."""

    def draw(width, *callbacks, max_steps=400, **options):
        seconds = iter(range(0, 1000, 2))
        now = [0]
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        file = io.StringIO()
        callback = Progress(console=Console(width=width, file=file, **options))
        metrics = {key: torch.tensor(value) for key, value in METRICS.items()}
        trainer = SimpleNamespace(
            **{"is_global_zero": True, "max_steps": max_steps, "global_step": 330},
            callback_metrics=metrics,
            callbacks=list(callbacks),
        )
        callback.on_train_start(trainer, Evolution)
        for _ in range(30):
            callback.on_train_batch_start(trainer)
            now[0] = next(seconds)
            trainer.global_step += 1
            callback.on_train_batch_end(trainer)
        callback.on_train_end(trainer, None)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())

    return draw


@pytest.mark.parametrize(
    ("width", "last"),
    [(40, "left"), (60, "best 429.0"), (80, "shuffled 244.1"), (120, "2,025,063"), (200, "plain 244.2")],
)
def test_every_width_shows_the_generation_the_time_left_and_as_many_metrics_as_fit(show, width, last):
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", show(width, force_terminal=True))]
    assert max(map(len, lines)) <= width
    final = [line for line in lines if line][-1]
    assert final.startswith("generation 360/400  1:20 left")
    assert last in final
    assert "…" not in final


def test_a_dumb_terminal_and_a_file_get_lines(show, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("TERM", "dumb")
    assert show(80, force_terminal=True) == ""
    assert "generation 360/400  1:20 left  best 429.0  mean 359.0  shuffled 244.1" in caplog.messages[-1]
    assert 4 <= len(caplog.messages) <= 8  # one in ten seconds
    caplog.clear()
    monkeypatch.setenv("TERM", "xterm")
    assert show(80, force_terminal=False) == ""
    assert "generation 360/400" in caplog.messages[-1]


def test_a_run_that_is_limited_by_time_shows_the_time_that_is_left(show):
    timer = Timer("00:00:10:00")
    timer.time_elapsed = lambda stage: 570.0
    assert "generation 360  0:30 left" in show(80, timer, max_steps=-1, force_terminal=True)
    assert "generation 360/400  0:30 left" in show(80, timer, force_terminal=True)
    assert "generation 360/365  0:10 left" in show(80, timer, max_steps=365, force_terminal=True)
