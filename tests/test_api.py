"""anx from Python does what the command lines do."""

import json
import os
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from conftest import compose as compose_in_tests
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx
import anx.commands.evaluate
from anx.experiment.config.own_configs import config_folder

ROOT = Path(__file__).parents[1]
SHIPPED = "anx:cartpole"
SHORT = "env.max_steps=60"
SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "report=null", "callbacks.pictures=null"]


def run_python(code, folder):
    """What a fresh process prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_anx_imports_nothing_heavy_and_offers_all_of_it(tmp_path):
    printed = run_python(
        """
        import sys
        import anx
        print(sorted({"torch", "hydra", "gymnasium", "lightning", "numpy", "omegaconf"} & set(sys.modules)))
        print(sorted(set(anx.__all__) - set(dir(anx))))
        print(anx.ConfigError.__name__, "torch" in sys.modules)
        """,
        tmp_path,
    )
    assert printed.splitlines() == ["[]", "[]", "ConfigError False"]
    for name in anx.__all__:
        assert getattr(anx, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'levitate'"):
        anx.levitate  # noqa: B018


def test_evaluate_is_the_function_also_where_its_module_is_imported(tmp_path):
    printed = run_python(
        """
        import anx.evaluate
        from anx import evaluate
        import importlib
        print(callable(anx.evaluate), anx.evaluate is evaluate, importlib.import_module("anx.evaluate") is evaluate)
        """,
        tmp_path,
    )
    assert printed == "True True True\n"


def test_evaluate_is_a_program_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["anx", f"weights={SHIPPED}", SHORT, "episodes=3", "output=a.json"])
    runpy.run_module("anx.evaluate", run_name="__main__")  # as python -m does
    returns = anx.evaluate(SHIPPED, SHORT, episodes=3, perturbations=()).returns.tolist()
    assert json.loads((tmp_path / "a.json").read_text())["returns"] == returns


def test_what_is_composed_is_what_the_command_line_composes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = ["+experiment=ant", "+ablation=[no_memory]", "logger=null", "seed=3"]
    ours, theirs = anx.compose(*overrides), compose_in_tests(*overrides)
    for config in (ours, theirs):
        del config.run_dir, config.report
    assert OmegaConf.to_container(ours, resolve=False) == OmegaConf.to_container(theirs, resolve=False)


def test_composing_inside_a_program_of_hydras_leaves_it_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hydra.initialize_config_dir(config_folder(), version_base="1.3"):
        around = GlobalHydra.instance().hydra
        assert anx.compose("pooler.num_queries=4").pooler.num_queries == 4
        assert GlobalHydra.instance().hydra is around
        assert hydra.compose("config").pooler.num_queries == 16
    assert not GlobalHydra.instance().is_initialized()


def test_the_run_folder_has_the_usual_name_or_the_one_that_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(anx.compose("name=mine").run_dir).parent == Path("runs/mine")
    assert anx.compose("run_dir=here").run_dir == "here"
    assert anx.compose("hydra.run.dir=there").run_dir == "there"


REFUSED = {
    "an unknown part": (["neuron=gru"], r"^neuron=gru is unknown; allowed: .*lstm"),
    "an unknown key": (["pooler.nun_queries=4"], "nun_queries"),
    "what is no override": (["seed"], "^seed is no override"),
}


@pytest.mark.parametrize(("overrides", "says"), REFUSED.values(), ids=REFUSED)
def test_what_a_user_can_mend_is_one_line(overrides, says):
    with pytest.raises(anx.ConfigError, match=says) as refused:
        anx.compose(*overrides)
    assert "\n" not in str(refused.value)


def test_a_value_of_the_wrong_kind_is_refused_before_anything_is_built_or_run(tmp_path):
    config = anx.compose("pooler.num_queries=many", f"run_dir={tmp_path / 'run'}")
    for use in (anx.make, anx.train):
        with pytest.raises(anx.ConfigError, match=r"^pooler.num_queries=many must be an integer$"):
            use(config)


def test_what_is_made_plays_whole_populations():
    agent, rollout, config = anx.make(anx.compose(*SMALL))
    size = sum(each.numel() for each in agent.module.parameters())
    achieved = rollout(torch.zeros(3, size), episodes=2, seed=0)
    assert achieved.returns.shape == (3, 2)
    assert config.env.max_steps == 20
    assert all(not each.any() for each in agent.module.parameters())  # where the search starts


def test_what_is_made_has_the_weights_that_the_configuration_names():
    made = anx.make(anx.compose(f"weights={SHIPPED}", SHORT)).agent
    loaded = anx.load(SHIPPED, SHORT)
    ours, theirs = (anx.evaluate(each, episodes=2).returns for each in (made, loaded))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)  # in two layouts of its weights


def test_a_flat_vector_is_loaded_with_its_experiment(tmp_path):
    np.savez(tmp_path / "flat.npz", params=np.zeros(2504, np.float32))
    assert anx.load(tmp_path / "flat.npz", "+experiment=ant").config.name == "ant"
    with pytest.raises(anx.ConfigError, match="has 2504 parameters, this agent has 433"):
        anx.load(tmp_path / "flat.npz")


def test_what_one_file_says_is_not_left_for_what_is_composed_next():
    def known():
        with pytest.raises(anx.ConfigError, match="allowed: ") as refused:
            anx.compose("policy=gru")
        return str(refused.value)

    before = known()
    anx.load(SHIPPED)
    assert known() == before


def test_a_training_leaves_a_folder_of_its_own_and_an_agent_that_loads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = anx.compose(*SMALL)
    first, second = anx.train(config), anx.train(config)
    assert first.folder.parent == second.folder.parent == tmp_path / "runs" / "cartpole"
    assert first.folder != second.folder
    assert first.report == second.report == json.loads((first.folder / "report.json").read_text())
    assert first.report["plain"]["episodes"] == 16
    given = anx.train(config, tmp_path / "given")
    assert given.folder == tmp_path / "given"
    assert given.agent.read_bytes() == first.agent.read_bytes()
    assert anx.evaluate(given.agent, episodes=2, perturbations=()).steps.max() <= 20
    assert json.loads((first.folder / "identity.json").read_text())[-1]["command"] is None


def test_a_training_in_a_program_of_hydras_is_none_of_that_programs(tmp_path, monkeypatch):
    trained = []

    def inside(config):
        trained.append(anx.train(anx.compose(*SMALL), tmp_path / "inner"))

    monkeypatch.setattr("sys.argv", ["anx", f"hydra.run.dir={tmp_path / 'outer'}"])
    hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")(inside)()
    identity = json.loads((tmp_path / "inner" / "identity.json").read_text())[-1]
    assert trained[0].folder == tmp_path / "inner"
    assert identity["command"] is None


def test_an_interrupted_training_raises(tmp_path, monkeypatch):
    def interrupt(*_):
        raise anx.Interrupted(2)

    monkeypatch.setattr("anx.commands.run.fit", interrupt)
    with pytest.raises(anx.Interrupted):
        anx.train(anx.compose(*SMALL), tmp_path)
