"""What a cluster costs: a generation over two local workers against the plain rollout with two cores, in turns.

    python benchmarks/cluster.py

256 candidates x 16 episodes: cart-pole around the shipped agent, and ants around large random weights, whose episodes
are cut after 50 steps so that a generation takes half a minute. Both sides are warm: what has to be compiled is, and
environments have started. The returns of both must be equal to the bit. Wanted: a ratio of 0.9 for ants. On a quiet
machine the whole takes about six minutes.
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from comparison import SHIPPED, arguments, conclude, measure_in_turns, population_around, rounds_of
from hydra import compose, initialize_config_dir
from torch import Tensor

from anx.experiment.build import build_rollout, on_cluster
from anx.experiment.config.own_configs import config_folder
from anx.experiment.files.weights import load_into, read_weights
from anx.population import get_vector, num_parameters
from anx.rollout.base import Episodes, Rollout


class Task(NamedTuple):
    """A generation that is timed."""

    overrides: tuple[str, ...]
    candidates: int
    episodes: int


TASKS = {
    "cartpole": Task((), 256, 16),
    "ant": Task(("+experiment=ant", "env.max_steps=50"), 256, 16),
}
QUICK = {
    "cartpole": Task((), 64, 16),
    "ant": Task(("+experiment=ant", "env.max_steps=50"), 8, 16),
}


def sides_of(task: Task, workers: int, chunk: int | None) -> tuple[Rollout, Rollout, Tensor]:
    """Ours on a cluster, theirs here, and a population [P, D]."""
    cluster = ["cluster=local", f"cluster.workers={workers}", f"cluster.chunk={'null' if chunk is None else chunk}"]
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("config", overrides=["run_dir=none", *task.overrides, *cluster])
    agent, here = build_rollout(config)
    if task.overrides:
        return (
            on_cluster(config, here),
            here,
            population_around(torch.zeros(num_parameters(agent)), task.candidates, 3.0),
        )
    load_into(agent, read_weights(SHIPPED), SHIPPED)
    return on_cluster(config, here), here, population_around(get_vector(agent), task.candidates, 0.01)


def timed(rollout: Rollout, population: Tensor, episodes: int, played: dict[Rollout, Episodes]) -> Callable[[], float]:
    """Plays a generation and returns the seconds."""

    def seconds() -> float:
        start = time.perf_counter()
        played[rollout] = rollout(population, episodes, 0, training=True)
        return time.perf_counter() - start

    return seconds


def measure(name: str, task: Task, args: argparse.Namespace) -> None:
    """One comparison."""
    ours, theirs, population = sides_of(task, args.workers, args.chunk)
    played: dict[Rollout, Episodes] = {}
    sides = {
        "ours": timed(ours, population, task.episodes, played),
        "theirs": timed(theirs, population, task.episodes, played),
    }
    heading = f"{name} {task.candidates} x {task.episodes}: {args.workers} workers"
    for name_of_side, side in sides.items():  # warms up: every worker plays some chunks
        print(f"{heading}, {name_of_side}, compiling included: {side():.1f} s", flush=True)
    conclude(heading, measure_in_turns(heading, sides, "s", rounds_of(args)), "s")
    busy = ours.statistics["cluster/busy"]
    same = torch.equal(played[ours].returns, played[theirs].returns)
    print(
        f"{heading}: workers compute {busy:.0%} of the time; returns are {'equal' if same else 'NOT EQUAL'}", flush=True
    )
    ours.close()
    if not same:
        raise SystemExit(1)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, help="candidates a task; default: a 32nd of them")
    parser.add_argument("--only", choices=TASKS)
    args = parser.parse_args()
    for name, task in (QUICK if args.quick else TASKS).items():
        if args.only in (None, name):
            measure(name, task, args)


if __name__ == "__main__":
    main()
