"""Ten minutes of chaos: a run whose workers are killed every ten seconds, and the same run undisturbed.

    make chaos
    python benchmarks/chaos.py --minutes 1 --every 5

A search trains cart-pole over four local workers, one of which is killed with SIGKILL every ten seconds, whatever it is
doing, for as long as was asked for; how long it takes until all are there again is printed. Then the same search plays
as many generations in this process. The returns of every candidate in every generation, and every mean, must be equal
to the bit, and nearly a worker every ten seconds must have been killed.
"""

import argparse
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import psutil
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from anx.experiment.config.own_configs import config_folder
from anx.experiment.prepare import build_learner
from anx.learners.evolution import Evolution
from anx.rollout.engine import Engine, Said

SIZES = ("optimizer.popsize=64", "learner.rollouts=8", "env.max_steps=30", "rollout.compile=false", "seed=0")

CHUNK = 4  # candidates: 16 chunks a generation, of which a death costs one
LOOK = 0.05  # seconds between two looks at who is there


def build(*overrides: str) -> Evolution:
    with initialize_config_dir(config_folder(), version_base="1.3"):
        learner = build_learner(compose("config", overrides=["run_dir=none", *SIZES, *overrides]))
    assert isinstance(learner, Evolution)
    return learner


def generations(learner: Evolution) -> Iterator[tuple[Tensor, Tensor]]:
    """The returns [P, R] of one generation after the other, and the mean [D] after it."""
    seed = 0
    while True:
        population = learner.optimizer.ask()
        achieved = learner.rollout(population, learner.rollouts, seed, training=True, group=learner.group)
        learner.optimizer.step(lambda: achieved.returns.double().mean(1))  # noqa: B023 (called at once)
        yield achieved.returns, torch.from_numpy(learner.optimizer.mean())
        seed += 1


def workers() -> list[psutil.Process]:
    """The processes in which workers of this one compute, those that are just starting among them: the children of the
    server from which they are forked."""
    servers = psutil.Process().children()
    return [each for server in servers for each in server.children()]


class Chaos(threading.Thread):
    """Kills one of `count` workers after the other, one every so many seconds, until it is stopped."""

    def __init__(self, engine: Engine, count: int, every: float) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self.away: list[float] = []  # seconds until all were there again
        self._engine, self._count, self._every = engine, count, every
        self._over = threading.Event()

    def run(self) -> None:
        draw, start = random.Random(0), time.monotonic()
        while not self._over.wait(start + self._every * (self.killed + 1) - time.monotonic()):
            victim = draw.choice(workers())
            os.kill(victim.pid, signal.SIGKILL)
            self.killed += 1
            self._wait_for_all(time.monotonic())

    def _wait_for_all(self, since: float) -> None:
        """Until the next kill, at most."""
        there = Said(self._engine).workers
        while there == self._count and time.monotonic() - since < 1:  # nobody has noticed yet
            there = Said(self._engine).workers
        while there < self._count and time.monotonic() - since < self._every and not self._over.wait(LOOK):
            there = Said(self._engine).workers
        back = f"{time.monotonic() - since:.2f} s" if there == self._count else "not yet"
        if there == self._count:
            self.away.append(time.monotonic() - since)
        print(f"  killed the {self.killed}th; all {self._count} workers are there again: {back}", flush=True)

    def stop(self) -> None:
        self._over.set()
        self.join()


class Disturbed(NamedTuple):
    """What became of a run under chaos."""

    done: list[tuple[Tensor, Tensor]]  # generations
    killed: int
    again: float  # chunks
    away: list[float]


def disturbed(minutes: float, every: float, count: int) -> Disturbed:
    """Play generations while workers are killed."""
    learner = build("cluster=local", f"cluster.workers={count}", f"cluster.chunk={CHUNK}")
    generation = generations(learner)
    done, again = [next(generation)], 0.0  # workers have started
    chaos, start = Chaos(learner.rollout._engine, count, every), time.monotonic()
    chaos.start()
    try:
        while time.monotonic() - start < 60 * minutes:
            done.append(next(generation))
            again += learner.rollout.statistics["cluster/redone"]
            print(f"generation {len(done)}, {time.monotonic() - start:.0f} s, done again {again:.0f}", flush=True)
    finally:
        chaos.stop()
        learner.rollout.close()
    return Disturbed(done, chaos.killed, again, chaos.away)


def compare(done: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Play as many generations here, and end where one differs."""
    for number, (ours, theirs) in enumerate(zip(done, generations(build()), strict=False), start=1):
        if not all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True)):
            raise SystemExit(f"generation {number} differs")
        if number % 20 == 0:
            print(f"generation {number} of {len(done)} is the same", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()
    played = disturbed(args.minutes, args.every, args.workers)
    away = f"{statistics.median(played.away):.2f} s (median)" if played.away else "-"
    away += f", {played.killed - len(played.away)} times not before the next kill"
    print(f"{len(played.done)} generations, {played.killed} workers killed, {played.again:.0f} chunks done again")
    print(f"from a kill until all workers are there: {away}; now the same undisturbed", flush=True)
    compare(played.done)
    if played.killed < 0.9 * 60 * args.minutes / args.every:
        raise SystemExit("but too few were killed: this machine is too busy")
    print("nothing is lost: all returns and all means are equal to the bit")


if __name__ == "__main__":
    main()
