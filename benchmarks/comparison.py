"""Two sides of a comparison, measured in turns on the same machine.

Everything is printed as it is measured. A comparison ends in a line `ratio: NUMBER`, ours over theirs, more is better:
the ratio of the medians over the rounds.
"""

import argparse
import statistics
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from anx.experiment.build import build_rollout
from anx.experiment.config.own_configs import config_folder
from anx.experiment.files.weights import load_into, read_weights
from anx.population import get_vector, num_parameters

ROUNDS, QUICK_ROUNDS = 5, 3
WIDTH = 66  # of a comparison's name
SHIPPED = "anx:cartpole"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks have; `rounds` is None where the user says nothing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, few rounds: does it run, and about how fast?"
    )
    parser.add_argument("--rounds", type=int, help=f"of each comparison; default {ROUNDS}, {QUICK_ROUNDS} if quick")
    return parser


def rounds_of(args: argparse.Namespace) -> int:
    return args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)


def build(*overrides: str) -> tuple[Any, Any]:
    """The agent and the rollout that a command line of `overrides` would make."""
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return build_rollout(compose("config", overrides=["run_dir=none", *overrides]))


def population_around(centre: Tensor, popsize: int, sigma: float) -> Tensor:
    """`popsize` candidates [P, D], drawn on the CPU: the same on every device."""
    noise = torch.randn(popsize, len(centre), generator=torch.Generator().manual_seed(0))
    return centre + sigma * noise.to(centre)


def start_and_end_of_training(agent: Any, popsize: int, weights: str = SHIPPED) -> dict[str, Tensor]:
    """Two populations [P, D] that bracket a training: around 0, where most episodes soon end, and around an agent that
    was trained, where most last."""
    zero = torch.zeros(num_parameters(agent), device=next(agent.parameters()).device)
    load_into(agent, read_weights(weights), weights)
    return {
        "untrained, around 0, sigma 0.1": population_around(zero, popsize, 0.1),
        f"around {weights}, sigma 0.01": population_around(get_vector(agent), popsize, 0.01),
    }


class Server:
    """A process of its own that measures when it is told to.

    It prints `ready` once it is warm, and then, for every line that it reads, the seconds that the request took.
    """

    def __init__(self, command: Sequence[Any], **options: Any) -> None:
        self.command = [str(part) for part in command]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True, **options)

    def wait_until_ready(self) -> None:
        self._read()

    def _read(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.command)} ended with exit code {self.process.wait()}")
        return line

    def seconds(self, request: str = "go") -> float:
        """What `request`, a line, took."""
        assert self.process.stdin
        self.process.stdin.write(f"{request}\n")
        self.process.stdin.flush()
        return float(self._read())

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()  # nothing more to read: it ends
        self.process.wait()


def take_turns(
    heading: str, sides: dict[str, Callable[[], float]], unit: str, measured: dict[str, list[float]]
) -> None:
    """One round: let each side measure once, append that to what it measured before, and print it."""
    for side, measure in sides.items():
        measured.setdefault(side, []).append(measure())
    latest = "  ".join(f"{side} {number(measured[side][-1], unit)} {unit}" for side in sides)
    print(f"{heading}  {latest}", flush=True)


def measure_in_turns(
    name: str, sides: dict[str, Callable[[], float]], unit: str, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """What each of the sides measures, round by round."""
    measured: dict[str, list[float]] = {}
    for current in range(1, rounds + 1):
        take_turns(f"{name:{WIDTH}s} round {current}/{rounds}", sides, unit, measured)
    return measured


def number(value: float, unit: str) -> str:
    """Seconds with two decimals, speeds without."""
    return f"{value:,.2f}" if unit == "s" else f"{value:,.0f}"


def conclude(name: str, measured: dict[str, list[float]], unit: str) -> None:
    """Print each side's median and spread and, ours first, the ratio of two; in seconds less is better, else more."""
    medians = [statistics.median(values) for values in measured.values()]
    for (side, values), median in zip(measured.items(), medians, strict=True):
        spread = f"{number(min(values), unit)} to {number(max(values), unit)}"
        print(f"{name:{WIDTH}s} {side:9s} {number(median, unit)} {unit} ({spread})")
    if len(medians) == 2:
        ours, theirs = medians
        print(f"{name:{WIDTH}s} ratio: {theirs / ours if unit == 's' else ours / theirs:.2f}", flush=True)


def compare(name: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> None:
    """Measure and compare two speeds, in simulated steps/s."""
    sides = {"ours": ours, "theirs": theirs}
    conclude(name, measure_in_turns(name, sides, "steps/s", rounds), "steps/s")
