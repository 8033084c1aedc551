"""A sweep file beside a user's code sweeps over the user's own experiments, ablations and parts."""

import csv
import sys

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from anx.sweep.__main__ import main

METRIC = "validation/shuffled_mean"
SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "trainer.max_steps=2"]
SMALL += ["report.figures=false", "report.film=false"]
FILES = {
    "mine/__init__.py": "",
    "mine/neurons.py": '''
from anx.agent.neuron import LSTMNeuron


class Doubled(LSTMNeuron):
    """Has twice the cells that it is told."""

    def __init__(self, *arguments, hidden_size, **more):
        super().__init__(*arguments, hidden_size=2 * hidden_size, **more)
''',
    "configs/neuron/doubled.yaml": "_target_: mine.neurons.Doubled\nhidden_size: 3\n",
    "configs/experiment/balance.yaml": """\
# @package _global_
# Cart-pole by one's own neuron.
defaults:
  - override /neuron: doubled
name: balance
""",
    "configs/ablation/single.yaml": """\
# @package _global_
# One cell for each.
neuron: {hidden_size: 1}
ablations:
  single: {changes: [neuron.hidden_size], needs: {neuron: mine.neurons.Doubled}}
""",
    "configs/length/1.yaml": "# @package _global_\nenv: {max_steps: 10}\n",
    "configs/length/2.yaml": "# @package _global_\nenv: {max_steps: 20}\n",
}


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a sweep file's command line beside a user's code; returns its exit code and what it printed."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def run(parameters, *arguments, fixed=("+experiment=balance",)):
        content = {
            "method": "grid",
            "metric": {"name": METRIC, "goal": "maximize"},
            "parameters": {key: {"values": values} for key, values in parameters.items()},
            "command": ["${env}", "${interpreter}", "-m", "anx.run", *fixed, "${args_no_hyphens}"],
        }
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        monkeypatch.setattr(sys, "argv", ["anx", "sweep.yaml", "folder=out", *SMALL, *arguments])
        GlobalHydra.instance().clear()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr()

    yield run
    for name in [each for each in sys.modules if each.split(".")[0] == "mine"]:
        del sys.modules[name]


def rows(folder):
    with (folder / "out" / "table.csv").open() as file:
        return {row["+ablation"]: row for row in csv.DictReader(file)}


def test_ones_own_experiment_ablation_and_neuron_are_swept_over_and_found_in_configs(command, tmp_path):
    code, printed = command({"+ablation": ["none", "single"]})
    assert code == 0, printed.err
    found = rows(tmp_path)
    assert set(found) == {"none", "single"}
    for name, cells in (("none", 3), ("single", 1)):
        config = OmegaConf.load(tmp_path / "out" / f"ablation-{name}" / "config.yaml")
        assert config.name == "balance"
        assert config.neuron == {"_target_": "mine.neurons.Doubled", "hidden_size": cells}
        with (tmp_path / "out" / f"ablation-{name}" / "metrics.csv").open() as file:
            logged = [row[METRIC] for row in csv.DictReader(file) if row[METRIC]]
        assert float(found[name][METRIC]) == float(logged[-1])
    assert "python -m anx.run --config-dir=configs +experiment=balance " in printed.err
    assert "trust=[mine]" in printed.err, "the best run's agent names a component of the user's"


def test_the_folder_may_be_named_in_the_file_or_on_the_command_line(command, tmp_path):
    (tmp_path / "configs").rename(tmp_path / "conf")
    missing, printed = command({"seed": [0]})
    assert missing == 2
    assert "experiment=balance is unknown; allowed: ant, ant_mujoco, car_racing, cartpole, pong" in printed.err
    refused = "+trainer.accumulate_grad_batches=2"  # once the run is composed
    parts = ["+experiment=balance", refused]
    for number, flags in enumerate((["--config-dir=conf"], ["-cd", "conf"])):
        in_file, given = (flags, []) if number else ([], flags)
        _, printed = command({"seed": [0]}, f"folder=out-{number}", *given, fixed=[*in_file, *parts])
        assert "failed: seed-0: trainer.accumulate_grad_batches=2 must be 1" in printed.err


def test_what_is_unknown_is_refused_with_ones_own_names_among_those_allowed(command):
    code, printed = command({"seed": [0]}, fixed=["+experiment=balanse"])
    assert code == 2
    assert printed.err.startswith(
        "error: experiment=balanse is unknown; allowed: ant, ant_mujoco, balance, car_racing, "
    )
    code, printed = command({"+ablation": ["singel"]})
    assert code == 1
    assert "failed: ablation-singel: ablation=singel is unknown; allowed: attention_agent, fnn, " in printed.err
    assert "raw_values, single, softmax_scalars" in printed.err


def test_names_in_a_group_of_ones_own_may_be_numbers(command, tmp_path):
    arguments = ["trainer.max_steps=0"]  # which is refused once the run is composed
    _, printed = command({"+length": [1, 3]}, *arguments)
    assert "failed: length-1: trainer.max_steps=0 " in printed.err
    assert "failed: length-3: length=3 is unknown; allowed: 1, 2" in printed.err


def test_a_file_with_a_name_of_anxs_own_is_refused_where_it_is_chosen(command, tmp_path):
    (tmp_path / "configs" / "neuron" / "lstm.yaml").write_text("_target_: mine.neurons.Doubled\nhidden_size: 3\n")
    code, printed = command({"neuron": ["lstm"]})
    assert code == 1
    assert "failed: neuron-lstm: neuron=lstm is one of anx's own and " in printed.err
    code, printed = command({"seed": [0]}, fixed=["neuron=lstm"])
    assert code == 2
    assert printed.err.startswith("error: neuron=lstm is one of anx's own and ")
