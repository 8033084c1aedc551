"""What the README shows, works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import compose

import anx.heatmap.command as heatmap
from anx.commands.reproduce import OTHERS, chosen_tables
from anx.experiment.build import build_rollout
from anx.experiment.config.check import check
from anx.experiment.teaching import build_stage
from anx.sweep.__main__ import read_arguments

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = ("cloning", "demo", "export")
SHOWN = "".join([README, *((ROOT / "docs" / f"{name}.md").read_text() for name in DOCS)]).replace("\\\n", "")
COMMANDS = re.findall(r"^python -m anx\.(run|evaluate|export|reproduce|record|demo) (.*)$", SHOWN, re.MULTILINE)
NOT_OVERRIDES = ("-m", "--help")


@pytest.mark.parametrize(("program", "arguments"), COMMANDS, ids=lambda part: part)
def test_every_command_composes(program, arguments):
    overrides = [part for part in shlex.split(arguments, comments=True) if part not in NOT_OVERRIDES]
    if arguments.startswith("-m "):  # a multirun: its first job
        overrides = [part.split(",")[0] for part in overrides]
    overrides = [part for part in overrides if not part.startswith(("neuron._target_=my_neuron", "hydra."))]
    name = {"run": "config"}.get(program, program)
    if program == "reproduce" and overrides and overrides[0] in OTHERS:
        name = overrides.pop(0)
    config = compose(*overrides, config_name=name)
    if name in OTHERS:
        assert config.inputs
        return
    if program == "reproduce":
        assert set(chosen_tables(config)) <= set(config.definitions)
        return
    if program == "run":
        check(config)
    if program != "record" or config.teacher.get("weights") is None:  # that needs a file
        build_stage(config) if program == "record" else build_rollout(config)[1].close()


@pytest.mark.parametrize("arguments", re.findall(r"^python -m anx\.heatmap (.*)$", SHOWN, re.MULTILINE))
def test_every_heat_map_composes(arguments):
    asked = heatmap.read_arguments(shlex.split(arguments))
    check(compose(*asked.overrides, f"perturbations.occlude.ratio={asked.train[-1]}"))


@pytest.mark.parametrize("arguments", re.findall(r"^python -m anx\.sweep (.*)$", README, re.MULTILINE))
def test_every_sweep_is_read(monkeypatch, arguments):
    monkeypatch.chdir(ROOT)
    sweep = read_arguments(shlex.split(arguments, comments=True))
    assert sweep.file.method in ("grid", "random", "bayes")


def test_the_commands_are_found():
    assert len(COMMANDS) > 8


def test_the_pictures_and_files_it_links_to_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def code_with(text: str) -> str:
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if text in each]
    return code


def test_the_lines_of_python_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shorter = {"episodes=100": "episodes=3", '"+budget=smoke"': '"+budget=smoke", "env.max_steps=20"'}
    code = code_with("import anx")
    for shown, short in shorter.items():
        assert shown in code
        code = code.replace(shown, short)
    exec(code, {})
    shape, shuffled, trained = capsys.readouterr().out.splitlines()
    assert shape == "torch.Size([5, 16])"
    assert float(shuffled) > 0
    assert Path(trained.split()[1]).relative_to(tmp_path).parts[:2] == ("runs", "cartpole")


def test_the_neuron_of_ones_own_trains(tmp_path):
    code = code_with("class AverageNeuron")
    (tmp_path / "my_neuron.py").write_text(code)
    target = "neuron._target_=my_neuron.AverageNeuron"
    assert target in README
    short = ["+budget=smoke", "env.max_steps=20", "logger=csv", "report=null", f"hydra.run.dir={tmp_path}"]
    command = ["-m", "anx.run", target, *short]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "agent.safetensors").is_file()
    assert "agent.safetensors 'trust=[my_neuron]'" in done.stderr  # whoever evaluates it has to say so
