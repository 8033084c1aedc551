"""An agent in an episode whose inputs and actions may be disturbed at any time."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from anx.agent.agent import Agent, AgentState, Thought
from anx.agent.base import State
from anx.demo.controls import Controls
from anx.errors import ConfigError, InputsDoNotFitError
from anx.internal.pytree import tree_map
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.population import in_precision_of, with_vector
from anx.seeds import PERTURBATIONS, derive_seed
from anx.spec import Spec


class Player:
    """One agent, from step to step.

    Inputs that are shuffled meet the memories of others, as with `anx.perturb.inputs.Shuffle`. Where inputs come or go,
    those that stay keep their own, and new ones begin with none.

    Args:
        agent: that plays.
        vector: its parameters [D], on the device and in the precision in which it acts.
        spec: of the world.
        fixed: perturbations that nobody changes, before all others.
    """

    def __init__(self, agent: Agent, vector: Tensor, spec: Spec, fixed: Sequence[Perturbation] = ()) -> None:
        self.agent = with_vector(agent, vector)
        self.vector = vector
        self.spec = spec
        self.fixed = tuple(fixed)
        self.prepared = self.agent.prepare()
        self._gain: float | None = getattr(self.agent.pooler, "gain", None)  # as the agent was built

    def begin(self, controls: Controls, seed: int) -> None:
        """An episode starts; `seed` is that of what the perturbations draw."""
        self.seed, self.t, self._changes = seed, 0, 0
        self._pipeline(controls, seed)
        self.state = self._blank()
        self.pipeline.draw(0)

    def disturb(self, controls: Controls) -> None:
        """What befalls the inputs changes, within an episode.

        Raises:
            ValueError: the agent can't take what is left of them; nothing has changed then.
        """
        before, names, replugged = self.pipeline, self.names, without_order(controls) == without_order(self.controls)
        origins = self.origins()
        self._pipeline(controls, derive_seed(self.seed, PERTURBATIONS, self._changes + 1, 1))
        self._changes += 1
        self.pipeline.draw(0)
        self.pipeline.drawn = kept(names, before, self.names, self.pipeline)
        if not replugged:
            neuron = carried(self.state.neuron, self._blank().neuron, origins, self.origins())
            self.state = self.state._replace(neuron=neuron)

    def again(self, name: str) -> None:
        """A perturbation that is there draws anew, now."""
        self.pipeline.redraw(self.names.index(name))

    def think(self, observation: Tensor) -> tuple[Tensor, Thought]:
        """Observation -> inputs [N', F] as the neurons get them, and how the agent comes to its action: a step."""
        if self.t:  # before that it is drawn where an episode begins
            self.pipeline.draw(self.t)
        self.t += 1
        inputs, thought, self.state = self._think(observation)
        return inputs, thought

    def look(self, observation: Tensor) -> tuple[Tensor, Thought]:
        """The same without a step: nothing changes."""
        return self._think(observation)[:2]

    def reach(self, action: Tensor) -> Tensor:
        """What of an action [A] reaches the world [A], as things stand."""
        return self.pipeline.reaching(0, self.spec)(action, self._drawn())

    def drives(self) -> list[int]:
        """Which actuator each component of an action drives, [A]; -1: none."""
        return self.pipeline.drives(self._drawn())

    def _think(self, observation: Tensor) -> tuple[Tensor, Thought, AgentState]:
        inputs = self.pipeline.batched(0)(observation, self._drawn())
        thought, state = self.agent.explain(self.prepared, inputs.to(self.vector.dtype), self.state)
        return inputs, thought, state

    def origins(self) -> Tensor:
        """Which of the splitter's inputs each of those is that the neurons get, [N']; -1 for noise."""
        return self.pipeline.origins(self._drawn())

    @property
    def gain(self) -> float | None:
        """What scales the pooled sum now; None where nothing does."""
        return getattr(self.agent.pooler, "gain", None)

    def _drawn(self) -> tuple[Tensor, ...]:
        return self.pipeline.at(torch.tensor(0, device=self.vector.device))

    def _blank(self) -> AgentState:
        state = self.agent.initial_state(self.pipeline.num_inputs)
        return tree_map(partial(in_precision_of, self.vector), state)

    def _pipeline(self, controls: Controls, seed: int) -> None:
        ours = controls.perturbations()
        pipeline = Pipeline(self.agent, [*self.fixed, *ours.values()], 1, seed)
        count, takes = pipeline.num_inputs, self.agent.fixed_inputs
        if takes not in (None, count):
            raise InputsDoNotFitError(f"this agent takes {takes} inputs, not {count}: it can be shuffled only")
        if (controls.permute or controls.dropped) and (self.spec.discrete or self.spec.action_size < 2):
            raise ConfigError("here an action is not several numbers: actuators can't be permuted or dropped")
        self.controls, self.pipeline = controls, pipeline
        self.names = [f"fixed {place}" for place in range(len(self.fixed))] + list(ours)
        if self._gain is not None:
            more = max(1.0, count / pipeline.splitter.num_inputs) if controls.gain else 1.0
            setattr(self.agent.pooler, "gain", self._gain / more)  # noqa: B010 (few poolers have one)


def without_order(controls: Controls) -> Controls:
    """The same controls, but for what shuffles inputs or does nothing to them."""
    return replace(controls, shuffle=False, every=None, gain=True, permute=False, dropped=0.0, background=None)


def kept(names: list[str], before: Pipeline, now: list[str], pipeline: Pipeline) -> tuple[Tensor, ...]:
    """What is drawn now [1, ...] each, or was drawn before by one that still takes and leaves as many inputs."""
    old = {
        name: (before.sizes[place], drawn) for place, (name, drawn) in enumerate(zip(names, before.drawn, strict=True))
    }
    result = []
    for place, (name, drawn) in enumerate(zip(now, pipeline.drawn, strict=True)):
        sizes, earlier = old.get(name, (None, drawn))
        result.append(earlier if sizes == pipeline.sizes[place] else drawn)
    return tuple(result)


def carried(state: State, blank: State, origins: Tensor, now: Tensor) -> State:
    """What neurons carry [N, ...], for other inputs [N']: who was there keeps it, a new one gets what is blank.

    Args:
        state: of the neurons so far.
        blank: of so many neurons as there are now.
        origins: of the inputs so far, [N]; copies of one, and noise, are told apart by their order.
        now: of the inputs now, [N'].
    """
    was = {each: place for place, each in enumerate(numbered(origins))}
    pairs = [(place, was[each]) for place, each in enumerate(numbered(now)) if each in was]
    to, of = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).unbind(1)

    def moved(old: Tensor, new: Tensor) -> Tensor:
        if not old.dim() or (len(old), len(new)) != (len(origins), len(now)):  # nothing of inputs
            return old if old.shape == new.shape else new
        new = new.clone()
        new[to.to(new.device)] = old[of.to(new.device)]
        return new

    return tree_map(moved, state, blank)


def numbered(origins: Tensor) -> list[tuple[int, int]]:
    """Each origin with how often it came before."""
    seen: dict[int, int] = {}
    result = []
    for origin in origins.tolist():
        result.append((origin, seen.get(origin, 0)))
        seen[origin] = seen.get(origin, 0) + 1
    return result
