"""Many environments on few processes."""

import multiprocessing
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, flatdim
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

Make = Callable[[], gymnasium.Env[Any, Any]]

DEAD = (EOFError, ConnectionError)  # what a pipe to a process says that is no more


class Workers(VectorEnv[Any, Any, Any]):
    """A gymnasium vector environment whose processes step several environments each.

    gymnasium's AsyncVectorEnv has a process for every environment, and waits for each of them at every step; with more
    environments than cores that costs more than it brings. Here each of its processes has a bundle. An environment
    that has ended stands still until it is reset.

    A process that dies is replaced. The answer's info then has `lost`, the slots [slots] whose episodes are gone with
    it, and `died`, those among them that may have been the cause: the one that was being stepped.

    Args:
        make: makes one environment with box spaces.
        slots: environments.
        processes: at most as many as there are slots.
    """

    def __init__(self, make: Make, slots: int, processes: int) -> None:
        one = make()
        self.single_observation_space, self.single_action_space = one.observation_space, one.action_space
        one.close()
        self.observation_space = batch_space(self.single_observation_space, slots)
        self.action_space = batch_space(self.single_action_space, slots)
        self.num_envs = slots
        self._make = make
        self._parts = np.array_split(np.arange(slots), min(processes, slots))
        self._current = [multiprocessing.RawValue("i", -1) for _ in self._parts]  # the slot that each process steps
        self._processes = [self._start(index) for index in range(len(self._parts))]
        self._rows = np.zeros((slots, flatdim(self.single_observation_space) + 3))
        self._dead: set[int] = set()

    def _start(self, index: int) -> AsyncVectorEnv:
        self._current[index].value = -1
        spaces = self.single_observation_space, self.single_action_space
        bundle = partial(Bundle, self._make, *spaces, self._parts[index], self._current[index])
        return AsyncVectorEnv([bundle], copy=False, autoreset_mode=AutoresetMode.DISABLED)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed."""
        mask = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        seeds = np.where(mask, seed, -1)
        self._ask(lambda process, part: process.reset_async(options={"seeds": seeds[part]}))
        observation, *_, info = self._answers(lambda process: process.reset_wait())
        return observation, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Actions [slots, A] -> observations [slots, ...], rewards, terminated, truncated, each [slots], info."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Any) -> None:
        """Send actions [slots, A]; `step_wait` answers."""
        self._ask(lambda process, part: process.step_async(actions[None, part]))

    def step_wait(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The answers to the actions sent; see `step`."""
        return self._answers(lambda process: process.step_wait())

    def _ask(self, ask: Callable[[AsyncVectorEnv, np.ndarray], None]) -> None:
        for index, (process, part) in enumerate(zip(self._processes, self._parts, strict=True)):
            try:
                ask(process, part)
            except DEAD:
                self._dead.add(index)

    def _answers(self, wait: Callable[[AsyncVectorEnv], tuple[Any, ...]]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        for index, (process, part) in enumerate(zip(self._processes, self._parts, strict=True)):
            if index in self._dead:
                continue
            try:
                (self._rows[part],) = wait(process)[0]
            except DEAD:
                self._dead.add(index)
        info = self._replace_the_dead() if self._dead else {}
        observation = self._rows[:, :-3].reshape(-1, *self.single_observation_space.shape)  # type: ignore[misc]
        terminated, truncated = self._rows[:, -2:].T.astype(bool)
        return observation.astype(self.single_observation_space.dtype), self._rows[:, -3], terminated, truncated, info

    def _replace_the_dead(self) -> dict[str, Any]:
        lost, died = np.zeros((2, self.num_envs), dtype=bool)
        for index in self._dead:
            current, part = self._current[index].value, self._parts[index]
            lost[part] = True
            died[part if current < 0 else current] = True
            end(self._processes[index])
            self._processes[index] = self._start(index)
        self._rows[lost] = 0
        self._dead.clear()
        return {"lost": lost, "died": died}

    def close(self, **kwargs: Any) -> None:
        for process in self._processes:
            end(process)


class Bundle(gymnasium.Env[Any, Any]):
    """Several environments as one: its observation has a row for each, [observation, reward, terminated, truncated].

    Args:
        make: makes one environment.
        observation_space: of one environment.
        action_space: of one environment.
        slots: of the whole that this bundle holds.
        current: is told which of them is being stepped.
    """

    def __init__(self, make: Make, observation_space: Any, action_space: Any, slots: np.ndarray, current: Any) -> None:
        self.make = make
        self.slots = slots.tolist()
        self.current = current
        self.envs: list[gymnasium.Env[Any, Any]] = []
        self.rows = np.zeros((len(slots), flatdim(observation_space) + 3))
        self.observation_space = Box(-np.inf, np.inf, self.rows.shape, np.float64)
        self.action_space = batch_space(action_space, len(slots))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        assert options
        if not self.envs:  # made in the process that steps them: gymnasium makes a bundle elsewhere to ask its spaces
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the first one decides
            self.envs = [self.make() for _ in self.slots]
        for slot, row, env, own in zip(self.slots, self.rows, self.envs, options["seeds"].tolist(), strict=True):
            if own >= 0:
                self.current.value = slot
                row[:-3] = env.reset(seed=own)[0].ravel()
                row[-3:] = 0
        return self.rows, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        for slot, row, env, own in zip(self.slots, self.rows, self.envs, action, strict=True):
            if row[-2] or row[-1]:
                row[-3] = 0
                continue
            self.current.value = slot
            observation, *row[-3:], _ = env.step(own)
            row[:-3] = observation.ravel()
        return self.rows, 0.0, False, False, {}

    def close(self) -> None:
        for env in self.envs:
            env.close()


def end(process: AsyncVectorEnv) -> None:
    """End a process, whatever it is doing: gymnasium's own way waits for its answer."""
    for worker in process.processes:
        worker.kill()
        worker.join()
    for pipe in process.parent_pipes:
        if pipe is not None:
            pipe.close()
    process.closed = True
