"""A run's folder is its own, and it finds its checkpoint there."""

import multiprocessing

import pytest
from conftest import compose

import anx.commands.run
from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.folder import claimed, find_checkpoint

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]


def hold(folder, ready, never):
    """Claims a folder until it is killed."""
    with claimed(folder):
        ready.set()
        never.wait()


def test_a_folder_has_one_run_at_a_time(tmp_path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, context.Event()))
    other.start()
    assert ready.wait(60)
    with pytest.raises(ConfigError, match=rf"hydra\.run\.dir={tmp_path} is another run's"):
        train(compose(*SMALL, f"run_dir={tmp_path}"))
    assert not (tmp_path / "config.yaml").exists()
    other.kill()
    other.join()
    with claimed(tmp_path):  # free again, however its run has ended
        pass


def test_a_file_system_without_locks_costs_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*args, **options):
        raise NotImplementedError("no flock")

    monkeypatch.setattr("anx.experiment.folder.FileLock.acquire", fail)
    with claimed(tmp_path):
        pass
    assert "start no other run in it" in caplog.text


def test_auto_goes_on_from_the_folders_last_checkpoint_if_there_is_one(tmp_path):
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert find_checkpoint("auto", tmp_path) is None
    config = compose(*SMALL, "ckpt_path=auto", "trainer.max_steps=1", f"run_dir={tmp_path}")
    assert train(config)["generations"] == 1
    assert find_checkpoint("auto", tmp_path) == last
    config.trainer.max_steps = 2
    assert train(config)["generations"] == 2
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:3]] == ["0", "1"]


@pytest.fixture
def command(run_command, monkeypatch, tmp_path):
    """A command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run_command


def test_runs_that_start_in_the_same_second_have_a_folder_each(command, monkeypatch, tmp_path):
    monkeypatch.setattr(anx.commands.run, "run", lambda config: None)
    for _ in range(3):
        assert command() == 0
    assert len(list((tmp_path / "runs" / "cartpole").iterdir())) == 3


def test_a_point_that_is_refused_does_not_take_the_multirun_along(command, capsys, tmp_path):
    arguments = ["-m", *SMALL, "pooler.num_queries=0,4", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    assert command(*arguments) == 2
    error = capsys.readouterr().err
    assert "error: job 0: pooler.num_queries=0" in error
    assert "Traceback" not in error
    assert (tmp_path / "sweep" / "1" / "report.json").is_file()
    assert not (tmp_path / "sweep" / "0" / "report.json").exists()
