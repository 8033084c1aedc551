"""How many environment steps does a generation need for its gradient to be signal? By episodes, shaping and sigma.

    python benchmarks/gradient_noise.py                              around the agent that ships
    python benchmarks/gradient_noise.py --weights runs/.../last.ckpt --sigmas 0.05 0.1

Two generations around one mean give two estimates of one gradient. Of an estimate's squared length, what two have
in common, the mean of their dot products, is signal, the rest is noise, which falls as the steps grow. The gradient
noise scale (McCandlish et al. 2018, appendix A) is the steps that make both equal; the fewer, the cheaper a training.
"""

import argparse
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import torch
from comparison import SHIPPED, arguments, build
from numpy.typing import NDArray

from anx.experiment.files.weights import load_into, read_weights
from anx.learners.sharing import group_of
from anx.population import get_vector
from anx.rollout.base import Rollout
from anx.solvers.pairs import draw_noise, ends, mirror, shape

Array = NDArray[np.float64]
EPISODES = {"common": 16, "groups": 16, "pairs": 1, "independent": 1}  # a candidate, by who shares them
SHAPINGS = ("ranks", "normalised")


class Generation(NamedTuple):
    """Candidates around a mean, and what they came to."""

    noise: Array  # [P / 2, D]
    fitness: Array  # [P]
    steps: int


def play(rollout: Rollout, mean: Array, sigma: float, episodes: str, jobs: int, seed: int) -> Generation:
    """A generation of so many jobs, candidates times episodes."""
    popsize = jobs // EPISODES[episodes]
    noise = draw_noise(seed, 0, popsize // 2, len(mean))
    population = torch.from_numpy(mirror(mean, sigma * noise)).float()
    played = rollout(population, EPISODES[episodes], seed, group=group_of(episodes, 16, popsize))  # type: ignore[arg-type]
    return Generation(noise, played.returns.double().mean(1).numpy(), int(played.steps.sum()))


def gradient(generation: Generation, shaping: str) -> Array:
    """The estimate [D] that PGPE and OpenAI-ES climb, but for its scale."""
    plus, minus = ends(shape(generation.fitness, shaping))
    return (plus - minus) @ generation.noise / len(generation.noise)


def noise_scale(gradients: Array, steps: float) -> tuple[float, float]:
    """Estimates [K, D], each of so many steps -> the steps at which signal and noise are equal, and the mean cosine of
    two estimates. Infinite where two have nothing in common."""
    dots = gradients @ gradients.T
    pairs = list(combinations(range(len(gradients)), 2))
    signal = float(np.mean([dots[i, j] for i, j in pairs]))
    whole = float(np.mean(np.diag(dots)))
    cosine = float(np.mean([dots[i, j] / np.sqrt(dots[i, i] * dots[j, j]) for i, j in pairs]))
    return (steps * (whole - signal) / signal if signal > 0 else float("inf")), cosine


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__)
    parser.add_argument("--weights", default=SHIPPED, help="the agent around which candidates are drawn")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.05, 0.1, 0.2], help="their standard deviations")
    parser.add_argument("--jobs", type=int, help="episodes a generation; default 4096, 1024 if quick")
    args = parser.parse_args()
    jobs, repeats = args.jobs or (1024 if args.quick else 4096), args.rounds or (3 if args.quick else 8)
    agent, rollout = build("+experiment=cartpole", "rollout.compile=true")
    load_into(agent, read_weights(args.weights), args.weights)
    mean = get_vector(agent).double().numpy()
    print(f"around {args.weights}, {repeats} generations of {jobs} episodes each", flush=True)
    print(
        "| sigma | episodes | shaping | candidates' mean return | cosine of two gradients | million steps for signal |"
    )
    print("|---|---|---|---|---|---|")
    for sigma, episodes in product(args.sigmas, EPISODES):
        played = [play(rollout, mean, sigma, episodes, jobs, seed) for seed in range(1, repeats + 1)]
        steps, fitness = np.mean([each.steps for each in played]), np.mean([each.fitness.mean() for each in played])
        for shaping in SHAPINGS:
            scale, cosine = noise_scale(np.stack([gradient(each, shaping) for each in played]), float(steps))
            words = f"| {sigma} | {episodes} x {EPISODES[episodes]} | {shaping} | {fitness:.0f} | {cosine:.3f} |"
            print(words, f"{scale / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
