"""What befalls an agent's actions on their way to the world."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from anx.perturb.base import Perturbation


class OrderOfActuators(Perturbation):
    """What befalls actuators by an order of them that is drawn once for an episode."""

    befalls: ClassVar[Literal["inputs", "actuators"]] = "actuators"

    def draw(
        self, step: int, episodes: int, num_inputs: int, features: int, generator: torch.Generator
    ) -> Tensor | None:
        """An order of the actuators, [episodes, A]."""
        if step > 0:
            return None
        return torch.rand(episodes, num_inputs, generator=generator).argsort(dim=1)


class PermuteActuators(OrderOfActuators):
    """Each actuator obeys another component of the action: one order, drawn for the episode."""

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        return inputs[drawn]


class DropActuators(OrderOfActuators):
    """A share of the actuators does nothing for the whole episode, whatever it is told.

    Args:
        ratio: the share, from 0 to 1.
    """

    def __init__(self, ratio: float = 0.25) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio={ratio} must be from 0 to 1")
        self.ratio = ratio

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        told, nothing = inputs.unbind(-1)  # [A] each
        reaches = torch.where(drawn < round(self.ratio * len(inputs)), nothing, told)
        return torch.stack([reaches, nothing], dim=-1)
