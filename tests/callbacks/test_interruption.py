"""What survives a signal, a kill, a full disk."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from anx.callbacks.interruption import WholeCheckpointIO
from anx.interop import read_checkpoint, read_weights

GENERATIONS = 25
LONG = ["+budget=smoke", "env.max_steps=40", "logger=csv", "callbacks.pictures=null", "report=null"]
LONG += [f"trainer.max_steps={GENERATIONS}", f"trainer.val_check_interval={GENERATIONS}"]


def start(folder, *overrides):
    command = [sys.executable, "-m", "anx.run", *LONG, f"hydra.run.dir={folder}", *overrides]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_generations(folder, process, count):
    """Until metrics.csv has `count` rows."""
    path, deadline = folder / "metrics.csv", time.monotonic() + 120
    while not path.is_file() or path.read_text().count("\n") < count + 1:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    process = start(folder)
    assert process.wait(timeout=300) == 0, process.communicate()[0]
    return read_weights(folder / "agent.safetensors").state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "processes"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 2), (signal.SIGTERM, 2)]
)
def test_a_signal_to_any_process_ends_a_run_from_which_it_goes_on_bit_for_bit(tmp_path, straight, number, processes):
    slow = [f"trainer.devices={processes}", "trainer.accelerator=cpu"]
    slow += ["trainer.strategy=ddp"] if processes > 1 else []
    process = start(tmp_path, *slow)
    wait_for_generations(tmp_path, process, 3)
    os.kill(process.pid if processes == 1 else children(process.pid)[-1], number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "to go on:" in output
    last = tmp_path / "checkpoints" / "last.ckpt"
    stopped = read_checkpoint(last)["global_step"]
    assert 3 <= stopped < GENERATIONS
    process = start(tmp_path, f"ckpt_path={last}")
    assert process.wait(timeout=300) == 0, process.communicate()[0]
    resumed = read_weights(tmp_path / "agent.safetensors").state
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


@pytest.mark.slow
def test_kill_leaves_a_whole_checkpoint_of_the_generation_before(tmp_path):
    process = start(tmp_path, "trainer.max_steps=100000", "callbacks.last.train_time_interval.seconds=0")
    wait_for_generations(tmp_path, process, 5)
    time.sleep(random.Random(0).uniform(0, 0.5))
    process.kill()
    process.communicate()
    logged = (tmp_path / "metrics.csv").read_text().strip().splitlines()[-1].split(",")[0]
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert checkpoint["global_step"] >= int(logged)  # step k is logged once generation k + 1 is done
    assert read_weights(tmp_path / "checkpoints" / "last.ckpt").config["name"] == "cartpole"


def test_a_write_that_is_cut_off_leaves_the_checkpoint_of_before(tmp_path, monkeypatch):
    path, files = tmp_path / "last.ckpt", WholeCheckpointIO()
    files.save_checkpoint({"state_dict": {"a": torch.ones(1)}}, path)
    monkeypatch.setattr(torch, "save", lambda checkpoint, file: file.write(b"half"))
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.save_checkpoint({"state_dict": {"a": torch.zeros(1)}}, path)
    assert read_checkpoint(path)["state_dict"]["a"] == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("write failed")])
def test_a_full_disk_costs_a_checkpoint_and_not_the_run(tmp_path, monkeypatch, caplog, error):
    path, files = tmp_path / "last.ckpt", WholeCheckpointIO()
    files.save_checkpoint({"state_dict": {"a": torch.ones(1)}}, path)

    def fail(checkpoint, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    files.save_checkpoint({"state_dict": {"a": torch.zeros(1)}}, path)
    assert "could not be written, the run goes on" in caplog.text
    assert read_checkpoint(path)["state_dict"]["a"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
