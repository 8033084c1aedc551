"""What a perturbation is: always on one axis, of the N inputs, for scalars and patches alike, or of the A actuators.

A perturbation draws its randomness for all episodes at once and is applied to one episode: what an
episode meets does not depend on which other episodes are still running.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor


class Perturbation(ABC):
    """One perturbation; shapes are those of the inputs it is given, after the perturbations before it.

    One that befalls actuators is given what they are told instead, N = A of them with F = 2 numbers each: what the
    agent tells it, from -1 to 1, and what would tell it to do nothing. As many must come out, of which the first
    counts. The agent remembers its action as it meant it.
    """

    befalls: ClassVar[Literal["inputs", "actuators"]] = "inputs"

    def num_inputs(self, num_inputs: int) -> int:
        """N inputs go in, so many come out."""
        return num_inputs

    def draw(
        self, step: int, episodes: int, num_inputs: int, features: int, generator: torch.Generator
    ) -> Tensor | None:
        """What is drawn before `step` for each episode, [episodes, ...]; None: what was drawn before stays."""
        return None

    @abstractmethod
    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        """Inputs [N, F] of one episode and what was drawn for it [...] -> inputs [N', F]."""
