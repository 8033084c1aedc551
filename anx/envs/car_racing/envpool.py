"""EnvPool's cars."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from anx.envs.car_racing.look import SIZE
from anx.envs.vector import Answer, Array, Info, Options, Pixels, Seeds, SplitStep, chosen, each_seed


class EnvPoolCars(SplitStep):
    """EnvPool's CarRacing-v3, which takes seeds only when it is made: every episode has a pool of one of its own, with
    a thread that steps it. A pool costs 2 ms. A car whose episode has ended stands still until it is reset.

    Args:
        slots: cars.
        max_steps: after which the simulator itself ends an episode.
        pictures: whether it renders.
    """

    def __init__(self, slots: int, max_steps: int, pictures: bool) -> None:
        self.num_envs = slots
        self.max_steps = max_steps
        self.render_mode = "rgb_array" if pictures else None
        self._pools: list[Any] = [None] * slots  # until the first reset
        self.single_action_space = Box(np.array([-1, 0, 0], np.float32), np.ones(3, np.float32))
        self.single_observation_space = Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.action_space = batch_space(self.single_action_space, slots)
        self.observation_space = batch_space(self.single_observation_space, slots)
        self._pictures = np.zeros((slots, SIZE, SIZE, 3), dtype=np.uint8)
        self._ended = np.ones(slots, dtype=bool)

    def _make_pool(self, seed: int | None) -> Any:
        import envpool

        return envpool.make(
            "CarRacing-v3",
            env_type="gymnasium",
            num_envs=1,
            num_threads=1,
            seed=seed,
            max_episode_steps=self.max_steps,
            render_mode=self.render_mode,
        )

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed."""
        mask = chosen(options, self.num_envs)
        seeds = each_seed(seed, self.num_envs)
        to_reset = np.flatnonzero(mask)
        for slot in to_reset:
            if self._pools[slot] is not None:
                self._pools[slot].close()
            self._pools[slot] = self._make_pool(seeds[slot])
        for slot in to_reset:
            self._pictures[slot] = self._pools[slot].reset()[0][0]
        self._ended[mask] = False
        return self._pictures, {}

    def step_async(self, actions: Array) -> None:
        """Send actions [slots, 3]; `step_wait` answers."""
        self._sent = np.flatnonzero(~self._ended)
        for slot in self._sent:
            self._pools[slot].send(actions[slot : slot + 1].astype(np.float32))

    def step_wait(self) -> Answer:
        """Pictures [slots, 96, 96, 3], rewards, terminated, truncated, each [slots], nothing."""
        reward = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=bool)
        for slot in self._sent:
            (self._pictures[slot],), (reward[slot],), (terminated[slot],), (truncated[slot],), _ = self._pools[
                slot
            ].recv()
        self._ended |= terminated | truncated
        return self._pictures, reward, terminated, truncated, {}

    def render(self) -> tuple[Pixels, ...]:
        """For each car what a person sees, [400, 600, 3]."""
        return tuple(pool.render()[0] for pool in self._pools)

    def close(self, **kwargs: object) -> None:
        for pool in filter(None, self._pools):
            pool.close()
