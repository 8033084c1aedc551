"""What the cores of this machine bring: a generation of the default experiment on all of them against one of them.

    make bench
    python benchmarks/cores.py --rollout car_racing     of a rollout whose environments step on the CPU: an evaluation

Two processes build the same rollout, one with all c cores, the other with one (OMP_NUM_THREADS=1, and bound to one core
where the system can do that); each plays when it is told to, one after the other, first on a quiet machine, then beside
b busy processes. Two comparisons for each population:

- quiet: seconds on one core over seconds on all; c is the most it can be.
- beside busy processes: seconds that the fair share would take over seconds taken; 1 is fair, less is worse. A fair
  system gives each of n threads that want c cores min(1, c / n) of a core. A rollout that keeps c cores busy has c of
  these threads, so its share is c * min(1, c / (c + b)) cores; that of a rollout on one core is min(1, c / (1 + b)):
  0.8 and 0.5 of a core for 2 cores and 3 busy processes. The work is what one core does alone and undisturbed in t
  seconds, so that a share of s cores takes t / s: a rollout that keeps its cores busy no better than it does on a quiet
  machine falls short here too.

Wanted on two cores: quiet at least 1.8, beside others at least 0.67, which is 1.5 times the seconds of the fair share.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from comparison import (
    WIDTH,
    Server,
    arguments,
    build,
    conclude,
    population_around,
    rounds_of,
    start_and_end_of_training,
    take_turns,
)
from joblib import cpu_count
from torch import Tensor

from anx.population import num_parameters


class Task(NamedTuple):
    """A rollout that is timed."""

    overrides: tuple[str, ...]
    popsizes: tuple[int, ...]
    episodes: int


TASKS = {
    "cartpole": Task((), (64, 256), 16),
    "ant": Task(("+experiment=ant", "env.max_steps=250"), (1,), 64),
    "car_racing": Task(("+experiment=car_racing", "env.max_steps=50"), (1,), 16),
    "pong": Task(("+experiment=pong", "env.max_steps=200"), (1,), 128),
}


def populations_of(task: Task, agent: torch.nn.Module) -> dict[str, Tensor]:
    """By name, each [P, D]."""
    if task.popsizes == (1,):
        return {"evaluation": population_around(torch.zeros(num_parameters(agent)), 1, 0.1)}
    return {
        f"{popsize} x {task.episodes} {name}": population
        for popsize in task.popsizes
        for name, population in start_and_end_of_training(agent, popsize).items()
    }


def serve(task: Task, one_core: bool) -> None:
    """Play the population whose number is read, print the seconds; `ready` first, once all is compiled and started."""
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    agent, rollout = build(*task.overrides)
    populations = list(populations_of(task, agent).values())
    for population in populations:
        rollout(population, task.episodes, 0)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        rollout(populations[int(line)], task.episodes, 0)
        print(time.perf_counter() - start, flush=True)
    rollout.close()


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes of this one's priority that compute and never wait."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they are at it
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def fair_share(threads: int, busy: int, cores: int) -> float:
    """Cores that a fair system leaves to `threads` beside `busy` other ones."""
    return threads * min(1.0, cores / (threads + busy))


def measure(name: str, number: int, servers: dict[str, Server], busy: int, cores: int, rounds: int) -> None:
    """One population: quiet and busy in turns, both sides each."""
    sides = {side: partial(server.seconds, str(number)) for side, server in servers.items()}
    quiet: dict[str, list[float]] = {}
    beside: dict[str, list[float]] = {}
    disturbed = f"{name}: beside {busy} busy"
    for current in range(1, rounds + 1):
        take_turns(f"{name + ': quiet':{WIDTH}s} round {current}/{rounds}", sides, "s", quiet)
        with busy_processes(busy):
            take_turns(f"{disturbed:{WIDTH}s} round {current}/{rounds}", sides, "s", beside)
    conclude(f"{name}: quiet", quiet, "s")
    work = statistics.median(quiet["one core"])  # in seconds of one core
    for side, threads in (("all cores", cores), ("one core", 1)):
        taken, share = statistics.median(beside[side]), fair_share(threads, busy, cores)
        fair = work / share
        print(f"{disturbed:{WIDTH}s} {side} {taken:.2f} s; {fair:.2f} s would be its fair share, {share:.2f} of a core")
        print(
            f"{disturbed + ', ' + side:{WIDTH}s} {taken / fair:.2f} times its fair share, ratio: {fair / taken:.2f}",
            flush=True,
        )


def start(options: list[str], one_core: bool) -> Server:
    """The side of all cores, or of one, in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    if one_core:
        environment["OMP_NUM_THREADS"] = "1"
        options = [*options, "--one-core"]
    return Server([sys.executable, __file__, *options, "--serve"], env=environment)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rollout", choices=TASKS, default="cartpole")
    parser.add_argument("--busy", type=int, default=3, help="processes that disturb")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one-core", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    task = TASKS[args.rollout]
    if args.quick:
        task = task._replace(popsizes=task.popsizes[:1])
    if args.serve:
        serve(task, args.one_core)
        return

    cores = cpu_count()
    print(f"{args.rollout} on {cores} cores against one, quiet and beside {args.busy} busy processes", flush=True)
    options = ["--rollout", args.rollout, *["--quick"] * args.quick]
    with start(options, one_core=False) as every, start(options, one_core=True) as one:
        servers = {"all cores": every, "one core": one}
        for server in servers.values():
            server.wait_until_ready()
        for number, name in enumerate(populations_of(task, build(*task.overrides)[0])):
            measure(name, number, servers, args.busy, cores, rounds_of(args))


if __name__ == "__main__":
    main()
