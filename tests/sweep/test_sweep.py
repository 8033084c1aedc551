"""Sweeps that run here: their files, what they run and run again, what they leave."""

import csv
import functools
import json
import os
import shlex
import signal
import statistics
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from conftest import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from rich.console import Console

import anx.sweep.__main__
from anx.commands.run import run
from anx.cores import count_cores
from anx.errors import ConfigError
from anx.learners.evolution import Evolution
from anx.signals import Interrupted
from anx.sweep.__main__ import main
from anx.sweep.command import read_command
from anx.sweep.distribution import Choice, Range, Weighted
from anx.sweep.file import parse, read_sweep_file
from anx.sweep.launch import width_of
from anx.sweep.points import last_value, name_of
from anx.sweep.report import report
from anx.sweep.runner import Sweep
from anx.sweep.search import Bayes, Random, Result
from anx.sweep.table import Row, means, rank

ARGS = "${args_no_hyphens}"
METRIC = "validation/shuffled_mean"
SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "trainer.max_steps=2"]
GRID = {"pooler.num_queries": {"values": [4, 8]}, "seed": {"values": [0, 1]}}
SPACE = {"pooler.num_queries": {"values": [1, 2, 4, 8, 16]}, "optimizer.sigma0": {"min": 0.1, "max": 0.9}}


def content(method="grid", parameters=GRID, fixed=(), **more):
    return {
        "method": method,
        "metric": {"name": METRIC, "goal": "maximize"},
        "parameters": parameters,
        "command": ["${env}", "${interpreter}", "-m", "anx.run", *fixed, "${args_no_hyphens}"],
        **more,
    }


