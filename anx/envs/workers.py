"""Many environments on few processes."""

import multiprocessing
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, NamedTuple

import cloudpickle
import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space

from anx.envs import worker
from anx.envs.vector import Answer, Array, Info, Options, Seeds, SplitStep, chosen, each_seed

Make = Callable[[], gymnasium.Env[Any, Any]]  # whose spaces say of what kind it is

# A fork of a process in which OpenMP or CUDA are up may hang; in a fork server they never are.
START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"

GRACE = 2.0  # seconds that environments have to close

_starting = threading.Lock()


class Process(NamedTuple):
    """A process and this side of the pipe to it."""

    process: BaseProcess
    pipe: Connection


class Workers(SplitStep):
    """A gymnasium vector environment whose processes step several environments each.

    gymnasium's AsyncVectorEnv has a process for every environment, and waits for each of them at every step; with more
    environments than cores that costs more than it brings. Here each process has several. Actions and answers lie in
    shared memory, in the types of their spaces. An environment that has ended, or whose process is new, stands still
    until it is reset.

    A process that dies is replaced. The answer's info then has `lost`, the slots [slots] whose episodes are gone with
    it, and `died`, those among them that may have been the cause: the one that was being stepped.

    A process imports what `make` needs and nothing else, least of all the main module: a script needs no main guard,
    and what it, or a notebook, defines is sent by value. Where this process is no more, its processes end.

    Args:
        make: makes one environment, whose spaces have a fixed shape.
        slots: environments.
        processes: at most as many as there are slots.
        start_method: of multiprocessing; None: a fork server where there is one, else spawn.

    Raises:
        ValueError: `make` cannot be pickled, or a space has no fixed shape.
    """

    def __init__(self, make: Make, slots: int, processes: int, start_method: str | None = None) -> None:
        self.closed = True  # as long as there is nothing to close
        self._context: Any = multiprocessing.get_context(start_method or START_METHOD)
        self._make = pickled(make)
        one = make()
        self.single_observation_space, self.single_action_space = one.observation_space, one.action_space
        one.close()
        self.observation_space = batch_space(self.single_observation_space, slots)
        self.action_space = batch_space(self.single_action_space, slots)
        self.num_envs = slots
        self._row = worker.row_type(self.single_observation_space, self.single_action_space)
        self._memory = self._context.RawArray("b", slots * self._row.itemsize)
        self._rows = np.frombuffer(memoryview(self._memory), self._row)
        shares = np.array_split(np.arange(slots), min(processes, slots))
        self._parts = [slice(int(share[0]), int(share[-1]) + 1) for share in shares]
        self._processes = [self._start(part) for part in self._parts]
        self._dead: set[int] = set()
        self.closed = False

    def _start(self, part: slice) -> Process:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, ours, self._make, self._memory, self._row, part)
        process = self._context.Process(target=worker.work, args=arguments, daemon=True, name="anx environments")
        self._context.set_forkserver_preload([worker.__name__])
        with no_main_module():
            process.start()
        theirs.close()
        return Process(process, ours)

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Array, Info]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed of `seed` [slots]."""
        mask = chosen(options, self.num_envs)
        seeds = each_seed(seed, self.num_envs)
        self._ask(
            [(slot - part.start, seeds[slot]) for slot in range(part.start, part.stop) if mask[slot]]
            for part in self._parts
        )
        observation, *_, info = self.step_wait()
        return observation, info

    def step_async(self, actions: Array) -> None:
        """Send actions [slots, A]; `step_wait` answers."""
        self._rows["action"] = actions
        self._ask([worker.STEP] * len(self._parts))

    def step_wait(self) -> Answer:
        """The answers to the actions sent; see `step`."""
        accounts = [self._answer(index) for index in range(len(self._processes))]
        for account in filter(None, accounts):
            raise RuntimeError(f"an environment failed in its process:\n{account}")
        info = self._replace_the_dead() if self._dead else {}
        fields = ("observation", "reward", "terminated", "truncated")
        observation, reward, terminated, truncated = (self._rows[field].copy() for field in fields)
        return observation, reward, terminated, truncated, info

    def _ask(self, commands: Iterable[worker.Command]) -> None:
        for index, command in enumerate(commands):
            try:
                self._processes[index].pipe.send(command)
            except worker.GONE:
                self._dead.add(index)

    def _answer(self, index: int) -> str | None:
        """Wait for a process; returns the account of an exception."""
        if index not in self._dead:
            try:
                return self._processes[index].pipe.recv()
            except worker.GONE:
                self._dead.add(index)
        return None

    def _replace_the_dead(self) -> Info:
        lost, died = np.zeros((2, self.num_envs), dtype=bool)
        for index in self._dead:
            part = self._parts[index]
            busy = self._rows["busy"][part]
            lost[part], died[part] = True, busy | ~busy.any()
            end([self._processes[index]], grace=0)
            self._rows[part] = 0
            self._processes[index] = self._start(part)
        self._dead.clear()
        return {"lost": lost, "died": died}

    def close(self, **kwargs: object) -> None:
        """End the processes: environments that are not in the middle of a step are closed first."""
        if not self.closed:
            self.closed = True
            end(self._processes, GRACE)


def end(processes: Sequence[Process], grace: float) -> None:
    """Let processes end, and kill those that still run after so many seconds, whatever they are doing."""
    for _, pipe in processes:
        with suppress(OSError):
            pipe.send(None)
    deadline = time.monotonic() + grace
    for process, pipe in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()
        process.join()
        pipe.close()


def pickled(make: Make) -> bytes:
    """What makes an environment, for other processes."""
    try:
        return cloudpickle.dumps(make)
    except (TypeError, ValueError, AttributeError, pickle.PicklingError) as error:
        raise ValueError(
            f"what makes the environment cannot be sent to the processes that step it ({error}); it must hold no open "
            "files, locks or connections"
        ) from None


@contextmanager
def no_main_module() -> Iterator[None]:
    """Hide the main module: multiprocessing would let each process import it, and run a script without a main guard."""
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
