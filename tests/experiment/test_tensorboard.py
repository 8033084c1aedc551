"""A run in TensorBoard."""

import struct
from types import SimpleNamespace

import pytest
from conftest import compose

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.loggers.tensorboard_run import TensorBoardRun

SMALL = ["+budget=smoke", "env.max_steps=20", "report=null", "logger=tensorboard"]


def files(folder):
    return sorted(folder.glob("events.out.tfevents.*"))


def events(folder):
    """What lies in TensorBoard's files: (step, key, kind) each."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in files(folder):
        data, start = path.read_bytes(), 0
        while start < len(data):
            (length,) = struct.unpack("<Q", data[start : start + 8])
            event = event_pb2.Event.FromString(data[start + 12 : start + 12 + length])
            found += [(event.step, value.tag, value.WhichOneof("value")) for value in event.summary.value]
            start += 12 + length + 4
    return found


def test_a_run_logs_every_generation_its_validations_its_pictures_and_its_configuration(tmp_path):
    train(compose(*SMALL, f"run_dir={tmp_path}"))
    logged = events(tmp_path / "tensorboard")
    assert [step for step, key, _ in logged if key == "train/fitness_mean"] == [0, 1, 2, 3]
    assert [step for step, key, _ in logged if key == "validation/shuffled_mean"] == [1, 3]
    assert [(step, kind) for step, key, kind in logged if key == "attention"] == [(2, "image"), (4, "image")]
    assert (4, "final/text_summary", "tensor") in logged
    assert {"config/pooler/text_summary", "config/identity/text_summary"} <= {key for _, key, _ in logged}
    assert (4, "test/plain_mean", "simple_value") in logged  # logged after the training, into the same file
    assert len(files(tmp_path / "tensorboard")) == 1
    assert (tmp_path / "metrics.csv").is_file()


def test_runs_that_start_in_one_folder_within_a_second_keep_each_others_events(tmp_path, monkeypatch):
    clock = SimpleNamespace(time=lambda: 1_700_000_000.0)
    monkeypatch.setattr(pytest.importorskip("tensorboardX.event_file_writer"), "time", clock)
    for step in range(2):
        logger = TensorBoardRun(str(tmp_path))
        logger.log_metrics({"loss": 1.0}, step)
        logger.finalize("success")
        logger.end(None)
    assert [event for event in events(tmp_path) if event[1] == "loss"] == [
        (0, "loss", "simple_value"),
        (1, "loss", "simple_value"),
    ]


def test_a_run_that_fails_says_why(tmp_path):
    logger = TensorBoardRun(str(tmp_path))
    logger.end("no more memory")
    assert (0, "error/text_summary", "tensor") in events(tmp_path)


def test_what_is_missing_is_named_in_one_line_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr("anx.experiment.loggers.tensorboard_run.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^logger=tensorboard needs TensorBoard: pip install 'anx\[tensorboard\]'$"):
        TensorBoardRun(str(tmp_path))
