"""`anx NAME` is `python -m anx.NAME`."""

import functools
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx
import anx.__main__
from anx.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


def run(*arguments, cwd=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a command line prints."""

    def run(*arguments, program=main):
        monkeypatch.setattr(sys, "argv", ["anx", *arguments])
        GlobalHydra.instance().clear()
        program()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_lists_the_commands_a_line_each(printed, arguments):
    lines = printed(*arguments).splitlines()
    for name, text in COMMANDS.items():
        assert f"  {name:12}{text}" in lines


def test_every_command_is_a_program_of_anxs():
    programs = {path.stem for path in (ROOT / "anx").glob("*.py") if "__main__" in path.read_text()} - {"__main__"}
    programs |= {path.parent.name for path in (ROOT / "anx").glob("*/__main__.py")}
    assert set(COMMANDS) == programs


def test_the_version_is_said(printed):
    assert printed("--version") == f"anx {anx.__version__}\n"


def test_an_unknown_command_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["anx", "fly"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: fly is no command of anx; allowed: {', '.join(COMMANDS)}\n"


def test_the_help_imports_nothing_heavy():
    code = "import sys; sys.argv[1:] = ['--help']; import anx.__main__ as m; m.main(); "
    code += "sys.exit(' '.join({'torch', 'hydra', 'numpy', 'gymnasium'} & set(sys.modules)) or None)"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_a_command_is_what_python_m_runs(printed):
    arguments = ["--cfg", "job", "+experiment=pong", "seed=3"]
    ours = printed("run", *arguments)
    assert ours == printed(*arguments, program=functools.partial(runpy.run_module, "anx.run", run_name="__main__"))
    assert "seed: 3\n" in ours


@pytest.mark.slow
def test_a_refusal_is_one_line_of_the_whole_program(tmp_path):
    refused = run("-m", "anx", "run", "seed=-1", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.endswith("seed=-1 must be an integer, at least 0\n")
    assert refused.stderr.count("\n") == 1


def test_code_in_the_working_directory_is_found_as_with_python_m(monkeypatch, capsys, tmp_path):
    (tmp_path / "mine.py").write_text("raise ValueError('it is mine')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setattr(sys, "argv", ["anx", "run", "neuron._target_=mine.Neuron", "logger=csv", "hydra.run.dir=run"])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit):
        main()
    assert "it is mine" in capsys.readouterr().err
