"""A generation of cart-pole swing-up, 256 candidates x 16 episodes: ours and EvoJAX's, in turns on the same machine.

    make bench                                   both sides, two populations
    python benchmarks/rollout.py --device cuda   ours on a GPU; EvoJAX on its own default device

EvoJAX simulates all 1,000 steps of every episode, also of one that ended at the 90th; ours drops an episode once it has
ended. So there are two comparisons, and which one counts hangs on the question:

- a generation of as many episodes: seconds against seconds, what a training waits for;
- simulated steps/s, each side by the steps that it simulated: how fast a step is.

What a generation costs us depends on what the population does, EvoJAX's costs the same whatever it does. Two
populations bracket a training: candidates around 0, which is where it starts, and around an agent that was trained,
where most episodes last.
"""

import contextlib
import os
import platform
import subprocess
import time
from functools import partial
from pathlib import Path

import torch
from comparison import (
    SHIPPED,
    Server,
    arguments,
    build,
    conclude,
    measure_in_turns,
    rounds_of,
    start_and_end_of_training,
)
from torch import Tensor

from anx.rollout.base import Rollout

HERE = Path(__file__).parent
EVOJAX = HERE.parent / ".venv-evojax" / "bin" / "python"
EVOJAX_STEPS = 1000  # that it simulates of every episode


def seconds(rollout: Rollout, population: Tensor, episodes: int) -> float:
    """Of one generation of ours."""
    start = time.perf_counter()
    rollout(population, episodes, seed=0).returns.sum().item()  # waits for the device
    return time.perf_counter() - start


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--popsize", type=int, help="candidates; default 256, 64 if quick")
    parser.add_argument("--rollouts", type=int, default=16, help="episodes a candidate")
    parser.add_argument("--device", default="cpu", help="of our side")
    parser.add_argument("--weights", default=SHIPPED, help="the trained agent")
    parser.add_argument("--evojax", type=Path, default=EVOJAX, help="the Python of an environment that has EvoJAX")
    args = parser.parse_args()
    popsize = args.popsize or (64 if args.quick else 256)

    device = torch.cuda.get_device_name() if args.device == "cuda" else platform.processor() or platform.machine()
    print(f"{popsize} candidates x {args.rollouts} episodes on {device}, {os.cpu_count()} cores")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    agent, rollout = build()
    populations = start_and_end_of_training(agent.to(args.device), popsize, args.weights)
    first, second = (seconds(rollout, next(iter(populations.values())), args.rollouts) for _ in range(2))
    print(f"ours compiles in {first - second:.0f} s, once a run", flush=True)

    with contextlib.ExitStack() as stack:
        evojax = None
        if args.evojax.is_file():
            command = [args.evojax, HERE / "evojax_cartpole.py", "--popsize", popsize, "--rollouts", args.rollouts]
            evojax = stack.enter_context(Server(command, stderr=subprocess.DEVNULL))
            evojax.wait_until_ready()
        elif args.quick:
            print("EvoJAX is not set up (make bench does that): ours alone, without a ratio", flush=True)
        else:
            parser.error(f"no EvoJAX at --evojax={args.evojax}: make bench sets it up")
        for name, population in populations.items():
            measure(name, rollout, population, args.rollouts, evojax, rounds_of(args))


def measure(name: str, rollout: Rollout, population: Tensor, episodes: int, evojax: Server | None, rounds: int) -> None:
    """One population on both sides; where EvoJAX is not set up, on ours."""
    sides = {"ours": partial(seconds, rollout, population, episodes)}
    if evojax:
        sides["EvoJAX"] = evojax.seconds
    times = measure_in_turns(f"{name}: a generation", sides, "s", rounds)
    steps = {"ours": int(rollout(population, episodes, seed=0).steps.sum())}
    steps["EvoJAX"] = len(population) * episodes * EVOJAX_STEPS
    speeds = {side: [steps[side] / each for each in values] for side, values in times.items()}
    conclude(f"{name}: a generation", times, "s")
    print(f"{name}: ours simulates {steps['ours'] / len(population) / episodes:.0f} steps an episode, EvoJAX all 1,000")
    conclude(f"{name}: simulated steps", speeds, "steps/s")


if __name__ == "__main__":
    main()
