import pytest
from conftest import compose
from omegaconf import OmegaConf

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.values import check_types


class Undeclared(CartPoleSwingUpHarder):
    rollout = None


class Bare:
    rollout = "host"


PAIRS = {
    r"env._target_=test_build.Bare lacks .* inherit from anx.envs.HostEnvironment": [
        "env._target_=test_build.Bare",
        "~env.max_steps",
    ],
    "env=ant needs rollout=host, not rollout=device": ["env=ant", "rollout=device"],
    "env=pong needs rollout=host, not rollout=device": ["env=pong", "rollout=device"],
    "env=cartpole needs rollout=device, not rollout=host": ["rollout=host"],
    r"env._target_=test_build.Undeclared does not say .* attribute `rollout`, 'device' .* or 'host'": [
        "env._target_=test_build.Undeclared"
    ],
}


@pytest.mark.parametrize(("says", "overrides"), PAIRS.items())
def test_an_environment_and_a_rollout_that_cannot_play_it_are_refused_by_both_keys(says, overrides):
    with pytest.raises(ConfigError, match=says):
        build_rollout(compose(*overrides))


CHOICES = {
    "env=ant": ("HostRollout", 64, "ScalarSplitter"),
    "env=pong": ("HostRollout", 128, "PatchSplitter"),
    "env=car_racing": ("HostRollout", 16, "PatchSplitter"),
    "env=gymnasium env.id=CartPole-v1": ("HostRollout", 32, "make_splitter"),
    "env=cartpole": ("DeviceRollout", None, "ScalarSplitter"),
    "env=pong rollout=device": ("DeviceRollout", None, "PatchSplitter"),
    "rollout=host env=ant": ("HostRollout", 32, "ScalarSplitter"),
    "env=ant rollout.slots=3": ("HostRollout", 3, "ScalarSplitter"),
    "env=pong splitter=auto": ("HostRollout", 128, "make_splitter"),
    "+experiment=pong": ("HostRollout", 128, "PatchSplitter"),
    "+experiment=pong env=cartpole splitter=scalar": ("DeviceRollout", None, "ScalarSplitter"),
    "+experiment=cartpole env=ant": ("HostRollout", 64, "ScalarSplitter"),
    "env=car_racing +ablation=attention_agent": ("HostRollout", 16, "PatchSplitter"),
    "env._target_=my.World": ("DeviceRollout", None, "ScalarSplitter"),
    "env._target_=my.Host rollout=host": ("HostRollout", 32, "ScalarSplitter"),
}


@pytest.mark.parametrize("config_name", ["config", "evaluate"])
@pytest.mark.parametrize(("overrides", "expected"), CHOICES.items())
def test_rollout_and_splitter_follow_from_the_environment_unless_others_are_chosen(overrides, expected, config_name):
    config = compose(*overrides.split(), config_name=config_name)
    parts = [config[key]._target_.rsplit(".", 1)[-1] for key in ("rollout", "splitter")]
    assert (parts[0], config.rollout.get("slots"), parts[1]) == expected
    assert "defaults" not in config.env


def test_an_id_is_to_be_given():
    with pytest.raises(ConfigError, match=r"env\.id=None must be a text"):
        check_types(OmegaConf.to_container(compose("env=gymnasium"), resolve=True))


def test_an_environments_error_names_the_key():
    with pytest.raises(ConfigError, match=r"^env\.id=Nope-v0 is no environment that gymnasium can find"):
        build_rollout(compose("env=gymnasium", "env.id=Nope-v0"))
    with pytest.raises(ConfigError, match=r"^splitter\.patch_size=6 is for frames"):
        build_rollout(compose("env=gymnasium", "env.id=CartPole-v1", "splitter.patch_size=6"))


@pytest.mark.parametrize("experiment", ["cartpole", "ant", "pong", "car_racing"])
def test_every_experiment_has_the_rollout_that_its_environment_needs(experiment):
    _, rollout = build_rollout(compose(f"+experiment={experiment}"))
    assert rollout.takes == rollout.env.rollout
