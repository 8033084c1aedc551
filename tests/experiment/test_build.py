import pytest
from conftest import compose
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.config.values import check_types


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


REFUSED = {
    "neuron.hidden_size=0 must be at least 1": ["neuron=stacked", "neuron.hidden_size=0"],
    "neuron.stack=0 must be at least 1": ["neuron=stacked", "neuron.stack=0"],
    "pooler.message_size=-1 must be at least 1": ["pooler.message_size=-1"],
    r"policy.hidden_sizes=\[0\] must all be at least 1": ["policy=mlp", "policy.hidden_sizes=[0]"],
    "head.hidden_size=0 must be at least 1": ["head=shared", "head.hidden_size=0"],
}


@pytest.mark.parametrize(("says", "overrides"), REFUSED.items())
def test_what_a_part_refuses_is_said_by_the_keys_of_its_arguments(says, overrides):
    with pytest.raises(ConfigError, match=f"^{says}"):
        build_rollout(compose(*overrides))


FOLLOWS = [
    "neuron.features=2",
    "neuron.action_size=1",
    "pooler.key_size=3",
    "pooler.num_inputs=5",
    "policy.latent_shape=[16,1]",
    "head.context_size=16",
    "agent.discrete=true",
    "agent.splitter={_target_: anx.agent.splitter.ScalarSplitter}",
    "rollout.agent={_target_: anx.agent.splitter.ScalarSplitter}",
]


@pytest.mark.parametrize("override", FOLLOWS)
def test_a_value_for_what_follows_from_other_parts_is_refused_instead_of_ignored(override):
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=f"^{key}=.* can't be chosen: it follows from other parts; leave it out$"):
        build_rollout(compose(f"+{override}"))


def test_a_mistake_in_a_part_is_not_hidden_as_a_wrong_value():
    with pytest.raises(InstantiationException, match="ZeroDivisionError"):
        build_rollout(compose("neuron._target_=test_build.Broken"))


class Broken:
    def __init__(self, features, action_size, hidden_size):
        raise ZeroDivisionError


def test_sizes_that_follow_from_other_parts_reach_every_part():
    agent, _ = build_rollout(compose("policy=mlp", "policy.hidden_sizes=[7]", "head=shared"))
    assert agent.policy.context_size == 7
    assert agent.head.hidden.in_features == 7 + 8  # 8: what an actuator is
    assert agent.discrete is False
