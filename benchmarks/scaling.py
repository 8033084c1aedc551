"""At how many workers does a cluster stop to pay? A model from measured times, and what two workers here really bring.

    python benchmarks/scaling.py                       measures, prints docs/scaling.md's tables
    python benchmarks/scaling.py --only cartpole ant

Measured in seconds of one core, so that a busy machine does not matter: what a simulated step costs in a chunk of 4
candidates x 16 episodes; the solver's ask and tell, of the paper's population; and, over a local cluster, the head's
work for a task. A generation with W workers takes

    t(W) = solver + K (task + bytes of a chunk / bandwidth) + ceil(K / W) c R L step,    K = ceil(P / c)

with c candidates a chunk, chosen for each W so that t is least, and L steps an episode. The head's work is counted as
if nothing of it ran while workers compute. At most P workers have anything to do. `--validate` plays generations with
one worker and with two and prints them beside the model; a few minutes for each task, and on a quiet machine only.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

import numpy as np
import psutil
import torch
from comparison import build, population_around
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from anx.cluster.local import Local
from anx.experiment.build import build_rollout, on_cluster
from anx.experiment.config.own_configs import config_folder
from anx.population import num_parameters

P, R = 256, 16  # the paper's population
CANDIDATES = 4  # of a chunk, where one is timed
LONG_ENOUGH = 2  # seconds, for a measurement
BANDWIDTH = 125e6  # bytes a second: one gigabit
T = TypeVar("T")
WORKERS = (1, 2, 16, 64, 256, 1000, 10000)
PAYS = 0.5  # of the workers' time that has to be of use


class Task(NamedTuple):
    """What is trained."""

    overrides: tuple[str, ...]
    steps: int  # L, of an episode of an agent that is trained
    measured: int  # steps of the episodes that are timed
    spread: float  # of the candidates that are timed: they have to last


TASKS = {
    "cartpole": Task(("optimizer=cmaes",), 434, 300, 0.3),
    "ant": Task(("+experiment=ant",), 1000, 100, 3.0),
    "pong": Task(("+experiment=pong",), 1800, 30, 0.1),
    "car_racing": Task(("+experiment=car_racing",), 1000, 30, 0.1),
}


class Costs(NamedTuple):
    """Seconds, but for D."""

    parameters: int  # D
    step: float  # of one episode
    solver: float  # a generation
    task: float  # of the head


def busy() -> float:
    """Seconds that this process and those it has started have computed so far: others that are busy do not count."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(times.user + times.system for times in (each.cpu_times() for each in processes))


def seconds_a_step(task: Task) -> float:
    """What a step of one episode costs one core."""
    agent, rollout = build(*task.overrides, f"env.max_steps={task.measured}")
    population = population_around(torch.zeros(num_parameters(agent)), P, task.spread)
    chunks = population.split(CANDIDATES)
    rollout(chunks[0], R, 0, training=True, candidates=P)  # compiles and starts environments
    steps, turn, start, computed = 0, 0, time.perf_counter(), busy()
    while time.perf_counter() - start < LONG_ENOUGH:
        steps += int(rollout(chunks[turn % len(chunks)], R, turn, training=True, candidates=P).steps.sum())
        turn += 1
    seconds = busy() - computed
    rollout.close()
    return seconds / steps


def seconds_of_solver(task: Task, dimension: int, generations: int = 4) -> float:
    """Ask and tell, a generation; the first one, which sets things up, is left out."""
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("config", overrides=["run_dir=none", *task.overrides, f"optimizer.popsize={P}"])
    solver, random = instantiate(config.optimizer)(dimension), np.random.default_rng(0)
    start = 0.0
    for generation in range(generations + 1):
        if generation == 1:
            start = time.process_time()
        solver.ask()
        solver.tell(random.standard_normal(P))
    return (time.process_time() - start) / generations


def seconds_a_task(dimension: int, tasks: int = 200) -> float:
    """Of the head, to send a task with the parameters of one candidate and take what comes back."""
    engine = Local(workers=1)
    vector = np.zeros((1, dimension), np.float32)
    try:
        engine.submit(len, vector).result()
        start = time.process_time()
        for future in [engine.submit(len, vector) for _ in range(tasks)]:
            future.result()
        return (time.process_time() - start) / tasks
    finally:
        engine.shutdown()


def generation(costs: Costs, steps: int, workers: int, candidates: int = P, episodes: int = R) -> float:
    """t(W), the least over the chunk sizes."""

    def seconds(size: int) -> float:
        chunks = math.ceil(candidates / size)
        head = costs.task + 4 * size * costs.parameters / BANDWIDTH
        return costs.solver + chunks * head + math.ceil(chunks / workers) * size * episodes * steps * costs.step

    return min(seconds(size) for size in range(1, candidates + 1))


