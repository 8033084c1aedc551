"""From observations to what the neurons get, under perturbations."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from anx.agent.agent import Agent
from anx.perturb.base import Perturbation
from anx.seeds import PERTURBATIONS, derive_seed


class Pipeline:
    """Splits observations into inputs and lets perturbations at them, with randomness of its own.

    Args:
        agent: whose splitter it uses.
        perturbations: applied in this order.
        episodes: R.
        seed: of the episodes; the same seed shuffles the same way, by draws of its own.
    """

    def __init__(self, agent: Agent, perturbations: Sequence[Perturbation], episodes: int, seed: int) -> None:
        self.splitter = agent.splitter
        self.perturbations = tuple(perturbations)
        self.episodes = episodes
        self.counts: list[int] = [self.splitter.num_inputs]  # inputs before each perturbation, and at last after all
        for perturbation in self.perturbations:
            self.counts.append(perturbation.num_inputs(self.counts[-1]))
        self.drawn = tuple(torch.zeros(episodes, 0) for _ in self.perturbations)  # [R, ...] each
        # One stream a perturbation: adding a second one leaves the first one's draws as they were.
        seeds = [derive_seed(seed, PERTURBATIONS, place) for place in range(1, len(self.perturbations) + 1)]
        self.generators = [torch.Generator().manual_seed(own) for own in seeds]

    @property
    def num_inputs(self) -> int:
        """N', the inputs that reach the neurons."""
        return self.counts[-1]

    def draw(self, step: int) -> bool:
        """Draw what is due before `step`; returns whether anything was."""
        due = [
            p.draw(step, self.episodes, count, self.splitter.features, generator)
            for p, count, generator in zip(self.perturbations, self.counts, self.generators, strict=False)
        ]
        self.drawn = tuple(old if new is None else new for old, new in zip(self.drawn, due, strict=True))
        return any(new is not None for new in due)

    def redraw(self, place: int) -> None:
        """Draw anew, within episodes, what the perturbation at a place draws at their start."""
        perturbation, count, generator = self.perturbations[place], self.counts[place], self.generators[place]
        new = perturbation.draw(0, self.episodes, count, self.splitter.features, generator)
        self.drawn = tuple(new if here == place and new is not None else old for here, old in enumerate(self.drawn))

    def at(self, episode: Tensor) -> tuple[Tensor, ...]:
        """What is drawn now for the given episodes [...]: one tensor [..., ...] a perturbation."""
        return tuple(drawn[episode.cpu()].to(episode.device) for drawn in self.drawn)

    def origins(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """For one episode, which of the splitter's N inputs each of the N' inputs is; -1 for one that noise added."""
        marks = torch.arange(self.counts[0], dtype=torch.float64).expand(self.splitter.features, -1).T
        marked = marks + 2.0**40  # far from any noise
        for perturbation, own in zip(self.perturbations, drawn, strict=True):
            marked = perturbation.apply(marked, own.cpu())
        return (marked[:, 0] - 2.0**40).clamp(min=-1).long()

    def batched(self, dims: int) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
        """`sense(observation [batch, ...], drawn [batch, ...]) -> inputs [batch, N', F]`, `batch` of `dims` axes."""

        def sense(observation: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
            inputs = self.splitter(observation)  # [N, F]
            for perturbation, own in zip(self.perturbations, drawn, strict=True):
                inputs = perturbation.apply(inputs, own)
            return inputs

        for _ in range(dims):
            sense = vmap(sense)
        return sense