def queries(config):
    """A run that takes no time, and what it leaves."""
    folder, value = Path(config.run_dir), 10 * config.pooler.num_queries + config.seed
    (folder / "metrics.csv").write_text(f"step,{METRIC}\n0,{value - 1}\n1,{value}\n2,\n")
    (folder / "report.json").write_text(json.dumps({"process": os.getpid()}))
    return {}


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep in the folder `runs`; `started` lists the folder of every run and whether it was resumed."""
    GlobalHydra.instance().clear()
    started = []

    def task(function, config):
        started.append((Path(config.run_dir).name, config.ckpt_path is not None))
        return function(config)

    def make(function=queries, *overrides, count=None, **more):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(content(**more), sort_keys=False))
        started.clear()
        task_of_test = functools.partial(task, function)
        return Sweep(read_sweep_file(path), tmp_path / "runs", count, overrides, task_of_test)

    make.started = started
    return make


def rows_of(sweep):
    assert sweep.run() is True
    return sweep.rows


def values(rows):
    return [row.value for row in rows.values()]


@pytest.mark.exhaustive
def test_a_sweep_that_is_interrupted_goes_on_where_it_was(sweep, monkeypatch, tmp_path):
    step = Evolution.training_step
    interrupting = True

    def interrupted_step(self, *args):
        if interrupting and len(sweep.started) == 3 and self.trainer.global_step == 0:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    monkeypatch.setattr(Evolution, "training_step", interrupted_step)
    small = [*SMALL[:-1], "trainer.max_steps=3"]
    assert sweep(run, *small).run() is False
    reports = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/report.json")}
    assert len(reports) == 2
    assert len((tmp_path / "runs" / "table.csv").read_text().splitlines()) == 1 + 2

    interrupting = False
    again = sweep(run, *small)
    assert again.run() is True
    third, fourth = "pooler.num_queries-8_seed-0", "pooler.num_queries-8_seed-1"
    assert sweep.started == [(third, True), (fourth, False)]
    assert {path: path.stat().st_mtime_ns for path in reports} == reports
    assert len(again.rows) == 4
    assert None not in values(again.rows)
    with (tmp_path / "runs" / third / "metrics.csv").open() as file:
        trained = [row["step"] for row in csv.DictReader(file) if row["train/fitness_mean"]]
    assert trained == ["0", "1", "2"]


def test_ctrl_c_outside_of_training_stops_a_sweep(sweep):
    def interrupted(config):
        if len(sweep.started) == 2:
            raise KeyboardInterrupt
        return queries(config)

    stopped = sweep(interrupted)
    assert stopped.run() is False
    assert len(stopped.rows) == 1
    assert len(sweep.started) == 2


def test_what_fails_is_a_row_with_its_reason_and_is_tried_again(sweep):
    def broken(config):
        if config.pooler.num_queries == 8:
            raise RuntimeError("the simulator is gone")
        return queries(config)

    first = sweep(broken)
    assert first.run() is True
    assert [row.reason for row in first.rows.values()] == ["", "", *["RuntimeError: the simulator is gone"] * 2]
    second = sweep()
    assert second.run() is True
    assert values(second.rows) == [40.0, 41.0, 80.0, 81.0]
    assert [name for name, _ in sweep.started] == ["pooler.num_queries-8_seed-0", "pooler.num_queries-8_seed-1"]


def test_a_point_that_does_not_compose_is_a_row_with_its_reason(sweep):
    done = sweep(parameters={"neuron": {"values": ["gru", "lstm"]}})
    assert done.run() is True
    gru, lstm = done.rows.values()
    assert gru.value is None
    assert gru.reason.startswith("neuron=gru is unknown; allowed: ")
    assert lstm.value == 160.0


def test_a_run_that_never_logs_the_metric_has_failed(sweep, tmp_path):
    def silent(config):
        queries(config)
        (Path(config.run_dir) / "metrics.csv").write_text("step,train/fitness_mean\n0,1.0\n")
        return {}

    done = sweep(silent, count=1)
    done.run()
    assert [row.reason for row in done.rows.values()] == [f"the run logged no {METRIC}, but train/fitness_mean"]


@pytest.mark.parametrize(("method", "count"), [("random", 5), ("bayes", 6)])
def test_a_search_proposes_the_same_points_after_a_restart(sweep, method, count):
    straight = sweep(method=method, parameters=SPACE, count=count)
    straight.run()
    assert len(straight.rows) == count

    def interrupted(config):
        if len(sweep.started) == 4:
            raise Interrupted(signal.SIGTERM)
        return queries(config)

    for path in straight.folder.rglob("report.json"):
        path.unlink()
    assert sweep(interrupted, method=method, parameters=SPACE, count=count).run() is False
    again = sweep(method=method, parameters=SPACE, count=count)
    assert again.run() is True
    assert list(again.rows) == list(straight.rows)
    assert [name for name, _ in sweep.started] == list(straight.rows)[3:]


def test_a_search_ends_when_it_has_seen_all(sweep):
    done = sweep(method="random", parameters={"seed": {"min": 0, "max": 2}}, count=50)
    assert done.run() is True
    assert sorted(done.rows) == ["seed-0", "seed-1", "seed-2"]


def searched(search, value_of, count):
    """What a search proposes one after another, and what is told it of each."""
    results = []
    while len(results) < count and (point := search.propose(results, [])):
        results.append(Result(point, value_of(point)))
    return results


@pytest.mark.parametrize("maximize", [True, False])
def test_bayes_finds_the_best_of_54_points_in_24(maximize):
    queries, sizes = Choice(range(100, 1000, 100)), Choice([4, 6, 7, 12, 14, 21])

    def loss(point):
        return abs(point["q"] - 600) / 100 + abs(sizes.values.index(point["s"]) - 2)

    search = Bayes({"q": queries, "s": sizes}, maximize)
    results = searched(search, lambda point: -loss(point) if maximize else loss(point), 24)
    told = [loss(each.point) for each in results]
    every = [loss({"q": q, "s": s}) for q in queries.values for s in sizes.values]
    assert min(told) == 0
    assert statistics.median(told) < statistics.median(every)


def test_bayes_takes_a_failed_point_for_the_worst():
    def proposals(told_for_a):
        search = Bayes({"x": Choice(["a", "b", "c"]), "y": Range(0.0, 1.0)}, maximize=True)
        results = searched(search, lambda point: told_for_a if point["x"] == "a" else point["y"], 20)
        return [each.point for each in results]

    assert proposals(None) == proposals(-1e6)
    assert proposals(None) != proposals(1e6)


def test_what_bayes_proposes_at_once_is_proposed_as_if_what_runs_were_bad():
    search = Bayes({"x": Range(0.0, 1.0)}, maximize=True)
    results = searched(search, lambda point: -abs(point["x"] - 0.5), 12)
    running = []
    for _ in range(4):
        running.append(search.propose(results, running))
    bad = [*results, *(Result(point, None) for point in running[:3])]
    assert search.propose(bad, []) == search.propose(bad[:-3], running[:3])
    assert len({point["x"] for point in running}) == 4


def test_bayes_proposes_every_point_there_is_and_then_no_other():
    search = Bayes({"a": Choice(["x", True, 1, "1.0"]), "b": Choice(range(5))}, maximize=True)
    results = searched(search, lambda point: float(point["b"]), 50)
    assert len(results) == 20
    assert len({tuple(map(str, each.point.values())) for each in results}) == 20


@pytest.mark.filterwarnings("error")
def test_optuna_says_nothing_of_its_own(capfd):
    for search in (Bayes({"x": Range(1e-3, 1.0, log=True)}, maximize=False), Random({"x": Range(0.0, 1.0)})):
        searched(search, lambda point: point["x"], 7)
    assert capfd.readouterr() == ("", "")


def test_random_points_follow_their_distributions():
    search = Random(
        {
            "log": Range(1e-4, 1.0, log=True),
            "uniform": Range(2.0, 3.0),
            "name": Weighted(["often", "never"], [1.0, 0.0]),
            "other": Weighted(["rare", 1, True], [0.1, 0.7, 0.2]),
            "count": Choice(range(1, 4)),
        }
    )
    points = [each.point for each in searched(search, lambda point: 0.0, 1000)]
    assert statistics.median(point["log"] for point in points) == pytest.approx(1e-2, rel=0.3)
    assert statistics.fmean(point["uniform"] for point in points) == pytest.approx(2.5, abs=0.05)
    assert {point["name"] for point in points} == {"often"}
    others = [str(point["other"]) for point in points]
    assert [others.count(each) / 1000 for each in ("rare", "1", "True")] == pytest.approx([0.1, 0.7, 0.2], abs=0.05)
    assert {point["count"] for point in points} == {1, 2, 3}


@pytest.mark.parametrize(
    "distribution",
    [
        Choice([16, 4, 8.5]),
        Choice(["a", 1, True, "1.0"]),
        Choice(range(3, 30, 9)),
        Weighted(["a", 1, True], [0.2, 0.5, 0.3]),
        Range(1e-3, 7.0, log=True),
    ],
    ids=str,
)
def test_a_value_is_what_its_parameter_stands_for(distribution):
    values = distribution.values or [distribution.low, 0.1234, distribution.high]
    again = [distribution.value_of(distribution.parameter_of(value)) for value in values]
    assert [(type(each), each) for each in again] == [(type(each), each) for each in values]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"value": 3}, Choice([3])),
        ({"values": ["a", 2]}, Choice(["a", 2])),
        ({"min": 1, "max": 4}, Choice(range(1, 5))),
        ({"min": 1.0, "max": 4}, Range(1.0, 4.0)),
        ({"distribution": "uniform", "min": 1, "max": 4}, Range(1.0, 4.0)),
        ({"distribution": "log_uniform_values", "min": 0.1, "max": 4}, Range(0.1, 4.0, log=True)),
        ({"distribution": "q_uniform", "min": 0, "max": 0.3, "q": 0.1}, Choice([0.0, 0.1, 0.2, 0.3])),
        ({"distribution": "q_uniform", "min": 100, "max": 300, "q": 100}, Choice(range(100, 301, 100))),
        ({"values": ["a", "b"], "probabilities": [0.3, 0.7]}, Weighted(["a", "b"], [0.3, 0.7])),
    ],
)
def test_a_distribution_means_what_it_means_to_wandb(written, read):
    assert parse(Path("x.yaml"), content("random", {"seed": written})).parameters["seed"] == read


def test_more_values_of_a_key_are_further_points(sweep):
    sweep().run()
    more = sweep(parameters={**GRID, "pooler.num_queries": {"values": [4, 8, 16]}})
    assert more.run() is True
    assert len(more.rows) == 6
    assert [name for name, _ in sweep.started] == ["pooler.num_queries-16_seed-0", "pooler.num_queries-16_seed-1"]


def test_an_override_replaces_the_files_own(sweep):
    done = sweep(queries, "+budget=smoke", fixed=["+budget=laptop", "pooler.message_size=8"])
    assert done.run() is True
    identity = yaml.safe_load((done.folder / "sweep.yaml").read_text())
    assert identity["overrides"] == ["pooler.message_size=8", "+budget=smoke"]


def test_the_best_comes_first_and_the_seeds_are_averaged():
    rows = [
        Row({"a": 1, "seed": 0}, Path("x"), 5.0),
        Row({"a": 2, "seed": 0}, Path("x"), 1.0),
        Row({"a": 1, "seed": 1}, Path("x"), None, "broken"),
        Row({"a": 2, "seed": 1}, Path("x"), 4.0),
    ]
    assert [row.value for row in rank(rows, maximize=True)] == [5.0, 4.0, 1.0, None]
    assert [row.value for row in rank(rows, maximize=False)] == [1.0, 4.0, 5.0, None]
    first, second = means(rows, maximize=True)
    assert (first.point, first.mean, first.runs) == ({"a": 1}, 5.0, 1)
    assert (second.point, second.mean, second.runs) == ({"a": 2}, 2.5, 2)
    assert second.sem == pytest.approx(1.5, rel=1e-12)


def test_the_metric_is_the_last_that_was_logged(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,a,b\n0,1.0,nan\n1,2.0,nan\n2,,\n")
    assert last_value(tmp_path, "a") == 2.0
    assert last_value(tmp_path, "b") == "b is nan"
    assert last_value(tmp_path / "none", "a").startswith("the run wrote no metrics.csv")


def test_every_point_has_a_folder_of_its_own_that_hydra_takes_unquoted():
    names = [name_of({"+ablation": value, "seed": 0}) for value in ("no_memory", "a b", "a/b", "a_b", "x" * 300)]
    assert names[0] == "ablation-no_memory_seed-0"
    assert len(set(names)) == len(names)
    assert not set("".join(names)) & set(" /,='\"()[]{}")
    assert max(map(len, names)) < 200


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


def test_a_command_line_runs_what_can_be_run_and_says_what_cannot(command, capsys, tmp_path):
    parameters = {"pooler.num_queries": {"values": [0, 4]}, "pooler.message_size": {"values": [8, 16]}}
    assert command("sweep.yaml", *SMALL, "folder=runs", parameters=parameters) == 0
    printed = capsys.readouterr()
    with (tmp_path / "runs" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["pooler.num_queries"] for row in rows] == ["4", "4", "0", "0"]
    assert float(rows[0][METRIC]) >= float(rows[1][METRIC])
    for row in rows[2:]:
        assert row["failed"].startswith("pooler.num_queries=0, ")
    table = (tmp_path / "runs" / "table.md").read_text()
    assert all(row["failed"] in table for row in rows)
    assert "pooler.num_queries=0, " in printed.out
    assert (tmp_path / "runs" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "runs").glob(".*.unfinished"))
    best = f"pooler.num_queries=4 pooler.message_size={rows[0]['pooler.message_size']}"
    assert f"python -m anx.run {' '.join(SMALL)} {best}" in printed.err
    assert f"weights={rows[0]['folder']}/agent.safetensors" in printed.err
    assert "Traceback" not in printed.err


def test_a_command_line_of_which_nothing_finishes_fails(command):
    parameters = {"pooler.num_queries": {"values": [0]}}
    assert command("sweep.yaml", "logger=csv", parameters=parameters) == 1


def test_a_run_is_in_the_sweeps_group_unless_the_user_has_said_another(sweep, monkeypatch):
    groups = []

    def grouped(config):
        groups.append(os.environ["WANDB_RUN_GROUP"])
        return queries(config)

    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    sweep(grouped, parameters={"seed": {"values": [0]}}).run()
    assert "WANDB_RUN_GROUP" not in os.environ
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    sweep(grouped, parameters={"seed": {"values": [1]}}).run()
    assert groups == ["runs", "mine"]


@pytest.mark.parametrize("text", ["null", "csv", "default"])
def test_loggers_may_be_swept_away(sweep, text):
    assert values(rows_of(sweep(parameters={"logger": {"values": [text]}}))) == [160.0]


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


COMMANDS = {
    "as it is written": (["${env}", "${interpreter}", "-m", "anx.run", "a=1", ARGS], (None, None), ["a=1"]),
    "options of python": (["/usr/bin/env", "python", "-u", "-m", "anx.run", ARGS], (None, None), []),
    "a program": (["${interpreter}", "${program}", ARGS], (None, None), []),
    "overrides after the point": (["python", "-m", "anx.run", "a=1", ARGS, "b=2"], (None, None), ["a=1", "b=2"]),
    "flags": (["python", "-m", "anx.run", "-cd", "c", "--config-name=n", "a=1", ARGS], ("c", "n"), ["a=1"]),
    "a deletion": (["python", "-m", "anx.run", "~callbacks.pictures", ARGS], (None, None), ["~callbacks.pictures"]),
    "an interpolation": (["python", "-m", "anx.run", "a=${seed}", ARGS], (None, None), ["a=${seed}"]),
    "the environment": (["python", "-m", "anx.run", "a=${envvar:ANX_A}", ARGS], (None, None), ["a=b"]),
}


@pytest.mark.parametrize(("command", "flags", "overrides"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_means_what_it_means_to_wandb(command, flags, overrides, monkeypatch):
    monkeypatch.setenv("ANX_A", "b")
    assert read_command(command, "anx/run.py", ["seed"]) == (flags, overrides)


REFUSED_COMMANDS = {
    "no list": ("python -m anx.run", ["command=", "anx.run"]),
    "flags that Hydra has not": (["python", "-m", "anx.run", "${args}"], ["command=", ARGS]),
    "a variable": (["${env}", "A=1", "python", "-m", "anx.run", ARGS], ["A=1", "in front of python -m anx.sweep"]),
    "a variable that is not there": (["python", "-m", "anx.run", "a=${envvar:ANX_NONE}", ARGS], ["ANX_NONE"]),
    "another macro": (["python", "-m", "anx.run", "${args_json}", ARGS], ["${args_json}", ARGS]),
    "a multirun": (["python", "-m", "anx.run", "-m", ARGS], ["-m", "--config-dir"]),
    "flags where Hydra refuses them": (["python", "-m", "anx.run", "a=1", "-cd", "c", ARGS], [ARGS, "then overrides"]),
    "a point that is replaced": (["python", "-m", "anx.run", ARGS, "seed=1"], ["seed=1", "replace what is swept"]),
}


@pytest.mark.parametrize(("command", "says"), REFUSED_COMMANDS.values(), ids=REFUSED_COMMANDS)
def test_a_command_that_anx_sweep_can_not_run_is_refused(command, says):
    with pytest.raises(ConfigError) as refusal:
        read_command(command, None, ["seed"])
    assert all(part in str(refusal.value) for part in says)


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


def test_a_run_that_exits_is_a_row_with_its_reason(sweep):
    def exiting(config):
        raise SystemExit("no licence")

    done = sweep(exiting, count=1)
    assert done.run() is True
    assert [row.reason for row in done.rows.values()] == ["SystemExit: no licence"]


def test_a_run_of_several_processes_is_not_launched(sweep):
    done = sweep(parameters={"trainer.devices": {"values": [2, 1]}})
    done.run()
    two, one = done.rows.values()
    assert two.reason.startswith("trainer.devices times trainer.num_nodes is 2")
    assert one.value == 160.0


def dying(config):
    """A run that takes its process along."""
    if config.pooler.num_queries == 4 and config.seed == 1:
        os._exit(1)
    return queries(config)


@pytest.mark.exhaustive
def test_joblib_runs_several_at_once_and_survives_the_death_of_one(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs an extra: pip install 'anx[launchers]'")
    GlobalHydra.instance().clear()
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content(), sort_keys=False))
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = Sweep(read_sweep_file(tmp_path / "sweep.yaml"), tmp_path / "runs", None, launcher, dying)
    assert done.run() is True
    _, dead, *others = done.rows.values()
    assert dead.reason.startswith("TerminatedWorkerError: ")
    assert [row.value for row in others] == [80.0, 81.0]
    processes = {json.loads((row.folder / "report.json").read_text())["process"] for row in others}
    assert os.getpid() not in processes


def counting(config):
    """A run that leaves how many cores it and its threads take."""
    queries(config)
    (Path(config.run_dir) / "report.json").write_text(json.dumps([count_cores(), torch.get_num_threads()]))
    return {}


@pytest.mark.parametrize(("launcher", "at_once"), [("basic", 1), ("joblib", 2), ("joblib", -1)])
def test_the_runs_of_a_sweep_share_the_cores(tmp_path, monkeypatch, launcher, at_once):
    if launcher == "joblib":
        pytest.importorskip(
            "hydra_plugins.hydra_joblib_launcher", reason="needs an extra: pip install 'anx[launchers]'"
        )
    GlobalHydra.instance().clear()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    overrides = [f"hydra/launcher={launcher}", *([f"hydra.launcher.n_jobs={at_once}"] if launcher == "joblib" else [])]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content(parameters={"seed": {"values": [0]}})))
    rows = rows_of(Sweep(read_sweep_file(tmp_path / "sweep.yaml"), tmp_path / "runs", None, overrides, counting))
    cores, threads = json.loads((rows["seed-0"].folder / "report.json").read_text())
    share = max(1, count_cores() // (count_cores() if at_once == -1 else at_once))
    assert cores == share
    if launcher == "joblib":  # else this process' torch has its threads already
        assert threads <= share


@pytest.mark.parametrize(
    ("launcher", "width"), [({"n_jobs": -1}, 0), ({"n_jobs": 3}, 3), ({"array_parallelism": 5}, 5)]
)
def test_a_sweep_is_as_wide_as_its_launcher(launcher, width):
    assert width_of(OmegaConf.create(launcher)) == (width or count_cores())


FILES = {
    "an unknown method": ({"method": "gird"}, ["method=gird", "grid, random, bayes"]),
    "an unknown key": ({"metod": "grid"}, ["metod=grid", "method"]),
    "no metric": ({"metric": None}, ["metric=None", "name, goal"]),
    "an unknown goal": ({"metric": {"name": "a", "goal": "best"}}, ["metric.goal=best", "maximize, minimize"]),
    "no parameters": ({"parameters": {}}, ["parameters={}"]),
    "nested parameters": ({"parameters": {"pooler": {"parameters": {}}}}, ["parameters.pooler.parameters", "dots"]),
    "an unknown distribution": (
        {"parameters": {"seed": {"distribution": "normal", "min": 0, "max": 1}}},
        ["parameters.seed.distribution=normal", "log_uniform_values"],
    ),
    "a range without an end": ({"parameters": {"seed": {"min": 0}}}, ["parameters.seed", "int_uniform takes min, max"]),
    "an empty range": ({"parameters": {"seed": {"min": 2, "max": 1}}}, ["parameters.seed.min=2", "less than"]),
    "a text for a number": (
        {"parameters": {"seed": {"distribution": "uniform", "min": "1e-3", "max": 1}}},
        ["parameters.seed.min=1e-3", "1.0e-3"],
    ),
    "a logarithm of nothing": (
        {"parameters": {"seed": {"distribution": "log_uniform_values", "min": 0, "max": 1}}, "method": "random"},
        ["parameters.seed.min=0", "greater than 0"],
    ),
    "a grid without end": (
        {"parameters": {"seed": {"min": 0.0, "max": 1.0}}},
        ["parameters.seed.distribution=uniform", "method=grid"],
    ),
    "a value that does not survive": ({"parameters": {"seed": {"values": [None]}}}, ["parameters.seed.values=None"]),
    "a text with commas": ({"parameters": {"neuron": {"values": ["a,b"]}}}, ["parameters.neuron.values=a,b"]),
    "a list": ({"parameters": {"policy.hidden_sizes": {"values": [[32]]}}}, ["values=[32]", '"[32,32]"']),
    "a text that Hydra does not take": ({"parameters": {"name": {"values": ["a=b"]}}}, ["name.values=a=b", "quote it"]),
    "a run folder": ({"fixed": ["ckpt_path=x"]}, ["ckpt_path=x", "set by the sweep"]),
    "a value twice": ({"parameters": {"seed": {"values": [1, 1]}}}, ["parameters.seed.values=[1, 1]", "twice"]),
    "probabilities that do not sum to 1": (
        {"parameters": {"seed": {"values": [1, 2], "probabilities": [0.5, 0.6]}}, "method": "random"},
        ["parameters.seed.probabilities=[0.5, 0.6]", "2 numbers that sum to 1"],
    ),
    "a number of runs that is none": ({"run_cap": 0}, ["run_cap=0", "at least 1"]),
    "another program": ({"command": ["python", "train.py", "${args}"]}, ["command=", "anx.run", "args_no_hyphens"]),
}
LINES = {
    "no file": ([], {}, ["the sweep file must come first"]),
    "a file that is not there": (["none.yaml"], {}, ["none.yaml", "No such file"]),
    "a count that is none": (["sweep.yaml", "count=0"], {}, ["count=0", "at least 1"]),
    "a search without a number of runs": (["sweep.yaml"], {"method": "random"}, ["method=random", "count=N"]),
    "a key that is swept": (["sweep.yaml", "seed=3"], {}, ["seed=3", "swept by sweep.yaml"]),
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


@pytest.mark.parametrize(("changes", "says"), FILES.values(), ids=FILES)
def test_a_sweep_file_is_refused(refused, changes, says):
    line = refused("sweep.yaml", **changes)
    for part in ["sweep.yaml", *says]:
        assert part in line


@pytest.mark.parametrize(("arguments", "changes", "says"), LINES.values(), ids=LINES)
def test_a_command_line_is_refused(refused, arguments, changes, says):
    line = refused(*arguments, **changes)
    for part in says:
        assert part in line


def test_the_folder_of_another_sweep_is_refused(command, refused, capsys):
    parameters = {"neuron": {"values": ["gru"]}}
    command("sweep.yaml", "folder=runs", "+budget=smoke", parameters=parameters)
    capsys.readouterr()
    line = refused("sweep.yaml", "folder=runs", "+budget=laptop", parameters=parameters)
    assert "folder=runs holds a sweep with overrides=['+budget=smoke']" in line
    line = refused("sweep.yaml", "folder=runs", "+budget=smoke", parameters=GRID)
    assert "keys=['neuron']" in line


def test_help_shows_what_to_type(command, capsys):
    assert command("--help") == 0
    assert (
        "python -m anx.sweep FILE [folder=PATH] [count=N] [--config-dir PATH] [OVERRIDE ...]" in capsys.readouterr().out
    )
