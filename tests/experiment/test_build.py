import pytest
from conftest import compose

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.errors import ConfigError
from anx.experiment.build import build_rollout


class Undeclared(CartPoleSwingUpHarder):
    rollout = None


PAIRS = {
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


@pytest.mark.parametrize("experiment", ["cartpole", "ant", "pong", "car_racing"])
def test_every_experiment_has_the_rollout_that_its_environment_needs(experiment):
    _, rollout = build_rollout(compose(f"+experiment={experiment}"))
    assert rollout.takes == rollout.env.rollout
