"""A solver of one's own is one file and its configuration: the example in `anx.solvers.base`, as it is printed."""

import importlib
import sys
import textwrap

import pytest
import torch

import anx.solvers.base
from anx.experiment.files.weights import read_weights

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]


def examples():
    """The indented blocks of the docstring: code and configuration."""
    blocks, lines = [], []
    for line in [*anx.solvers.base.__doc__.splitlines(), "end"]:
        if line.startswith("    ") or (lines and not line):
            lines.append(line)
        elif lines:
            blocks.append(textwrap.dedent("\n".join(lines)).strip() + "\n")
            lines = []
    return blocks


@pytest.fixture
def mine(tmp_path, monkeypatch, run_command):
    """Runs anx.run in the folder of a solver of one's own; returns its exit code."""
    code, configuration = examples()
    (tmp_path / "configs" / "optimizer").mkdir(parents=True)
    (tmp_path / "my_solver.py").write_text(code)
    (tmp_path / "configs" / "optimizer" / "mine.yaml").write_text(configuration)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_solver", raising=False)
    importlib.invalidate_caches()

    def run(*arguments, folder):
        own = ["--config-dir", "configs", "optimizer=mine", *SMALL]
        return run_command(*own, *arguments, f"hydra.run.dir={tmp_path / folder}")

    return run


def weights(folder):
    return read_weights(folder / "agent.safetensors").state


def test_it_trains_and_a_resumed_run_is_the_uninterrupted_one(mine, tmp_path):
    assert mine("trainer.max_steps=4", folder="straight") == 0
    assert mine("trainer.max_steps=2", folder="halves") == 0
    assert mine("trainer.max_steps=4", "ckpt_path=halves/checkpoints/last.ckpt", folder="halves") == 0
    straight, halves = weights(tmp_path / "straight"), weights(tmp_path / "halves")
    assert any(value.any() for value in straight.values())
    for name, value in straight.items():
        assert torch.equal(value, halves[name]), name


def test_its_arguments_are_keys_and_what_it_refuses_is_said_in_one_line(mine, capsys):
    assert mine("optimizer.sigma0=wide", folder="run") == 2
    assert "optimizer.sigma0=wide must be a number" in capsys.readouterr().err
    assert mine("+optimizer.lr=1", folder="run") == 2
    assert "optimizer.lr=1 is no argument of Mine; allowed: popsize, sigma0, seed" in capsys.readouterr().err


def test_another_search_does_not_go_on_from_its_checkpoint(mine, capsys):
    assert mine("trainer.max_steps=1", folder="run") == 0
    assert mine("ckpt_path=run/checkpoints/last.ckpt", "optimizer.sigma0=0.2", folder="run") == 2
    assert "optimizer.sigma0=0.2, but ckpt_path was trained with optimizer.sigma0=0.1" in capsys.readouterr().err
    assert mine("ckpt_path=run/checkpoints/last.ckpt", "optimizer=cmaes", folder="run") == 2
    assert "ckpt_path was trained with optimizer._target_=my_solver.Mine" in capsys.readouterr().err


def test_candidates_of_another_shape_are_refused_in_one_line(mine, tmp_path, capsys):
    file = tmp_path / "my_solver.py"
    file.write_text(file.read_text().replace("(self.popsize, len(self.mean))", "(len(self.mean), self.popsize)"))
    file.write_text(file.read_text().replace("return self.mean + ", "return "))
    assert mine("trainer.max_steps=1", folder="run") == 2
    said = "ask() of the solver Mine has the shape (433, 8); it must be (8, 433)"
    assert said in capsys.readouterr().err
