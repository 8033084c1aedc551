"""What befalls an agent's inputs at test time, or in training."""

import torch
from torch import Tensor

from anx.perturb.base import Perturbation


class Shuffle(Perturbation):
    """The inputs come in a random order.

    Args:
        every: steps after which a new order is drawn; null keeps one order for the episode.
    """

    def __init__(self, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every={every} must be null or at least 1")
        self.every = every

    def draw(
        self, step: int, episodes: int, num_inputs: int, features: int, generator: torch.Generator
    ) -> Tensor | None:
        if step == 0 or (self.every and step % self.every == 0):
            return torch.rand(episodes, num_inputs, generator=generator).argsort(dim=1)
        return None

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        return inputs[drawn]


class Duplicate(Perturbation):
    """Every input comes several times.

    Args:
        times: how often.
    """

    def __init__(self, times: int = 2) -> None:
        if times < 1:
            raise ValueError(f"times={times} must be at least 1")
        self.times = times

    def num_inputs(self, num_inputs: int) -> int:
        return num_inputs * self.times

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        return inputs.repeat(self.times, 1)


class Noise(Perturbation):
    """Inputs of pure Gaussian noise are added.

    Args:
        channels: how many.
        sigma: their standard deviation.
    """

    def __init__(self, channels: int = 5, sigma: float = 0.1) -> None:
        if channels < 1:
            raise ValueError(f"channels={channels} must be at least 1")
        if sigma < 0:
            raise ValueError(f"sigma={sigma} must be at least 0")
        self.channels = channels
        self.sigma = sigma

    def num_inputs(self, num_inputs: int) -> int:
        return num_inputs + self.channels

    def draw(
        self, step: int, episodes: int, num_inputs: int, features: int, generator: torch.Generator
    ) -> Tensor | None:
        return self.sigma * torch.randn(episodes, self.channels, features, generator=generator)

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        return torch.cat([inputs, drawn.to(inputs)])


class Occlude(Perturbation):
    """A share of the inputs is missing for the whole episode.

    Args:
        ratio: the share, at least 0 and below 1; at least one input must remain.
    """

    def __init__(self, ratio: float = 0.2) -> None:
        if not 0 <= ratio < 1:
            raise ValueError(f"ratio={ratio} must be at least 0 and less than 1")
        self.ratio = ratio

    def num_inputs(self, num_inputs: int) -> int:
        kept = num_inputs - round(self.ratio * num_inputs)
        if kept < 1:
            raise ValueError(
                f"ratio={self.ratio} removes all {num_inputs} inputs; allowed: less than {1 - 0.5 / num_inputs:.3g}"
            )
        return kept

    def draw(
        self, step: int, episodes: int, num_inputs: int, features: int, generator: torch.Generator
    ) -> Tensor | None:
        if step > 0:
            return None
        order = torch.rand(episodes, num_inputs, generator=generator).argsort(dim=1)
        return order[:, : self.num_inputs(num_inputs)].sort(dim=1).values

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        return inputs[drawn]
