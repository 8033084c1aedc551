"""From observations to what the neurons get, and from actions to what the world gets, under perturbations."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from anx.agent.agent import Agent
from anx.perturb.base import Perturbation
from anx.seeds import PERTURBATIONS, derive_seed
from anx.spec import Spec


class Pipeline:
    """Splits observations into inputs and lets perturbations at them and at actions, with randomness of its own.

    Args:
        agent: whose splitter it uses, and whose actions these are.
        perturbations: applied in this order.
        episodes: R.
        seed: of the episodes; the same seed shuffles the same way, by draws of its own.
    """

    def __init__(self, agent: Agent, perturbations: Sequence[Perturbation], episodes: int, seed: int) -> None:
        self.splitter = agent.splitter
        self.action_size = agent.action_size
        self.perturbations = tuple(perturbations)
        self.episodes = episodes
        self.num_inputs: int = self.splitter.num_inputs  # N', the inputs that reach the neurons
        self.sizes: list[tuple[int, int]] = []  # of each perturbation: how many it is given, and leaves
        for perturbation in self.perturbations:
            ours = perturbation.befalls == "inputs"
            given = self.num_inputs if ours else self.action_size
            self.sizes.append((given, perturbation.num_inputs(given)))
            if ours:
                self.num_inputs = self.sizes[-1][1]
        self.drawn = tuple(torch.zeros(episodes, 0) for _ in self.perturbations)  # [R, ...] each
        # One stream a perturbation: adding a second one leaves the first one's draws as they were.
        seeds = [derive_seed(seed, PERTURBATIONS, place) for place in range(1, len(self.perturbations) + 1)]
        self.generators = [torch.Generator().manual_seed(own) for own in seeds]

    def draw(self, step: int) -> bool:
        """Draw what is due before `step`; returns whether anything was."""
        due = [self._draw(place, step) for place in range(len(self.perturbations))]
        self.drawn = tuple(old if new is None else new for old, new in zip(self.drawn, due, strict=True))
        return any(new is not None for new in due)

    def redraw(self, place: int) -> None:
        """Draw anew, within episodes, what the perturbation at a place draws at their start."""
        new = self._draw(place, 0)
        self.drawn = tuple(new if here == place and new is not None else old for here, old in enumerate(self.drawn))

    def _draw(self, place: int, step: int) -> Tensor | None:
        perturbation, (given, _) = self.perturbations[place], self.sizes[place]
        features = self.splitter.features if perturbation.befalls == "inputs" else 2
        return perturbation.draw(step, self.episodes, given, features, self.generators[place])

    def at(self, episode: Tensor) -> tuple[Tensor, ...]:
        """What is drawn now for the given episodes [...]: one tensor [..., ...] a perturbation."""
        return tuple(drawn[episode.cpu()].to(episode.device) for drawn in self.drawn)

    def origins(self, drawn: tuple[Tensor, ...]) -> Tensor:
        """For one episode, which of the splitter's N inputs each of the N' inputs is; -1 for one that noise added."""
        marks = torch.arange(self.splitter.num_inputs, dtype=torch.float64).expand(self.splitter.features, -1).T
        marked = self._befall("inputs", marks + 2.0**40, tuple(own.cpu() for own in drawn))  # far from any noise
        return (marked[:, 0] - 2.0**40).clamp(min=-1).long()

    def batched(self, dims: int) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
        """`sense(observation [batch, ...], drawn [batch, ...]) -> inputs [batch, N', F]`, `batch` of `dims` axes."""

        def sense(observation: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
            return self._befall("inputs", self.splitter(observation), drawn)  # [N', F]

        for _ in range(dims):
            sense = vmap(sense)
        return sense

    def reaching(self, dims: int, spec: Spec) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
        """`reach(action [batch, A], drawn [batch, ...]) -> what of it reaches the world of `spec` [batch, A]`."""
        if all(perturbation.befalls == "inputs" for perturbation in self.perturbations):
            return lambda action, drawn: action
        nothing = torch.tensor(spec.rest or [0.0] * spec.action_size)

        def reach(action: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
            told = torch.stack([action, nothing.to(action.device, action.dtype)], dim=-1)  # [A, 2]
            return self._befall("actuators", told, drawn)[:, 0]

        for _ in range(dims):
            reach = vmap(reach)
        return reach

    def drives(self, drawn: tuple[Tensor, ...]) -> list[int]:
        """For one episode, which actuator each component of an action drives, [A]; -1: none."""
        count = self.action_size
        marks = torch.stack([torch.arange(float(count)), torch.full((count,), -1.0)], dim=-1)
        obeys = self._befall("actuators", marks, tuple(own.cpu() for own in drawn))[:, 0].long().tolist()
        return [obeys.index(component) if component in obeys else -1 for component in range(count)]

    def _befall(self, what: str, values: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
        """What becomes of inputs [N, F], or of what actuators are told [A, 2], in one episode."""
        for perturbation, own in zip(self.perturbations, drawn, strict=True):
            if perturbation.befalls == what:
                values = perturbation.apply(values, own)
        return values
