"""EvoTorch's side of the solvers' step by step comparison: what its functional PGPE and Adam do with fixed fitness.

Runs in an environment of its own (`make reference` builds it) and writes `tests/data/evotorch.npz`, which
`tests/solvers/test_reference.py` holds anx's solvers against. Everything is in double precision, on antithetic pairs
and centred ranks:

    noise [G, P / 2, D]   standard normal; its pairs are the same in every case
    CASE.options          JSON: the solver's name and its arguments, as anx calls them
    CASE.fitness [G, P]   of a generation's candidates
    CASE.mean [G, D]      after the generation
    CASE.sigma [G, D]     after the generation
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from evotorch.algorithms.functional import adam, adam_ask, adam_tell, pgpe, pgpe_ask, pgpe_tell
from evotorch.distributions import (
    SymmetricSeparableGaussian,
    make_functional_grad_estimator,
    make_functional_sampler,
)
from torch import Tensor

OUTPUT = Path(__file__).parents[1] / "tests" / "data" / "evotorch.npz"
GENERATIONS, POPSIZE, D = 30, 12, 10

CASES = {
    "clipup": {"solver": "pgpe", "ascent": "clipup", "sigma0": 0.3, "sigma_lr": 0.1, "sigma_change": 0.2},
    "clipup_limited": {
        **{"solver": "pgpe", "ascent": "clipup", "sigma0": 0.3, "sigma_lr": 2.0, "sigma_change": 0.05},
        **{"lr": 0.2, "momentum": 0.5, "max_speed": 0.25},
    },
    "adam": {"solver": "pgpe", "ascent": "adam", "sigma0": 0.3, "lr": 0.1, "sigma_lr": 0.5, "sigma_change": 0.2},
    "openai_es": {"solver": "openai_es", "sigma0": 0.3, "lr": 0.1, "sigma_decay": 0.98, "lr_decay": 0.97},
}

Told = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # population, fitness -> mean and sigma after it


def quadratic(x: Tensor) -> Tensor:
    """Fitness [P] of candidates [P, D]: highest, 0, at 1; the axes' curvatures are between 1 and 100."""
    return -(torch.logspace(0, 2, D, dtype=x.dtype) * (x - 1) ** 2).sum(-1)


def start_pgpe(options: dict[str, float | str]) -> tuple[Callable[[], Tensor], Told]:
    """EvoTorch's functional PGPE: how to ask and how to tell it."""
    names = {"momentum": "beta1" if options["ascent"] == "adam" else "momentum", "max_speed": "max_speed"}
    config = {theirs: options[ours] for ours, theirs in names.items() if ours in options}
    if options["ascent"] == "clipup" and "max_speed" not in config:
        config["max_speed"] = options["sigma0"] * D**0.5 / 15  # Toklu et al. 2020, section 4
    state = pgpe(
        center_init=torch.zeros(D, dtype=torch.float64),
        center_learning_rate=options.get("lr", config.get("max_speed", 0) / 2),
        stdev_learning_rate=options["sigma_lr"],
        stdev_max_change=options["sigma_change"],
        stdev_init=options["sigma0"],
        objective_sense="max",
        ranking_method="centered",
        optimizer=options["ascent"],
        optimizer_config=config,
    )

    def ask() -> Tensor:
        return pgpe_ask(state, popsize=POPSIZE)

    def tell(population: Tensor, fitness: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal state
        state = pgpe_tell(state, population, fitness)
        return state.optimizer_state.center, state.stdev

    return ask, tell


def start_openai_es(options: dict[str, float]) -> tuple[Callable[[], Tensor], Told]:
    """OpenAI-ES of EvoTorch's parts: its antithetic pairs, its gradient of their mean, its functional Adam."""
    own = {"required_parameters": ["mu", "sigma"]}
    sample = make_functional_sampler(SymmetricSeparableGaussian, **own)
    gradient = make_functional_grad_estimator(
        SymmetricSeparableGaussian,
        **own,
        fixed_parameters={"divide_mu_grad_by": "num_directions"},
        objective_sense="max",
        ranking_method="centered",
    )
    state = adam(center_init=torch.zeros(D, dtype=torch.float64), center_learning_rate=options["lr"])
    sigma = torch.full((D,), options["sigma0"], dtype=torch.float64)

    def ask() -> Tensor:
        return sample(POPSIZE, mu=adam_ask(state), sigma=sigma)

    def tell(population: Tensor, fitness: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal state, sigma
        # Theirs is the mean over the pairs of (r+ - r-) / 2 times the step, sigma e; the paper's has e / sigma instead.
        of_mean = gradient(population, fitness, mu=adam_ask(state), sigma=sigma)["mu"] / sigma**2
        state = adam_tell(state, follow_grad=of_mean)
        state = state._replace(center_learning_rate=state.center_learning_rate * options["lr_decay"])
        sigma = sigma * options["sigma_decay"]
        return adam_ask(state), sigma

    return ask, tell


def play(case: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A search from 0: the noise [G, P / 2, D] that it drew, and what the file holds of it."""
    options = CASES[case]
    ask, tell = {"pgpe": start_pgpe, "openai_es": start_openai_es}[options["solver"]](options)
    torch.manual_seed(0)
    mean, sigma = torch.zeros(D, dtype=torch.float64), torch.full((D,), options["sigma0"], dtype=torch.float64)
    noise, seen = [], {"fitness": [], "mean": [], "sigma": []}
    for _ in range(GENERATIONS):
        population = ask()
        noise.append((population[0::2] - mean) / sigma)
        fitness = quadratic(population)
        mean, sigma = tell(population, fitness)
        for name, value in (("fitness", fitness), ("mean", mean), ("sigma", sigma)):
            seen[name].append(value)
    arrays = {f"{case}.{name}": torch.stack(values).numpy() for name, values in seen.items()}
    return torch.stack(noise).numpy(), {f"{case}.options": np.array(json.dumps(options)), **arrays}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", type=Path, default=OUTPUT)
    args = parser.parse_args()
    played = {case: play(case) for case in CASES}
    noises = [noise for noise, _ in played.values()]
    for noise in noises[1:]:
        np.testing.assert_allclose(noise, noises[0], rtol=0, atol=1e-12)
    contents = {name: array for _, arrays in played.values() for name, array in arrays.items()}
    np.savez_compressed(args.output, noise=noises[0], **contents)
    print(f"{args.output}: {', '.join(played)}; {GENERATIONS} generations of {POPSIZE} in {D} dimensions")
    for case in played:
        start, end = (float(quadratic(torch.from_numpy(contents[f"{case}.mean"][g]))) for g in (0, -1))
        print(f"  {case}: fitness of the mean {start:.1f} -> {end:.1f}")


if __name__ == "__main__":
    main()
