"""A run in TensorBoard."""

import struct

import pytest
from conftest import compose

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.loggers.tensorboard_run import TensorBoardRun

SMALL = ["+budget=smoke", "env.max_steps=20", "report=null", "logger=tensorboard"]


def events(folder):
    """What lies in TensorBoard's files: (step, key, kind) each."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
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
    assert (tmp_path / "metrics.csv").is_file()


def test_a_run_that_fails_says_why(tmp_path):
    logger = TensorBoardRun(str(tmp_path))
    logger.end("no more memory")
    assert (0, "error/text_summary", "tensor") in events(tmp_path)


def test_what_is_missing_is_named_in_one_line_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr("anx.experiment.loggers.tensorboard_run.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^logger=tensorboard needs TensorBoard: pip install 'anx\[tensorboard\]'$"):
        TensorBoardRun(str(tmp_path))
