"""Ten minutes of chaos: a run whose workers are killed every ten seconds, and the same run undisturbed.

    make chaos
    python benchmarks/chaos.py --minutes 1 --every 5

A search trains cart-pole over two local workers, one of which is killed with SIGKILL every ten seconds, for as long as
was asked for. Then the same search plays as many generations in this process. The returns of every candidate in every
generation, and every mean, must be equal to the bit.
"""

import argparse
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from anx.experiment.config.own_configs import config_folder
from anx.experiment.prepare import build_learner
from anx.learners.evolution import Evolution

SIZES = ("optimizer.popsize=64", "learner.rollouts=8", "env.max_steps=60", "rollout.compile=false", "seed=0")

STARTING = 8.0  # seconds


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
    """The processes in which workers of this one compute, but for those that are just starting."""
    own = psutil.Process().children(recursive=True)
    started = (each for each in own if "spawn_main" in " ".join(each.cmdline()))
    return [each for each in started if time.time() - each.create_time() > STARTING]


def kill_every(seconds: float, stop: threading.Event, say: Callable[[str], object]) -> int:
    """Kill one worker after the other until told to stop; returns how many."""
    killed, draw = 0, random.Random(0)
    while not stop.wait(seconds):
        there = workers()
        if there:
            victim = draw.choice(there)
            os.kill(victim.pid, signal.SIGKILL)
            killed += 1
            say(f"killed {victim.pid}, the {killed}th, of {len(there)}")
    return killed


def disturbed(minutes: float, every: float) -> tuple[list[tuple[Tensor, Tensor]], int, float]:
    """What generations come to under chaos, how many workers were killed, and how many chunks were done again."""
    learner, stop, killed, again = (
        build("cluster=local", "cluster.workers=2", "cluster.chunk=8"),
        threading.Event(),
        [0],
        0.0,
    )
    done, generation = [], generations(learner)
    done.append(next(generation))  # workers have started
    start = time.monotonic()

    def kill() -> None:
        killed[0] = kill_every(every, stop, lambda text: print(f"  {text}", flush=True))

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        while time.monotonic() - start < 60 * minutes:
            done.append(next(generation))
            again += learner.rollout.statistics["cluster/redone"]
            print(f"generation {len(done)}, {time.monotonic() - start:.0f} s, done again {again:.0f}", flush=True)
    finally:
        stop.set()
        killing.join()
        learner.rollout.close()
    return done, killed[0], again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    args = parser.parse_args()
    done, killed, again = disturbed(args.minutes, args.every)
    print(
        f"{len(done)} generations, {killed} workers killed, {again:.0f} chunks done again; now undisturbed", flush=True
    )
    for number, (ours, theirs) in enumerate(zip(done, generations(build()), strict=False), start=1):
        if not all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True)):
            raise SystemExit(f"generation {number} differs")
    print("nothing is lost: all returns and all means are equal to the bit")


if __name__ == "__main__":
    main()
