"""A folder of configs of one's own is asked as ours is."""

import contextlib
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx.commands.run


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
