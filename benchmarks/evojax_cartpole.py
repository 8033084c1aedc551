"""EvoJAX's side of the rollout comparison: its AttentionNeuron policy on its CartPoleSwingUpHarder.

Runs in an environment of its own (`make bench` builds it) and speaks to `rollout.py` through its output: a line
`ready` once compiled, then for each line read from standard input one rollout and one line with its seconds.
"""

import argparse
import sys
import time

import jax
from evojax.policy import PermutationInvariantPolicy
from evojax.sim_mgr import SimManager
from evojax.task.cartpole import CartPoleSwingUp


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--popsize", type=int, default=256)
    parser.add_argument("--rollouts", type=int, default=16)
    parser.add_argument("--sigma", type=float, default=0.1)
    args = parser.parse_args()

    task = CartPoleSwingUp(harder=True)
    policy = PermutationInvariantPolicy(act_dim=1, hidden_dim=16)
    simulation = SimManager(
        n_repeats=args.rollouts,
        test_n_repeats=1,
        pop_size=args.popsize,
        n_evaluations=1,
        policy_net=policy,
        train_vec_task=task,
        valid_vec_task=task,
        seed=0,
    )
    population = args.sigma * jax.random.normal(jax.random.PRNGKey(0), (args.popsize, policy.num_params))
    for _ in range(2):  # compiles
        jax.block_until_ready(simulation.eval_params(population, test=False))
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        scores, _ = simulation.eval_params(population, test=False)
        jax.block_until_ready(scores)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
