"""Pong: our rollout, policy included, against the bare emulators with random actions. CarRacing: our rollout, shuffled,
against a plain loop over one environment.

    make bench

Speeds count the steps that were simulated. Every comparison ends in a line `ratio: NUMBER`, ours over theirs.
"""

import time
from typing import Any

import numpy as np
import torch
from comparison import arguments, build, compare, rounds_of

from anx.perturb.base import Perturbation
from anx.perturb.inputs import Shuffle
from anx.perturb.pipeline import Pipeline
from anx.population import num_parameters, set_vector

CANDIDATES = 4


def random_population(agent: Any) -> torch.Tensor:
    return 0.1 * torch.randn(CANDIDATES, num_parameters(agent), generator=torch.Generator().manual_seed(0))


def rollout_speed(rollout: Any, population: torch.Tensor, perturbations: list[Perturbation]) -> float:
    """Steps/s of a population's rollout, a job a slot."""
    start = time.perf_counter()
    steps = rollout(population, rollout.slots // CANDIDATES, 0, perturbations).steps.sum()
    return int(steps) / (time.perf_counter() - start)


def random_speed(envs: Any, game: int) -> float:
    """Steps/s of a vector environment over `game` random actions a slot, its reset included as in a rollout."""
    random = np.random.default_rng(0)
    start = time.perf_counter()
    envs.reset(seed=list(range(envs.num_envs)))
    for _ in range(game):
        envs.step(random.integers(0, envs.single_action_space.n, envs.num_envs))
    return game * envs.num_envs / (time.perf_counter() - start)


@torch.inference_mode()
def plain_loop_speed(agent: Any, env: Any, lap: int) -> float:
    """Steps/s over the first `lap` steps of one environment and one agent, one observation at a time."""
    envs = env.make(1, training=False)
    pipeline, prepared = Pipeline(agent, [Shuffle()], 1, 0), agent.prepare()
    pipeline.draw(0)
    sense, drawn = pipeline.batched(0), pipeline.at(torch.tensor(0))
    observation, _ = envs.reset(seed=[0])
    state = agent.initial_state(pipeline.num_inputs)
    start = time.perf_counter()
    for _ in range(lap):
        action, state = agent(prepared, sense(torch.from_numpy(observation[0]), drawn), state)
        observation, *_ = envs.step(action.unsqueeze(0).numpy())
    speed = lap / (time.perf_counter() - start)
    envs.close()
    return speed


def main() -> None:
    args = arguments(__doc__).parse_args()
    rounds = rounds_of(args)
    slots, game, lap = (32, 200, 20) if args.quick else (128, 800, 100)  # the last two: steps of an episode

    agent, rollout = build("+experiment=pong", f"rollout.slots={slots}", f"env.max_steps={game}")
    population = random_population(agent)
    games = rollout.env.make(slots)
    compare(
        f"Pong, {slots} slots, compact policy",
        lambda: rollout_speed(rollout, population, []),
        lambda: random_speed(games, game),
        rounds,
    )
    games.close()
    rollout.close()

    agent, rollout = build("+experiment=car_racing", f"env.max_steps={lap}")
    population = random_population(agent)
    set_vector(agent, population[0])
    compare(
        "CarRacing, shuffled",
        lambda: rollout_speed(rollout, population, [Shuffle()]),
        lambda: plain_loop_speed(agent, rollout.env, lap),
        rounds,
    )
    rollout.close()


if __name__ == "__main__":
    main()
