"""The 256 x 16 population rollout on cart-pole swing-up: ours and EvoJAX's, alternating, on the same CPU or GPU.

    make bench                                   both sides, two populations
    python benchmarks/rollout.py --device cuda   ours on a GPU; EvoJAX on its own default device

Speed is 1,000 nominal steps an episode on both sides, whether or not the episode ended before: what a generation costs.
EvoJAX steps all episodes to the end; ours drops those that ended, so its speed depends on what the population does. Two
populations bracket a training: candidates drawn around 0, which is where it starts, and around an agent that was
trained, where most episodes last.

Every comparison ends in a line `ratio: NUMBER`, ours over theirs: the median over the rounds of each side.
"""

import argparse
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir

from anx.build import build_rollout
from anx.config import config_folder
from anx.interop import load_into, read_weights
from anx.population import get_vector, num_parameters
from anx.rollout.base import Rollout

HERE = Path(__file__).parent
NOMINAL_STEPS = 1000


class Theirs:
    """EvoJAX in a process of its own, compiled and waiting."""

    def __init__(self, python: Path, popsize: int, rollouts: int) -> None:
        command = [python, HERE / "evojax_cartpole.py", "--popsize", popsize, "--rollouts", rollouts]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._read()  # ready

    def _read(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{HERE / 'evojax_cartpole.py'} ended with exit code {self.process.wait()}")
        return line

    def seconds(self) -> float:
        """Seconds of one rollout."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def population_around(centre: torch.Tensor, popsize: int, sigma: float) -> torch.Tensor:
    noise = torch.randn(popsize, len(centre), generator=torch.Generator().manual_seed(0))
    return centre + sigma * noise.to(centre)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--popsize", type=int, default=256)
    parser.add_argument("--rollouts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--weights", type=Path, default=HERE.parent / "agents" / "cartpole.safetensors", help="trained agent"
    )
    parser.add_argument("--evojax", type=Path, default=HERE.parent / ".venv-evojax" / "bin" / "python")
    args = parser.parse_args()

    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("config", overrides=["run_dir=none"])
    agent, rollout = build_rollout(config)
    agent.to(args.device)
    zero = torch.zeros(num_parameters(agent), device=args.device)
    populations = {"random, around 0, sigma 0.1": population_around(zero, args.popsize, 0.1)}
    load_into(agent, read_weights(args.weights), args.weights)
    trained = f"around {args.weights.name}, sigma 0.01"
    populations[trained] = population_around(get_vector(agent), args.popsize, 0.01)

    device = torch.cuda.get_device_name() if args.device == "cuda" else platform.processor() or platform.machine()
    print(f"{args.popsize} candidates x {args.rollouts} episodes on {device}, {os.cpu_count()} cores")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    first, second = (timed(rollout, next(iter(populations.values())), args) for _ in range(2))
    print(f"ours compiles in {first - second:.0f} s, once a run")
    theirs = Theirs(args.evojax, args.popsize, args.rollouts)
    nominal = args.popsize * args.rollouts * NOMINAL_STEPS
    try:
        for name, population in populations.items():
            ours_times, theirs_times = [], []
            for _ in range(args.rounds):
                theirs_times.append(theirs.seconds())
                ours_times.append(timed(rollout, population, args))
            steps = int(rollout(population, args.rollouts, seed=0).steps.sum())
            for side, times in (("ours", ours_times), ("EvoJAX", theirs_times)):
                median = statistics.median(times)
                spread = f"{min(times):.2f} to {max(times):.2f}"
                print(f"{name:42s} {side:7s} {median:6.2f} s ({spread})  {nominal / median:12,.0f} nominal steps/s")
            print(f"{name:42s} episodes last {steps / nominal * NOMINAL_STEPS:.0f} steps of {NOMINAL_STEPS} on average")
            print(
                f"{name:42s} ratio: {statistics.median(theirs_times) / statistics.median(ours_times):.2f}", flush=True
            )
    finally:
        theirs.close()


def timed(rollout: Rollout, population: torch.Tensor, args: argparse.Namespace) -> float:
    """Seconds of one rollout of ours."""
    start = time.perf_counter()
    episodes = rollout(population, args.rollouts, seed=0)
    episodes.returns.sum().item()  # waits for the device
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
