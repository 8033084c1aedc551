"""A part of a generation as another process plays it: plain values in, plain values out, nothing else counts."""

import hashlib
import importlib.metadata
import os
import pickle
import platform
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from multiprocessing import current_process
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from anx.errors import ConfigError
from anx.perturb.base import Perturbation
from anx.rollout.base import Rollout

KEPT = 4  # rollouts that a process keeps: several runs may share it
NO_CHILDREN = (
    "the environment steps in processes of its own, and this worker's process may start none; start workers with "
    "DASK_DISTRIBUTED__WORKER__DAEMON=False"
)


class Recipe(NamedTuple):
    """What builds a rollout in another process."""

    build: Callable[[], Rollout]  # can be pickled
    buffers: Mapping[str, NDArray[np.generic]]  # the agent's, by name: what it knows besides its parameters


class Chunk(NamedTuple):
    """Some candidates of a generation, and all that what they achieve depends on."""

    recipe: bytes  # a pickled Recipe
    perturbations: bytes  # pickled
    first: int  # which candidate of the generation the first one is
    population: NDArray[np.generic]  # [p, D]
    group: NDArray[np.int64] | None  # [p], see `Rollout.__call__`
    episodes: int  # R
    seed: int
    training: bool
    candidates: int  # of the generation
    groups: int  # of the generation
    versions: Mapping[str, str]  # of what has to be the same everywhere

    def __str__(self) -> str:
        last = self.first + len(self.population) - 1
        which = f"candidate {last}" if last == self.first else f"candidates {self.first} to {last}"
        return f"{which} of the generation with seed {self.seed}"


class Played(NamedTuple):
    """What became of a chunk."""

    returns: NDArray[np.generic]  # [p, R]
    steps: NDArray[np.int32]  # [p, R]
    worker: str  # which process played it
    seconds: float  # that it took
    processor: str  # what decides how numbers are rounded


def play(chunk: Chunk) -> Played:
    """Play a chunk, with one thread.

    Raises:
        ConfigError: this process has other versions than whoever sent the chunk, or lacks what the environment needs.
    """
    start = time.perf_counter()
    check_versions(chunk.versions)
    os.environ["OMP_NUM_THREADS"] = "1"  # there is a worker a core; see `anx.cores`
    torch.set_num_threads(1)
    rollout, population = rollout_of(chunk.recipe), torch.from_numpy(chunk.population)
    group = None if chunk.group is None else torch.from_numpy(chunk.group)
    try:
        played = rollout(
            population,
            chunk.episodes,
            chunk.seed,
            perturbations_of(chunk.perturbations),
            training=chunk.training,
            candidates=chunk.candidates,
            group=group,
            groups=chunk.groups,
        )
    except AssertionError as error:
        if not (current_process().daemon and "daemonic" in str(error)):
            raise
        raise ConfigError(NO_CHILDREN) from error
    returns, steps = played.returns.numpy(), played.steps.to(torch.int32).numpy()
    return Played(returns, steps, worker(), time.perf_counter() - start, processor())


_built: OrderedDict[bytes, Rollout] = OrderedDict()


def rollout_of(recipe: bytes) -> Rollout:
    """What a recipe builds, once a process: its compiled step and its environments live from chunk to chunk."""
    if recipe not in _built:
        build, buffers = pickle.loads(recipe)
        rollout: Rollout = build()
        with torch.no_grad():
            for name, buffer in rollout.agent.named_buffers():
                buffer.copy_(torch.from_numpy(buffers[name]))
        _built[recipe] = rollout
        if len(_built) > KEPT:
            _built.popitem(last=False)[1].close()
    _built.move_to_end(recipe)
    return _built[recipe]


@lru_cache(maxsize=2 * KEPT)
def perturbations_of(pickled: bytes) -> Sequence[Perturbation]:
    """The same ones for the same bytes: a rollout compiles anew for others."""
    perturbations: Sequence[Perturbation] = pickle.loads(pickled)
    return perturbations


def worker() -> str:
    """This process by a name of its own."""
    return f"{socket.gethostname()}:{os.getpid()}"


def processor() -> str:
    """The kind of processor, as far as torch's own code differs."""
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


@cache
def versions() -> dict[str, str]:
    """What has to be the same in all processes of a run, by name; anx's with a digest of its code."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "anx": f"{importlib.metadata.version('anx')} ({digest.hexdigest()[:8]})",
    }


def check_versions(expected: Mapping[str, str]) -> None:
    """ConfigError unless this process has these versions; the message names what differs and where."""
    own = versions()
    different = [
        f"{name} {own.get(name, 'none')} where the run has {version}"
        for name, version in expected.items()
        if own.get(name) != version
    ]
    if different:
        raise ConfigError(f"cluster: worker {worker()} has {', '.join(different)}; install the same there")
