"""The command line of a sweep: what it runs, prints and refuses."""

import csv
import os
import shlex
import signal
import time

import pytest
from conftest import compose
from rich.console import Console
from sweeping import METRIC, SMALL, queries, values

import anx.sweep.__main__
from anx.signals import Interrupted
from anx.sweep.report import report

pytest_plugins = ["sweep_fixtures"]


def test_a_command_line_runs_what_can_be_run_and_says_what_cannot(command, capsys, tmp_path):
    parameters = {"pooler.num_queries": {"values": [0, 4]}, "pooler.message_size": {"values": [8, 16]}}
    assert command("sweep.yaml", *SMALL, "folder=runs", parameters=parameters) == 0
    printed = capsys.readouterr()
    with (tmp_path / "runs" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["pooler.num_queries"] for row in rows] == ["4", "4", "0", "0"]
    assert float(rows[0][METRIC]) >= float(rows[1][METRIC])
    for row in rows[2:]:
        assert row["failed"].startswith("pooler.num_queries=0 must be at least 1")
    table = (tmp_path / "runs" / "table.md").read_text()
    assert all(row["failed"] in table for row in rows)
    assert "pooler.num_queries=0 must be at least 1" in printed.out
    assert (tmp_path / "runs" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "runs").glob(".*.unfinished"))
    best = f"pooler.num_queries=4 pooler.message_size={rows[0]['pooler.message_size']}"
    assert f"python -m anx.run {' '.join(SMALL)} {best}" in printed.err
    assert f"weights={rows[0]['folder']}/agent.safetensors" in printed.err
    assert "Traceback" not in printed.err


def test_a_command_line_of_which_nothing_finishes_fails(command):
    parameters = {"pooler.num_queries": {"values": [0]}}
    assert command("sweep.yaml", "logger=csv", parameters=parameters) == 1


def test_values_that_shells_and_hydra_would_split_reach_a_run_whole_and_are_printed_so(sweep, capsys):
    names = []

    def named(config):
        names.append(config.name)
        return queries(config)

    texts = ["a b", "'x=y'", "'it\\'s'", "'größer, $HOME'", "x" * 400]
    done = sweep(named, parameters={"name": {"values": texts}})
    assert done.run() is True
    assert names == ["a b", "x=y", "it's", "größer, $HOME", "x" * 400]
    assert values(done.rows) == [160.0] * 5
    report(done, Console())
    best = shlex.split(capsys.readouterr().err.split("the best setting:\n")[1].splitlines()[0])
    assert compose(*best[3:]).name == names[0]


def test_a_folder_with_spaces_and_signs_is_printed_so_that_it_can_be_copied(sweep, capsys):
    done = sweep(parameters={"seed": {"values": [0]}})
    done.folder = done.folder.with_name("a b='c'")
    assert done.run() is True
    report(done, Console())
    line = shlex.split(capsys.readouterr().err.split("the best run's agent:\n")[1].splitlines()[0])
    assert compose(*line[3:], config_name="evaluate").weights == str(done.folder / "seed-0" / "agent.safetensors")


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A folder of a user's own configs, `conf` in the working directory."""
    (tmp_path / "conf" / "neuron").mkdir(parents=True)
    (tmp_path / "conf" / "neuron" / "wide.yaml").write_text("defaults: [lstm]\nhidden_size: 12\n")
    (tmp_path / "conf" / "mine.yaml").write_text("defaults: [config, _self_]\nname: mine\n")
    monkeypatch.chdir(tmp_path)


