"""Ant: our environment against AntBulletEnv-v0 on one core, and our rollout against two processes of plain loops.

    make bench

The plain loop is what one would write: the reference environment, and the agent in torch, one observation at a time, on
one thread. Speeds count the steps that were simulated. Every comparison ends in a line `ratio: NUMBER`, ours over
theirs.
"""

import multiprocessing
import time
from typing import Any

import gymnasium
import numpy as np
import pybullet_envs_gymnasium  # noqa: F401 (registers the reference)
import torch
from comparison import arguments, build, compare, rounds_of

from anx.envs.ant import AntEnv
from anx.perturb.pipeline import Pipeline
from anx.population import num_parameters, set_vector

EPISODES, EPISODE = 8, 250  # a candidate, and steps of one
OVERRIDES = ("+experiment=ant", f"env.max_steps={EPISODE}")


def random_vector(agent: Any) -> torch.Tensor:
    """Large weights, whose erratic actions keep an ant on its feet for whole episodes."""
    return 3.0 * torch.randn(num_parameters(agent), generator=torch.Generator().manual_seed(0))


def env_speed(env: gymnasium.Env[Any, Any], steps: int) -> float:
    """Steps/s under random actions."""
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, 8)).astype(np.float32)
    env.reset(seed=0)
    start = time.perf_counter()
    for t, action in enumerate(actions):
        if env.step(action)[2]:
            env.reset(seed=t)
    return steps / (time.perf_counter() - start)


@torch.inference_mode()
def plain_loop(seed: int, steps: int, barrier: Any, results: Any) -> None:
    """One process: the reference environment and one agent; reports its steps/s."""
    torch.set_num_threads(1)
    agent, _ = build(*OVERRIDES)
    set_vector(agent, random_vector(agent))
    env = gymnasium.make("AntBulletEnv-v0").unwrapped
    pipeline = Pipeline(agent, (), 1, 0)
    prepared = agent.prepare()
    observation, _ = env.reset(seed=seed)
    state = agent.initial_state(pipeline.num_inputs)
    barrier.wait()
    start = time.perf_counter()
    for t in range(steps):
        action, state = agent(prepared, agent.splitter(torch.from_numpy(observation)), state)
        observation, _, ended, _, _ = env.step(action.numpy())
        if ended or t % EPISODE == EPISODE - 1:
            observation, _ = env.reset(seed=seed + t)
            state = agent.initial_state(pipeline.num_inputs)
    results.put(steps / (time.perf_counter() - start))


def plain_loops(steps: int) -> float:
    """Steps/s of two processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=plain_loop, args=(seed, steps, barrier, results)) for seed in (0, 1000)]
    for process in processes:
        process.start()
    total = sum(results.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def main() -> None:
    args = arguments(__doc__).parse_args()
    rounds = rounds_of(args)
    steps, popsize, slots = (500, 4, 16) if args.quick else (2000, 16, 64)

    mine, reference = AntEnv(), gymnasium.make("AntBulletEnv-v0").unwrapped
    compare("Ant, environment on one core", lambda: env_speed(mine, steps), lambda: env_speed(reference, steps), rounds)

    agent, rollout = build(*OVERRIDES, f"rollout.slots={slots}")
    population = random_vector(agent).repeat(popsize, 1)

    def roll_out() -> float:
        start = time.perf_counter()
        simulated = int(rollout(population, EPISODES, seed=0).steps.sum())
        return simulated / (time.perf_counter() - start)

    roll_out()  # starts the processes
    compare(f"Ant, {slots} slots, agent included", roll_out, lambda: plain_loops(steps), rounds)
    rollout.close()


if __name__ == "__main__":
    main()
