"""What survives a signal, a kill, a full disk."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from conftest import compose
from hydra.core.hydra_config import HydraConfig

import anx.commands.run
from anx.experiment.checkpoints import WholeCheckpointIO
from anx.experiment.files.weights import read_checkpoint, read_weights
from anx.learners.evolution import Evolution
from anx.signals import Interrupted, interruptible

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
    anx.commands.run.train(compose(*LONG, f"run_dir={folder}"))
    return read_weights(folder / "agent.safetensors").state


@pytest.mark.exhaustive
@pytest.mark.parametrize(("number", "processes"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_a_signal_to_any_process_ends_a_run_from_which_it_goes_on_bit_for_bit(tmp_path, straight, number, processes):
    slow = [f"trainer.devices={processes}", "trainer.accelerator=cpu"]
    slow += ["trainer.strategy=ddp"] if processes > 1 else []
    process = start(tmp_path, *slow)
    wait_for_generations(tmp_path, process, 3)
    os.kill(process.pid if processes == 1 else children(process.pid)[-1], number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number, output
    assert output.count("to go on:") == 1
    last = tmp_path / "checkpoints" / "last.ckpt"
    stopped = read_checkpoint(last)["global_step"]
    assert 3 <= stopped < GENERATIONS
    anx.commands.run.train(compose(*LONG, f"run_dir={tmp_path}", f"ckpt_path={last}"))
    resumed = read_weights(tmp_path / "agent.safetensors").state
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]


@pytest.fixture
def signals(monkeypatch):
    """Sends this process signals in the midst of a method's call, told by the generations that are done."""

    def send(method, generation, *numbers):
        call = getattr(Evolution, method)

        def interrupted(self, *args):
            if self.trainer.global_step == generation:
                for number in numbers:
                    signal.raise_signal(number)
            return call(self, *args)

        monkeypatch.setattr(Evolution, method, interrupted)

    return send


@pytest.fixture
def command(run_command):
    """A small run's command line."""
    return lambda *arguments: run_command(*arguments, *SMALL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_its_generation_with_the_best_agent_so_far(tmp_path, signals, number):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    signals("training_step", 2, number)
    with pytest.raises(Interrupted) as stop:
        anx.commands.run.run(compose(*SMALL, f"run_dir={tmp_path}"))
    assert stop.value.number == number
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 3
    best = read_weights(tmp_path / "checkpoints" / "best.ckpt").state  # validated after generation 2
    for name, value in read_weights(tmp_path / "agent.safetensors").state.items():
        assert torch.equal(value, best[name]), name
    assert not (tmp_path / "report.json").exists()
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.mark.parametrize("generation", [1, 2])  # the validation after it is due, or not
def test_an_interrupted_run_that_goes_on_ships_what_it_would_have_shipped(tmp_path, signals, monkeypatch, generation):
    straight = anx.commands.run.train(compose(*SMALL, f"run_dir={tmp_path / 'straight'}"))
    signals("training_step", generation, signal.SIGINT)
    assert anx.commands.run.train(compose(*SMALL, f"run_dir={tmp_path / 'halves'}")) is None
    monkeypatch.undo()
    last = tmp_path / "halves" / "checkpoints" / "last.ckpt"
    assert anx.commands.run.train(compose(*SMALL, f"run_dir={tmp_path / 'halves'}", f"ckpt_path={last}")) == straight


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_a_run_at_once_and_leaves_what_it_had(tmp_path, signals, numbers):
    before = signal.getsignal(signal.SIGINT)
    signals("training_step", 2, *numbers)
    with pytest.raises(Interrupted) as stop:
        anx.commands.run.run(compose(*SMALL, f"run_dir={tmp_path}"))
    assert stop.value.number == numbers[-1]
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 2
    assert (tmp_path / "agent.safetensors").is_file()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_signal_to_the_final_evaluation_leaves_the_agent_from_which_it_is_evaluated_again(
    tmp_path, signals, monkeypatch, caplog
):
    caplog.set_level("INFO")
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    signals("test_step", 4, signal.SIGTERM)
    config = compose(*SMALL, f"run_dir={tmp_path}")
    assert anx.commands.run.train(config) is None  # from Python
    assert (tmp_path / "agent.safetensors").is_file()
    config.ckpt_path = str(tmp_path / "checkpoints" / "last.ckpt")
    assert f"ckpt_path={config.ckpt_path} run_dir={tmp_path}" in caplog.text
    monkeypatch.undo()
    assert anx.commands.run.train(config)["generations"] == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_exits_as_the_shell_expects(tmp_path, command, signals, number, code):
    signals("training_step", 0, number)
    assert command(f"hydra.run.dir={tmp_path}") == code


def test_an_interruption_ends_a_multirun(tmp_path, command, signals):
    signals("training_step", 0, signal.SIGINT)
    assert command("-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}") == 130
    assert (tmp_path / "0" / "agent.safetensors").is_file()
    assert not (tmp_path / "1").exists()


def test_an_interruption_before_the_training_ends_it_too(tmp_path, command, monkeypatch):
    monkeypatch.setattr(anx.commands.run, "prepare", lambda config: signal.raise_signal(signal.SIGTERM))
    assert command(f"hydra.run.dir={tmp_path}") == 143


def test_a_run_trains_in_a_thread(tmp_path):
    reports = []
    config = compose(*SMALL, f"run_dir={tmp_path}")
    thread = threading.Thread(target=lambda: reports.append(anx.commands.run.train(config)))
    thread.start()
    thread.join()
    assert reports[0]["generations"] == 4


def test_handlers_are_put_back_whatever_happens():
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.slow
def test_kill_leaves_a_whole_checkpoint_of_the_generation_before(tmp_path):
    process = start(tmp_path, "trainer.max_steps=100000", "callbacks.last.every=0")
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
