"""A folder of configs of one's own is asked as ours is."""

import contextlib
import json
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx
import anx.commands.evaluate
import anx.commands.run
from anx.experiment.config.own_configs import config_folder, own_config_dir


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs a command line of anx.run with a folder that has an ablation `wide`; returns what it printed."""
    (tmp_path / "ablation").mkdir()
    text = "# @package _global_\n# A wide neuron.\nneuron: {hidden_size: 16}\n"
    (tmp_path / "ablation" / "wide.yaml").write_text(text)
    (tmp_path / "ablation" / "bare.yaml").write_text("neuron: {hidden_size: 16}\n")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anx", "--config-dir", str(tmp_path), *arguments])
        GlobalHydra.instance().clear()
        with contextlib.suppress(SystemExit):
            anx.commands.run.main()
        return capsys.readouterr()

    return run


def test_own_ablations_are_among_those_allowed(command):
    line = command("+ablation=wid").err
    assert line.startswith("error: ablation=wid is unknown; allowed: attention_agent, bare, fnn, ")
    assert line.endswith(", train_shuffled, wide\n")


def test_own_ablations_are_in_the_help_with_what_their_files_begin_with(command):
    lines = command("--help").out.splitlines()
    assert "wide                A wide neuron." in lines
    assert "bare" in lines
    assert any(line.startswith("fnn                 The baseline without AttentionNeuron") for line in lines)


NEURON = """
import torch


class Average(torch.nn.Module):
    def __init__(self, features, action_size, hidden_size=8):
        super().__init__()
        self.key_size, self.value_size = hidden_size, features
        self.layer = torch.nn.Linear(2 * features + action_size, hidden_size)

    def initial_state(self, num_inputs):
        return (self.layer.weight.new_zeros(num_inputs, self.value_size),)

    def forward(self, inputs, previous_action, state):
        average = 0.9 * state[0] + 0.1 * inputs
        seen = torch.cat([inputs, average, previous_action.expand(len(inputs), -1)], dim=-1)
        return self.layer(seen).tanh(), inputs, (average,)
"""

FILES = {
    "own_neurons.py": NEURON,
    "configs/neuron/average.yaml": "# A running average.\n_target_: own_neurons.Average\nhidden_size: 8\n",
    "configs/experiment/mine.yaml": "# @package _global_\n# Cart-poles that average.\ndefaults:\n"
    "  - override /neuron: average\nname: mine\nenv: {max_steps: 20}\n",
    "configs/ablation/narrow.yaml": "# @package _global_\n# Narrow neurons.\nneuron: {hidden_size: 2}\n"
    "ablations:\n  narrow: {changes: [neuron.hidden_size]}\n",
    "configs/budget/moment.yaml": "# @package _global_\n# A moment.\nsize: moment\nbudgets: {moment: {popsize: 4, "
    "rollouts: 1, generations: 2, step_size: csa, validate_every: 2, validation_episodes: 2, test_episodes: 2}}\n",
    "configs/tiles/small.yaml": "# A group of one's own.\nside: 3\n",
}


@pytest.fixture
def beside(tmp_path, monkeypatch, capsys):
    """Runs a program's command line beside a package with configs of its own; returns exit code, output, errors."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_neurons", raising=False)

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


QUICK = ["+budget=moment", "logger=csv", "report=null", "callbacks.pictures=null", "hydra.run.dir=run"]


