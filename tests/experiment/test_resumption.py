"""A run goes on as the run that it was, or not at all."""

import copy
import re

import pytest
import torch
from conftest import compose
from omegaconf import OmegaConf

from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.prepare import prepare
from anx.experiment.resumption import check_same

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]

DIFFERENT = {
    "seed": 1,
    "learner.rollouts": 3,
    "learner.validation_episodes": 8,
    "env.max_steps": 21,
    "pooler.num_queries": 4,
    "optimizer.sigma0": 0.2,
    "optimizer.popsize": 10,
    "optimizer.shaping": "normalised",
    "learner.episodes": "independent",
    "perturbations": {"shuffle": {"_target_": "anx.perturb.inputs.Shuffle", "every": None}},
}
FREE = {
    "name": "other",
    "trainer.max_steps": 5,
    "trainer.val_check_interval": 1,
    "learner.test_episodes": 8,
    "learner.max_env_steps": 9,
    "rollout.compile": False,
    "callbacks": None,
    "logger": None,
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The configuration of a run that goes on from its first generation."""
    folder = tmp_path_factory.mktemp("begun")
    train(compose(*SMALL, "trainer.max_steps=1", "learner.test_episodes=1", f"run_dir={folder}"))
    return compose(*SMALL, f"run_dir={folder}", f"ckpt_path={folder / 'checkpoints' / 'last.ckpt'}")


def changed(config, key, value):
    config = config.copy()
    OmegaConf.set_struct(config, False)
    OmegaConf.update(config, key, value, merge=False)
    return config


@pytest.mark.parametrize(("key", "value"), DIFFERENT.items())
def test_a_run_is_not_resumed_as_another_one(begun, key, value):
    says = rf"{key}(=\['shuffle'\])?.*, but ckpt_path was trained with {key}.*; a run is resumed with the configuration"
    with pytest.raises(ConfigError) as error:
        prepare(changed(begun, key, value))
    assert re.match(says, str(error.value))


@pytest.mark.parametrize(("key", "value"), FREE.items())
def test_what_changes_no_result_may_change(begun, key, value):
    prepare(changed(begun, key, value))


def test_weights_alone_are_no_run(begun, tmp_path):
    checkpoint = torch.load(begun.ckpt_path, weights_only=True)
    del checkpoint["optimizer_states"]
    torch.save(checkpoint, tmp_path / "best.ckpt")
    with pytest.raises(ConfigError, match=r"weights only; resume from last\.ckpt"):
        prepare(changed(begun, "ckpt_path", str(tmp_path / "best.ckpt")))


def test_the_order_of_perturbations_counts():
    shuffle = {"_target_": "anx.perturb.inputs.Shuffle"}
    noise = {"_target_": "anx.perturb.inputs.Noise"}
    then = {"perturbations": {"shuffle": shuffle, "noise": noise}}
    check_same(then, copy.deepcopy(then))
    with pytest.raises(ConfigError, match=r"perturbations=\['noise', 'shuffle'\], but .*=\['shuffle', 'noise'\]"):
        check_same(then, {"perturbations": {"noise": noise, "shuffle": shuffle}})


def test_what_the_checkpoint_names_is_not_imported():
    with pytest.raises(ConfigError, match=r"env\._target_=anx\.envs\.pong\.Pong, but .*=not_there\.Env"):
        check_same({"env": {"_target_": "not_there.Env"}}, {"env": {"_target_": "anx.envs.pong.Pong"}})