def test_a_users_own_configs_are_found_by_flags_in_the_file_and_on_the_command_line(command, conf, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(anx.sweep.__main__, "run", lambda config: seen.append(config) or queries(config))
    parameters = {"seed": {"values": [0]}}
    in_file = ["--config-dir", "conf", "neuron=wide"]
    assert command("sweep.yaml", "folder=a", parameters=parameters, fixed=in_file) == 0
    assert command("sweep.yaml", "folder=b", "neuron=wide", "-cd", "conf", "-cn", "mine", parameters=parameters) == 0
    assert [each.neuron.hidden_size for each in seen] == [12, 12]
    assert [each.name for each in seen] == ["cartpole", "mine"]
    printed = capsys.readouterr().err
    assert "python -m anx.run --config-dir=conf neuron=wide seed=0" not in printed, "the seed is averaged over"
    assert "python -m anx.run --config-dir=conf neuron=wide\n" in printed
    assert "python -m anx.run --config-dir=conf --config-name=mine neuron=wide\n" in printed
    assert command("sweep.yaml", "folder=a", parameters=parameters, fixed=["neuron=wide"]) == 2
    assert "--config-dir" not in capsys.readouterr().err


def test_what_hydra_was_told_is_in_the_best_setting_but_for_the_launcher(command, capsys):
    given = ["hydra/launcher=basic", "hydra.job.name=me"]
    command("sweep.yaml", *SMALL, *given, "folder=runs", parameters={"pooler.num_queries": {"values": [4]}})
    line = capsys.readouterr().err.split("the best setting:\n")[1].splitlines()[0]
    assert line == f"  python -m anx.run {' '.join(SMALL)} hydra.job.name=me pooler.num_queries=4"


@pytest.mark.parametrize(("end", "code"), [(KeyboardInterrupt(), 130), (Interrupted(2), 130), (Interrupted(15), 143)])
def test_what_interrupts_a_run_stops_the_sweep_with_its_exit_code(command, monkeypatch, capsys, end, code):
    def interrupted(config):
        raise end

    monkeypatch.setattr(anx.sweep.__main__, "run", interrupted)
    assert command("sweep.yaml", "folder=runs") == code
    assert "to go on:\n  python -m anx.sweep sweep.yaml folder=runs" in capsys.readouterr().err


def test_a_sigterm_between_runs_stops_a_sweep_with_143(command, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def terminated(config):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(anx.sweep.__main__, "run", terminated)
    assert command("sweep.yaml", "folder=runs") == 143
    assert "to go on:" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


LINES = {
    "no file": ([], {}, ["the sweep file must come first"]),
    "a file that is not there": (["none.yaml"], {}, ["none.yaml", "No such file"]),
    "a count that is none": (["sweep.yaml", "count=0"], {}, ["count=0", "at least 1"]),
    "a search without a number of runs": (["sweep.yaml"], {"method": "random"}, ["method=random", "count=N"]),
    "a key that is swept": (["sweep.yaml", "seed=3"], {}, ["seed=3", "swept by sweep.yaml"]),
    "a swept folder": (
        ["sweep.yaml"],
        {"parameters": {"run_dir": {"values": ["a", "b"]}}},
        ["sweep.yaml: parameters.run_dir can't be swept: it is set by the sweep"],
    ),
    "several values": (["sweep.yaml", "neuron=lstm,gru"], {}, ["neuron=lstm,gru", "several values"]),
    "a folder for every run": (["sweep.yaml", "hydra.sweep.dir=x"], {}, ["hydra.sweep.dir", "folder=PATH"]),
    "an option": (["sweep.yaml", "-m"], {}, ["-m is no option", "--help"]),
    "a launcher that is not there": (
        ["sweep.yaml", "hydra/launcher=none"],
        {},
        ["hydra/launcher=none", "allowed: basic", "anx[launchers]"],
    ),
    "an unknown part": (["sweep.yaml", "neuron=gru"], {}, ["neuron=gru", "lstm"]),
    "a folder that can't be written": (["sweep.yaml", "folder=/proc/anx"], {}, ["/proc/anx"]),
}


@pytest.mark.parametrize(("arguments", "changes", "says"), LINES.values(), ids=LINES)
def test_a_command_line_is_refused(refused, arguments, changes, says):
    line = refused(*arguments, **changes)
    for part in says:
        assert part in line


def test_help_shows_what_to_type(command, capsys):
    assert command("--help") == 0
    assert (
        "python -m anx.sweep FILE [folder=PATH] [count=N] [--config-dir PATH] [OVERRIDE ...]" in capsys.readouterr().out
    )
