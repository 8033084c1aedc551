"""Many environments on few processes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, flatdim
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

Make = Callable[[], gymnasium.Env[Any, Any]]


class Workers(VectorEnv[Any, Any, Any]):
    """A gymnasium vector environment whose processes step several environments each.

    gymnasium's AsyncVectorEnv has a process for every environment, and waits for each of them at every step; with more
    environments than cores that costs more than it brings. Here each of its processes has a bundle. An environment
    that has ended stands still until it is reset.

    Args:
        make: makes one environment with box spaces.
        slots: environments.
        processes: at most as many as there are slots.
    """

    def __init__(self, make: Make, slots: int, processes: int) -> None:
        parts = np.array_split(np.arange(slots), min(processes, slots))
        self.size = len(parts[0])  # of the largest bundle
        self.num_envs = slots
        self.places = np.concatenate([i * self.size + np.arange(len(part)) for i, part in enumerate(parts)])
        bundles = [partial(Bundle, make, part, self.size) for part in parts]
        self._async = AsyncVectorEnv(bundles, autoreset_mode=AutoresetMode.DISABLED)
        one = make()
        self.single_observation_space, self.single_action_space = one.observation_space, one.action_space
        one.close()
        self.observation_space = batch_space(self.single_observation_space, slots)
        self.action_space = batch_space(self.single_action_space, slots)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed."""
        mask = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        seeds = [own if chosen else None for own, chosen in zip(seed, mask, strict=True)]
        packed, _ = self._async.reset(options={"seeds": seeds})
        return self._unpack(packed)[0], {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Actions [slots, A] -> observations [slots, ...], rewards, terminated, truncated, each [slots], nothing."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Any) -> None:
        """Send actions [slots, A]; `step_wait` answers."""
        spread = np.zeros((self._async.num_envs * self.size, *actions.shape[1:]), dtype=np.float32)
        spread[self.places] = actions
        self._async.step_async(spread.reshape(-1, self.size, *actions.shape[1:]))

    def step_wait(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The answers to the actions sent; see `step`."""
        packed, *_ = self._async.step_wait()
        return *self._unpack(packed), {}

    def _unpack(self, packed: Any) -> tuple[Any, Any, Any, Any]:
        rows = packed.reshape(-1, packed.shape[-1])[self.places]
        observation = rows[:, :-3].reshape(-1, *self.single_observation_space.shape)  # type: ignore[misc]
        terminated, truncated = rows[:, -2].astype(bool), rows[:, -1].astype(bool)
        return observation.astype(self.single_observation_space.dtype), rows[:, -3], terminated, truncated

    def close(self, **kwargs: Any) -> None:
        self._async.close(**kwargs)


class Bundle(gymnasium.Env[Any, Any]):
    """Several environments as one: its observation has a row for each, [observation, reward, terminated, truncated].

    Args:
        make: makes one environment.
        slots: of the whole that this bundle holds.
        size: rows, at least as many as slots.
    """

    def __init__(self, make: Make, slots: np.ndarray, size: int) -> None:
        self.slots = slots
        self.envs = [make() for _ in slots]
        one = self.envs[0]
        self.rows = np.zeros((size, flatdim(one.observation_space) + 3))
        self.observation_space = Box(-np.inf, np.inf, self.rows.shape, np.float64)
        self.action_space = batch_space(one.action_space, size)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        assert options
        for row, env, slot in zip(self.rows, self.envs, self.slots, strict=False):
            if (own := options["seeds"][slot]) is not None:
                row[:-3] = env.reset(seed=own)[0].ravel()
                row[-3:] = 0
        return self.rows, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        for row, env, own in zip(self.rows, self.envs, action, strict=False):
            if row[-2] or row[-1]:
                row[-3] = 0
                continue
            observation, *row[-3:], _ = env.step(own)
            row[:-3] = observation.ravel()
        return self.rows, 0.0, False, False, {}

    def close(self) -> None:
        for env in self.envs:
            env.close()