def test_an_experiment_of_ones_own_with_its_own_ablation_and_neuron_is_trained_and_evaluated(beside):
    code, _, errors = beside(anx.commands.run.main, "+experiment=mine", "+ablation=narrow", *QUICK)
    assert code == 0, errors
    config = Path("run/config.yaml").read_text()
    assert "own_neurons.Average" in config
    assert "hidden_size: 2" in config
    assert (
        f"--config-dir={Path('configs').absolute()}" in json.loads(Path("run/identity.json").read_text())[-1]["command"]
    )

    weights = ["weights=run/agent.safetensors", "episodes=2", "output=result.json"]
    code, _, errors = beside(anx.commands.evaluate.main, *weights)
    assert code == 2
    assert "neuron._target_=own_neurons.Average is none of anx's components" in errors
    code, _, errors = beside(anx.commands.evaluate.main, *weights, "trust=[own_neurons]")
    assert code == 0, errors
    code, _, errors = beside(anx.commands.evaluate.main, "+experiment=mine", "+ablation=narrow", *weights)
    assert code == 0, errors  # the experiment is the user's own, and may name anything
    returns = json.loads(Path("result.json").read_text())["returns"]
    from_python = anx.evaluate("run/agent.safetensors", episodes=2, perturbations=(), trust=["own_neurons"])
    assert from_python.returns.tolist() == returns


def test_from_python_it_is_composed_and_built_as_on_the_command_line(beside):
    config = anx.compose("+experiment=mine", "+ablation=narrow", "+tiles=small")
    assert (config.name, config.neuron.hidden_size, config.tiles.side) == ("mine", 2, 3)
    assert type(anx.make(config).agent.module.neuron).__name__ == "Average"
    with pytest.raises(anx.ConfigError, match=r"^experiment=mine is unknown"):
        anx.compose("+experiment=mine", config_dir="configs/tiles")


def test_experiments_and_budgets_of_ones_own_are_in_the_help_and_among_those_allowed(beside):
    lines = beside(anx.commands.run.main, "--help")[1].splitlines()
    for line in ("mine                Cart-poles that average.", "moment              A moment."):
        assert line in lines
    assert any(line.startswith("cartpole            Cart-pole swing-up") for line in lines)
    assert (
        "mine                Cart-poles that average."
        in beside(anx.commands.evaluate.main, "weights=x.npz", "--help")[1]
    )
    assert ", cartpole, mine, pong\n" in beside(anx.commands.run.main, "+experiment=mime")[2]


def test_a_group_of_ones_own_is_known_as_one(beside):
    errors = beside(anx.commands.run.main, "+tiles=3")[2]
    assert errors == "error: tiles=3 is unknown; allowed: small\n"


@pytest.mark.parametrize("chosen", ["+experiment=cartpole", "+experiment=[cartpole]"])
def test_a_file_with_the_name_of_one_of_anxs_is_refused_where_it_is_chosen(beside, chosen):
    Path("configs/experiment/cartpole.yaml").write_text("# @package _global_\nname: other\n")
    code, _, errors = beside(anx.commands.run.main, chosen, *QUICK)
    assert code == 2
    assert errors.startswith("error: experiment=cartpole is one of anx's own and ")
    assert "configs/experiment/cartpole.yaml, too; give that file another name" in errors
    with pytest.raises(anx.ConfigError, match="experiment=cartpole is one of anx's own and"):
        anx.compose(chosen)
    assert anx.compose("+experiment=mine").name == "mine"


def test_a_folder_that_is_said_is_the_one(beside):
    assert own_config_dir(["+experiment=mine"]) == ["--config-dir=configs"]
    for said in (
        ["--config-dir", "conf"],
        ["--config-dir=conf"],
        ["-cd", "conf"],
        ["-cp", "conf"],
        ["seed=1", "-cd=x"],
    ):
        assert own_config_dir(said) == []
    assert own_config_dir(["-c", "job"]) == ["--config-dir=configs"]
    errors = beside(anx.commands.run.main, "--config-dir=configs/tiles", "+experiment=mine")[2]
    assert errors.startswith("error: experiment=mine is unknown")


def test_anxs_own_folder_is_not_the_users(monkeypatch, tmp_path):
    monkeypatch.chdir(Path(config_folder()).parent)
    assert own_config_dir([]) == []
    monkeypatch.chdir(tmp_path)
    assert own_config_dir([]) == []
