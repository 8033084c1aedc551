"""What is printed to be copied is read, by the shell and by Hydra, as what was meant."""

import shlex

import pytest
from conftest import compose
from hydra.core.hydra_config import HydraConfig

from anx.experiment.config.command_line import command_line, evaluation_of, given_arguments, override, quote, without
from anx.experiment.config.program import run_main

TEXTS = ["runs/a/b.ckpt", "a b", "a=b", "it's", 'say "a"', "a\\b", "a\\", "a\\'b", "${name}", "~/x", "é", "a,b", "[x]"]
TEXTS += ["", " a ", "123", "1e3", "null", "true", "a#b", "{z}", "(y)", "a;b"]


def test_texts_survive_the_shell_and_hydra():
    line = shlex.join(override(f"+text_{i}", text) for i, text in enumerate(TEXTS))
    quoted = [f"+quoted_{i}={quote(text)}" for i, text in enumerate(TEXTS)]
    config = compose(*shlex.split(line), *quoted)
    for i, text in enumerate(TEXTS):
        assert config[f"text_{i}"] == config[f"quoted_{i}"] == text


def test_a_path_that_needs_no_quotes_has_none():
    assert evaluation_of("runs/a/agent.safetensors") == (
        "python -m anx.evaluate weights=runs/a/agent.safetensors 'perturbations=[shuffle]'"
    )


def test_a_printed_command_is_one_line_of_a_shell():
    line = command_line("anx.run", override("hydra.run.dir", "my runs/a=b"))
    assert shlex.split(line) == ["python", "-m", "anx.run", 'hydra.run.dir="my runs/a=b"']


def test_arguments_are_left_out_by_key_whatever_their_prefix_and_with_what_is_below_them():
    arguments = ["+budget=smoke", "ckpt_path=a.ckpt", "++hydra.run.dir=b", "~logger", "hydra.sweep.dir=c", "seed=3"]
    assert without(arguments, "ckpt_path", "hydra.run.dir", "hydra.sweep") == ["+budget=smoke", "~logger", "seed=3"]
    assert without(["loggers=1", "logger=csv"], "logger") == ["loggers=1"]


@pytest.fixture
def given(monkeypatch, tmp_path):
    """What the runs of a command line were given."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["anx", *arguments])
        monkeypatch.chdir(tmp_path)
        found = []
        run_main(lambda config: found.append(given_arguments()), "config")
        return found

    (tmp_path / "conf" / "ablation").mkdir(parents=True)
    (tmp_path / "conf" / "ablation" / "wide.yaml").write_text("# @package _global_\npooler: {num_queries: 32}\n")
    return run


def test_what_was_given_is_known_with_the_options_of_hydra(given, tmp_path):
    own = ["+ablation=wide", "name='a b'"]
    folder = f"hydra.run.dir={tmp_path / 'run'}"
    (found,) = given("--config-dir", "conf", folder, *own)
    assert found == [f"--config-dir={tmp_path / 'conf'}", *own, folder]
    assert given(*found) == [found]


def test_what_was_given_is_known_as_it_was_written_and_not_as_it_was_meant(given, tmp_path):
    own = ["+text=${seed}", f"hydra.run.dir={tmp_path / 'run'}"]
    assert given(*own) == [own]


def test_a_run_of_a_multirun_was_given_its_own_point(given, tmp_path):
    folder = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    found = given("-m", "--config-dir", "conf", "seed=1,2", folder, "hydra.verbose=true")
    assert found == [[f"--config-dir={tmp_path / 'conf'}", f"seed={seed}", "hydra.verbose=true"] for seed in (1, 2)]


def test_a_run_from_python_has_no_command_line(monkeypatch):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    assert given_arguments() is None
