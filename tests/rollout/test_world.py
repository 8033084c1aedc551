import importlib.util

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.errors import ConfigError
from anx.rollout.world import TorchWorld, open_world

needs_cars = pytest.mark.skipif(
    not (importlib.util.find_spec("envpool") or importlib.util.find_spec("Box2D")), reason="needs a car simulator"
)


@needs_cars
def test_a_background_changes_what_is_seen_while_it_is_driven_and_comes_back():
    env = instantiate({"_target_": "anx.envs.car_racing.CarRacing"})
    world = open_world(env, torch.zeros(1), pictures=True)
    assert world.one_sided == (False, True, True)
    world.reset(0)
    grass, seen = world.picture(), []
    for background in (env.backgrounds[0], None):
        world.change_background(background)
        observation, _, _ = world.step(torch.tensor([0.0, -1.0, -1.0]))
        seen.append((observation, world.picture()))
    world.close()
    (observation, picture), (_, again) = seen
    assert (picture != grass).mean() > 0.2
    assert (again != picture).mean() > 0.2
    assert not torch.equal(observation[-1], observation[-2])


def test_a_world_of_no_other_backgrounds_refuses_them():
    world = TorchWorld(CartPoleSwingUpHarder(), torch.zeros(1))
    with pytest.raises(ValueError, match="background=hills"):
        world.change_background("hills")


def test_an_environment_of_no_other_backgrounds_refuses_them():
    env = instantiate({"_target_": "anx.envs.gymnasium.GymnasiumEnv", "id": "Pendulum-v1"})
    world = open_world(env, torch.zeros(1))
    with pytest.raises(ConfigError, match="background=hills: env=GymnasiumEnv has no other"):
        world.change_background("hills")
    observation, _ = world.reset(1)
    assert np.isfinite(observation.numpy()).all()
    world.close()
