"""What mutants spare: the directions of the parameters on which the episodes that go well hang."""

from contextlib import closing

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from anx.agent.agent import Agent
from anx.cores import one_core_algebra
from anx.errors import ConfigError
from anx.internal.pytree import tree_map
from anx.population import in_order, num_parameters
from anx.rollout.world import World, open_world
from anx.solvers.base import Array, Solver
from anx.spec import Specified

NARROWEST = 1e-5  # margin of a decision; narrower ones flip as easily


class Spare:
    """Says which directions of an agent's parameters decide the episodes that it plays well.

    Where nothing is left to chance, a button pressed otherwise changes all that follows, and a mutant far enough away
    to play one episode otherwise loses what its parent had in the others. What buttons hang on can be read from
    gradients (Lehman et al. 2018, safe mutations): a decision's margin, by which the highest score exceeds the next,
    has a gradient over the parameters; divided by the margin it points to the nearest parameters that press the other
    button, and is the longer the nearer they are. The first right singular vectors of all these are what to spare.

    A gradient is that of one step: what a memory held before is taken as it was. Episodes are played without the
    training's perturbations.

    Args:
        directions: K, fewer than there are parameters.
        well: the return above which an episode goes well; null: the mean over the episodes, at or above which.
    """

    def __init__(self, directions: int = 300, well: float | None = None) -> None:
        if directions < 1:
            raise ConfigError(f"learner.spare.directions={directions} must be at least 1")
        self.directions = directions
        self.well = well

    def check(self, agent: Agent, solver: Solver) -> None:
        """ConfigError unless the agent has buttons and more parameters than are spared, by a search that can."""
        dimension = num_parameters(agent)
        if self.directions >= dimension:
            raise ConfigError(
                f"learner.spare.directions={self.directions} must be less than {dimension}, the parameters"
            )
        if not agent.discrete:
            raise ConfigError(f"learner.spare={type(self).__name__} must be null: this agent presses no buttons")
        try:
            solver.spare(np.zeros((0, dimension)))  # none as yet
        except ConfigError as error:
            raise ConfigError(f"optimizer.{error}") from None

    def __call__(self, agent: Agent, env: Specified, seed: int, episodes: int) -> Array:
        """The orthonormal directions [at most K, D] that decide those of a rollout's episodes that go well."""
        like = next(agent.parameters()).detach()
        with closing(open_world(env, like)) as world:
            played = [decide(agent, world, world.reset(seed, episode, episodes)[0]) for episode in range(episodes)]
        returns = np.array([each for _, each in played])
        well = returns >= returns.mean() if self.well is None else returns > self.well
        rows = [rows for (rows, _), kept in zip(played, well, strict=True) if kept]
        if not rows:
            return np.zeros((0, played[0][0].shape[1]))
        decisions = torch.cat(rows)
        with one_core_algebra():
            _, strengths, directions = np.linalg.svd(decisions.double().cpu().numpy(), full_matrices=False)
        noise = 10 * torch.finfo(decisions.dtype).eps * strengths[0]  # below it a direction is anything
        return directions[strengths > noise][: self.directions]


def check_spare(learner: DictConfig) -> None:
    """ConfigError where a learner's configuration has something to spare that stays plain values."""
    if learner.get("spare") is not None and not learner.get("_recursive_", True):
        raise ConfigError(f"learner.spare={learner.spare} needs learner=safe")


def decide(agent: Agent, world: World, observation: Tensor) -> tuple[Tensor, float]:
    """The decisions [T, D] of an episode that begins so, each a margin's gradient by that margin, and its return."""
    parameters = list(in_order(agent).values())
    state, total, rows = agent.initial_state(agent.splitter.num_inputs), 0.0, []
    for _ in range(world.spec.max_steps):
        thought, after = agent.explain(agent.prepare(), agent.splitter(observation).to(parameters[0].dtype), state)
        best, second = thought.scores.topk(2).values
        gradient = torch.autograd.grad(best - second, parameters, materialize_grads=True)
        rows.append(torch.cat([each.flatten() for each in gradient]) / (best - second).detach().clamp(min=NARROWEST))
        state = tree_map(Tensor.detach, after)
        observation, reward, over = world.step(thought.action.detach())
        total += float(reward)
        if over:
            break
    return torch.stack(rows), total
