"""What is played: an agent, where it acts, and how it begins. Many may play it at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from anx.agent.agent import Agent
from anx.demo.controls import Controls
from anx.perturb.base import Perturbation
from anx.population import get_vector
from anx.rollout.base import Rollout
from anx.rollout.world import World, open_world


@dataclass(frozen=True)
class Stage:
    """An agent and its world, which nobody who plays changes.

    Args:
        name: of the world.
        weights: of the agent, as they are called; None: it is untrained.
        agent: that plays.
        rollout: of its environment.
        seed: of the first episode.
        controls: as they are at first.
        fixed: perturbations that nobody changes, before all others.
    """

    name: str
    weights: str | None
    agent: Agent
    rollout: Rollout
    seed: int = 0
    controls: Controls = field(default_factory=Controls)
    fixed: Sequence[Perturbation] = ()

    def vector(self) -> Tensor:
        """The agent's parameters [D], in the precision of evaluations."""
        return get_vector(self.agent).to(self.rollout.evaluation_dtype)

    def open(self) -> World:
        """A world of one's own."""
        return open_world(self.rollout.env, self.vector(), self.rollout.env.has_pictures)
