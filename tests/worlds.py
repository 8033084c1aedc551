"""Tiny worlds for any observation: in torch for the device's rollout, and as a gymnasium vector environment."""

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.vector.utils import batch_space
from torch import Tensor

from anx.envs.base import HostEnvironment, TorchEnvironment
from anx.spec import Spec


class WorldState(NamedTuple):
    seen: Tensor  # [..., *observation_shape]
    left: Tensor  # [...], steps to the end


class World(TorchEnvironment[WorldState], HostEnvironment):
    """What is seen rolls on and fades, pushed by the action; a step pays the push and a little of what is seen.

    So a return tells of every action, and an action of all that was seen before. Episodes last 2 to 4 steps.
    """

    def __init__(self, observation_shape: tuple[int, ...], action_size: int, discrete: bool, brightness: float) -> None:
        buttons = tuple(map(str, range(action_size)))
        # Some episodes end by themselves, some are cut.
        self.spec = Spec(observation_shape, buttons, max_steps=4, discrete=discrete)
        self.brightness = brightness  # the greatest number that is seen at first

    def reset(self, episodes: int, generator: torch.Generator) -> WorldState:
        seen = self.brightness * torch.rand(episodes, *self.spec.observation_shape, generator=generator)
        return WorldState(seen, torch.randint(2, 6, (episodes,), generator=generator).float())

    def observe(self, state: WorldState) -> Tensor:
        return state.seen

    def step(self, state: WorldState, action: Tensor) -> tuple[WorldState, Tensor, Tensor]:
        push = (action * torch.linspace(0.5, 1.0, self.spec.action_size)).sum(-1)  # [...]
        spread = push.reshape(*push.shape, *(1 for _ in self.spec.observation_shape))
        seen = 0.8 * state.seen.roll(1, dims=-1) + 0.2 * self.brightness * spread
        paid = push + 0.1 * state.seen.flatten(push.dim())[..., 0] / self.brightness
        return WorldState(seen, state.left - 1), paid, state.left <= 1

    def make(self, slots: int, training: bool, pictures: bool = False) -> "WorldEnvs":
        return WorldEnvs(self, slots)


class WorldEnvs(gymnasium.vector.VectorEnv):
    """A world in each of some slots, with the conventions of gymnasium's vector environments."""

    def __init__(self, world: World, slots: int) -> None:
        self.world, self.num_envs = world, slots
        size = world.spec.action_size
        one, reach = (size,), np.ones(size, np.float32)
        self.single_action_space = (
            gymnasium.spaces.Discrete(size) if world.spec.discrete else gymnasium.spaces.Box(-reach, reach, one)
        )
        self.action_space = batch_space(self.single_action_space, slots)
        self.states: list[Any] = [None] * slots

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.world.observe(state).numpy() for state in self.states])

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        chosen = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        for slot in np.flatnonzero(chosen):
            self.states[slot] = self.world.reset(1, torch.Generator().manual_seed(seed[slot]))
        return self._observe(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        actions = np.eye(self.world.spec.action_size)[actions] if self.world.spec.discrete else actions
        taken = torch.as_tensor(actions, dtype=torch.float32)
        answers = [
            self.world.step(state, action.unsqueeze(0)) for state, action in zip(self.states, taken, strict=True)
        ]
        self.states = [state for state, _, _ in answers]
        paid, ended = (np.array([float(each[place]) for each in answers]) for place in (1, 2))
        return self._observe(), paid, ended.astype(bool), np.zeros(self.num_envs, dtype=bool), {}


NUMBERS = World((5,), action_size=2, discrete=False, brightness=1.0)
FRAMES = World((4, 12, 12), action_size=3, discrete=True, brightness=255.0)
