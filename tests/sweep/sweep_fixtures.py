"""A sweep in a folder, and the command line of one."""

import functools
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from sweeping import content, queries

from anx.sweep.__main__ import main
from anx.sweep.file import read_sweep_file
from anx.sweep.runner import Sweep


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep in a folder; `started` lists the folder of every run and whether it was resumed."""
    GlobalHydra.instance().clear()
    started = []

    def task(function, config):
        started.append((Path(config.run_dir).name, config.ckpt_path is not None))
        return function(config)

    def make(function=queries, *overrides, count=None, folder="runs", **more):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(content(**more), sort_keys=False))
        started.clear()
        task_of_test = functools.partial(task, function)
        return Sweep(read_sweep_file(path), tmp_path / folder, count, overrides, task_of_test)

    make.started = started
    return make


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs a command line on a sweep file; returns its exit code."""

    def run(*arguments, **more):
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content(**more), sort_keys=False))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["anx", *arguments])
        GlobalHydra.instance().clear()
        try:
            main()
        except SystemExit as end:
            return end.code
        return 0

    return run


@pytest.fixture
def refused(command, capsys):
    """Runs a command line that must be refused; returns its one line."""

    def run(*arguments, **more):
        assert command(*arguments, **more) == 2
        output = capsys.readouterr()
        assert output.err.startswith("error: ")
        assert output.err.count("\n") == 1
        assert output.out == ""
        return output.err

    return run