def efficiency(costs: Costs, steps: int, workers: int) -> float:
    """The share of W workers' time that is of use, as one worker without a head would need it."""
    return P * R * steps * costs.step / (workers * generation(costs, steps, workers))


def most(costs: Costs, steps: int) -> int:
    """The most workers at which half of their time is of use."""
    return max((count for count in range(1, P + 1) if efficiency(costs, steps, count) >= PAYS), default=0)


def rows(measured: dict[str, Costs]) -> Iterator[str]:
    """The tables, as Markdown."""
    yield "| | D | a step | an episode | the solver | a task | parameters out | returns back | pays up to |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, costs in measured.items():
        steps = TASKS[name].steps
        out, back = 4 * P * costs.parameters / 1e6, 8 * P * R / 1e3
        yield (
            f"| {name} | {costs.parameters:,} | {1e6 * costs.step:,.1f} µs | {steps * costs.step:.3g} s | "
            f"{costs.solver:.2g} s | {1e3 * costs.task:.1f} ms | {out:.1f} MB | {back:.0f} kB | {most(costs, steps)} |"
        )
    yield ""
    yield f"| | {' | '.join(f'{count:,}' for count in WORKERS)} |"
    yield f"|---|{'---|' * len(WORKERS)}"
    for name, costs in measured.items():
        steps = TASKS[name].steps
        cells = [f"{generation(costs, steps, n):.3g} s ({efficiency(costs, steps, n):.0%})" for n in WORKERS]
        yield f"| {name} | {' | '.join(cells)} |"


def with_cores(count: int, function: Callable[..., T], *arguments: object) -> T:
    """What a function returns in a process of its own that has so many cores, as all have that it starts: a worker
    steps environments in further ones."""
    cores = set(sorted(os.sched_getaffinity(0))[:count])
    with ProcessPoolExecutor(1, get_context("spawn"), os.sched_setaffinity, (0, cores)) as pool:
        return pool.submit(function, *arguments).result()


def validate(name: str, costs: Costs) -> None:
    """A generation with one worker and with two, one core each, beside the model."""
    task = TASKS[name]
    chunks = validated(task, costs)
    for workers in (1, 2):
        taken, steps = with_cores(workers, seconds_of_generation, name, workers, chunks)
        model = chunks * costs.task + steps * costs.step / workers
        print(
            f"{name} {CANDIDATES * chunks} x {R}, {workers} workers: {taken:.2f} s, the model {model:.2f} s", flush=True
        )


def seconds_of_generation(name: str, workers: int, chunks: int) -> tuple[float, int]:
    """Of the faster of two, with so many workers, and its steps."""
    task = TASKS[name]
    overrides = [*task.overrides, f"env.max_steps={task.measured}", "cluster=local", f"cluster.chunk={CANDIDATES}"]
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("config", overrides=["run_dir=none", *overrides, f"cluster.workers={workers}"])
    agent, here = build_rollout(config)
    rollout = on_cluster(config, here)
    population = population_around(torch.zeros(num_parameters(agent)), CANDIDATES * chunks, task.spread)
    taken = []
    for turn in range(4):  # the first one compiles and starts environments, in the second all workers are there
        start = time.perf_counter()
        achieved = rollout(population, R, 1, training=True)
        taken.append(time.perf_counter() - start)
        say(f"{name}, {workers} workers: generation {turn + 1} of 4 took {taken[-1]:.1f} s")
    rollout.close()
    return min(taken[2:]), int(achieved.steps.sum())


def validated(task: Task, costs: Costs) -> int:
    """Chunks of the generation that is played: at least 4, and more where those take less than five seconds."""
    chunks = 4
    while chunks < P // CANDIDATES and chunks * CANDIDATES * R * task.measured * costs.step < 5:
        chunks *= 2
    return chunks


def measure(name: str) -> Costs:
    """All costs of one task; what plays and searches has one core, as a worker has."""
    say(f"{name}: what the head does for a task")
    dimension = num_parameters(build(*TASKS[name].overrides)[0])
    task = seconds_a_task(dimension)
    say(f"{name}: steps")
    step = with_cores(1, seconds_a_step, TASKS[name])
    say(f"{name}: the solver")
    solver = with_cores(1, seconds_of_solver, TASKS[name], dimension)
    costs = Costs(dimension, step, solver, task)
    print(f"{name}: {costs}", flush=True)
    return costs


def say(text: str) -> None:
    """Progress, apart from results."""
    print(f"  {text}", file=sys.stderr, flush=True)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--validate", action="store_true")
    args = parser.parse_args(given)
    measured = {name: measure(name) for name in args.only}
    print("\n".join(rows(measured)), flush=True)
    for name in args.only if args.validate else ():
        validate(name, measured[name])


if __name__ == "__main__":
    main()
