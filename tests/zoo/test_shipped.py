"""Every agent that ships is what the table says of it, and plays wherever weights are asked for."""

import hashlib
import shlex
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import compose
from omegaconf import OmegaConf

import anx
from anx.agent.agent import Agent
from anx.commands.zoo import markdown
from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.values import with_defaults
from anx.experiment.files.weights import read_weights
from anx.population import num_parameters
from anx.zoo.shipped import find_shipped, shipped_names
from anx.zoo.table import TABLE, read_table, write_table

ROOT = Path(__file__).parents[2]
INPUTS = OmegaConf.load(Path(config_folder(), "zoo.yaml")).inputs
NEEDS = {"ant": "pybullet", "car_racing": "Box2D", "pong": "ale_py", "pong_evolved": "ale_py"}

every_agent = pytest.mark.parametrize("name", shipped_names())


def test_the_table_has_a_row_for_each_and_for_no_other():
    assert "cartpole" in shipped_names()
    assert sorted(read_table()) == shipped_names()


@every_agent
def test_a_row_is_of_the_file_as_it_is_and_has_every_score(name):
    row, file = read_table()[name], find_shipped(f"anx:{name}", "weights")
    assert row.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert list(row.scores) == list(INPUTS)
    assert all(score["sem"] >= 0 and score["episodes"] > 1 for score in row.scores.values())
    assert file.stat().st_size < 8_000_000
    assert row.curve is None or (ROOT / "docs" / row.curve).is_file()


@every_agent
def test_its_world_is_that_of_the_experiment_that_it_was_trained_for(name):
    """Its file's, in which it plays: a training in shorter episodes, or an easier world, leaves none of that."""
    said = read_weights(f"anx:{name}").config
    theirs = OmegaConf.to_container(compose(*f"+experiment={read_table()[name].experiment}".split()), resolve=True)
    assert with_defaults(said["env"]) == theirs["env"]
    assert said["rollout"]["_target_"] == theirs["rollout"]["_target_"]


@every_agent
def test_it_is_loaded_from_anywhere_without_trust_and_acts(name, monkeypatch, tmp_path):
    needed = NEEDS.get(name)
    if needed and find_spec(needed) is None:
        pytest.skip(f"needs {needed}")
    monkeypatch.chdir(tmp_path)
    agent = anx.load(f"anx:{name}")
    assert isinstance(agent.module, Agent)
    assert num_parameters(agent.module) == read_table()[name].parameters
    observation = np.zeros(agent.rollout.env.spec.observation_shape, np.float32)
    action, state = agent(observation)
    again, _ = agent(observation + 0.5, state)
    assert np.isfinite([action, again]).all()
    agent.rollout.close()


def test_one_that_does_not_ship_is_refused_in_a_line_that_lists_those_that_do():
    allowed = ", ".join(f"anx:{name}" for name in shipped_names())
    for use in (anx.load, anx.evaluate, lambda weights: anx.make(anx.compose(f"weights={weights}"))):
        with pytest.raises(anx.ConfigError) as refused:
            use("anx:foo")
        assert str(refused.value) == f"weights=anx:foo is not one of {allowed}"
    for name in ("../zoo/cartpole", "", "cartpole.safetensors"):
        with pytest.raises(anx.ConfigError, match="is not one of"):
            anx.load(f"anx:{name}")


def test_a_table_that_is_written_is_the_one_that_was_read(tmp_path):
    write_table(tmp_path / "zoo.yaml", read_table())
    assert (tmp_path / "zoo.yaml").read_text() == TABLE.read_text()


def test_of_a_new_agent_all_but_what_is_found_out_is_enough(tmp_path):
    cartpole = asdict(read_table()["cartpole"])
    found_out = ("parameters", "sha256", "scores")
    written = {"new": {key: value for key, value in cartpole.items() if key not in found_out}}
    (tmp_path / "zoo.yaml").write_text(yaml.safe_dump(written))
    assert read_table(tmp_path / "zoo.yaml")["new"].scores == {}


def test_the_page_says_what_the_table_says():
    assert (ROOT / "docs" / "zoo.md").read_text() == markdown(read_table(), INPUTS)


def test_the_laptop_budget_trains_the_cart_pole_agent_that_ships():
    command = read_table()["cartpole"].command
    given = shlex.split(command.removeprefix("python -m anx.run "))
    asked, trained = (
        OmegaConf.to_container(compose(*each), resolve=True) for each in (["+budget=laptop", "seed=1"], given)
    )
    assert asked["optimizer"] == trained["optimizer"]
    assert asked["learner"] == trained["learner"]
    for key in ("max_steps", "val_check_interval"):
        assert asked["trainer"][key] == trained["trainer"][key]
