"""What a sweep file says, and what it cannot say."""

from pathlib import Path

import pytest
from sweeping import content

from anx.errors import ConfigError
from anx.sweep.command import read_command
from anx.sweep.distribution import Choice, Range, Weighted
from anx.sweep.file import parse

pytest_plugins = ["sweep_fixtures"]


ARGS = "${args_no_hyphens}"


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


@pytest.mark.parametrize(("changes", "says"), FILES.values(), ids=FILES)
def test_a_sweep_file_is_refused(refused, changes, says):
    line = refused("sweep.yaml", **changes)
    for part in ["sweep.yaml", *says]:
        assert part in line
