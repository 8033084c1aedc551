"""Inputs that are missing in training, another share of them in each batch: a student of one share knows no other."""

from collections.abc import Sequence

import torch

from anx.agent.agent import Agent
from anx.perturb.base import Perturbation
from anx.perturb.inputs import Occlude
from anx.perturb.pipeline import Pipeline
from anx.seeds import TRAINING, derive_seed


class Missing:
    """Draws the share of a batch, of the inputs that other perturbations leave.

    Args:
        shares: the lowest and the highest.
        agent: whose inputs these are.
        perturbations: the others.

    Raises:
        ValueError: these are no two shares in order, or the agent can't miss as many.
    """

    def __init__(self, shares: Sequence[float], agent: Agent, perturbations: Sequence[Perturbation]) -> None:
        if len(shares) != 2 or not 0 <= shares[0] <= shares[1] < 1:
            raise ValueError(f"occlude={shares} must be two shares, at least 0 and less than 1, the lower one first")
        if agent.fixed_inputs is not None:
            raise ValueError(f"occlude={shares} must be null: an agent without attention takes all of its inputs")
        Pipeline(agent, [*perturbations, Occlude(shares[1])], 1, 0)  # ValueError where none would remain
        self.lowest, self.highest = shares

    def __call__(self, seed: int) -> Occlude:
        """What befalls the batch of a seed."""
        drawn = torch.rand((), generator=torch.Generator().manual_seed(derive_seed(seed, TRAINING))).item()
        return Occlude(self.lowest + drawn * (self.highest - self.lowest))
