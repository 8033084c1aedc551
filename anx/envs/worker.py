"""What a process of `anx.envs.workers` does: it steps its environments, and imports nothing that they do not need."""

import ctypes
import os
import signal
import traceback
from multiprocessing.connection import Connection

import cloudpickle
import gymnasium
import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

Array = NDArray[np.generic]
Env = gymnasium.Env[Array, Array]
Rows = NDArray[np.void]  # one a slot, see `row_type`
Memory = ctypes.Array[ctypes.c_byte]
Command = str | list[tuple[int, int | None]]

STEP = "step"  # a command: step all environments; others are the environments to reset, with their seeds
GONE = (EOFError, ConnectionError)  # what a pipe says whose other end is no more
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def row_type(observation_space: Space[Array], action_space: Space[Array]) -> np.dtype[np.void]:
    """What processes share of an environment: its action, its answer, and where it stands.

    `running`: it has been reset and has not ended; `busy`: it is being reset or stepped.

    Raises:
        ValueError: a space has no fixed shape and type.
    """
    spaces = {"observation": observation_space, "action": action_space}
    for name, space in spaces.items():
        if space.shape is None or space.dtype is None:
            raise ValueError(f"the environment's {name} space {space} has no fixed shape; allowed: Box and Discrete")
    flags = [(name, np.bool_) for name in ("terminated", "truncated", "running", "busy")]
    fields = [*((name, space.dtype, space.shape) for name, space in spaces.items()), ("reward", np.float64), *flags]
    return np.dtype(fields, align=True)


def work(
    pipe: Connection, parents: Connection, make: bytes, memory: Memory, row: np.dtype[np.void], part: slice
) -> None:
    """Do what the pipe says until it ends; the main function of a process.

    Args:
        pipe: commands come in; None, or the account of an exception, goes out.
        parents: its other end. A fork has that one too, and as long as it is open here, the pipe has no end.
        make: makes one environment; pickled.
        memory: of all rows.
        row: their type, see `row_type`.
        part: the rows of this process's environments.
    """
    parents.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the first one decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has the first one's
    os.environ.update(dict.fromkeys(THREADS, "1"))  # for what `make` imports: there is a process a core
    rows = np.frombuffer(memoryview(memory), row)[part]
    envs: list[Env] = []
    try:
        while (command := pipe.recv()) is not None:
            pipe.send(_obey(command, envs, make, rows))
    except GONE:
        pass  # who asked is no more
    for env in envs:
        env.close()


def _obey(command: Command, envs: list[Env], make: bytes, rows: Rows) -> str | None:
    """Returns the account of an exception."""
    try:
        if not envs:
            envs += [new() for new in [cloudpickle.loads(make)] * len(rows)]
        if isinstance(command, str):
            _step(envs, rows)
        else:
            _reset(envs, rows, command)
    except Exception:
        return traceback.format_exc()
    return None


def _reset(envs: list[Env], rows: Rows, seeds: list[tuple[int, int | None]]) -> None:
    for place, seed in seeds:
        row = rows[place]
        row["busy"] = True
        row["observation"] = envs[place].reset(seed=seed)[0]
        row["reward"], row["terminated"], row["truncated"] = 0, False, False
        row["running"], row["busy"] = True, False


def _step(envs: list[Env], rows: Rows) -> None:
    for env, row in zip(envs, rows, strict=True):
        if not row["running"]:
            row["reward"] = 0
            continue
        row["busy"] = True
        # A copy: the memory holds another action when the environment looks at this one again.
        observation, row["reward"], row["terminated"], row["truncated"], _ = env.step(row["action"].copy())
        row["observation"] = observation
        row["running"], row["busy"] = not (row["terminated"] or row["truncated"]), False
