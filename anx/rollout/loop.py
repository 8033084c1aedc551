"""A batch of episodes, step by step: by a step as it is, or by a compiled one."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias

import torch
from torch import Tensor

from anx.agent.agent import Agent, AgentState
from anx.agent.state import returned_as
from anx.envs.base import State, TorchEnvironment
from anx.internal.pytree import Form, tree_leaves, tree_unflatten
from anx.perturb.pipeline import Pipeline
from anx.population import vectorise
from anx.rollout.compilation import Arguments, CompiledStep
from anx.rollout.jobs import Own
from anx.rollout.recording import Recording

# What a batch [B, T] carries: the environment's states, the agents', returns, lengths, and which episodes go on.
Carried: TypeAlias = tuple[State, AgentState, Tensor, Tensor, Tensor]
BatchStep: TypeAlias = Callable[[Own, tuple[Tensor, ...], Carried[State]], Carried[State]]


def make_step(agent: Agent, env: TorchEnvironment[State], pipeline: Pipeline) -> BatchStep[State]:
    """One step of a batch [B, T]: `step(parameters [B, ...], drawn [B, T, ...], carried) -> carried`."""
    sense, act, reach = pipeline.batched(2), vectorise(agent), pipeline.reaching(2, env.spec)

    def step(parameters: Own, drawn: tuple[Tensor, ...], carried: Carried[State]) -> Carried[State]:
        before, state, total, steps, alive = carried
        inputs = sense(env.observe(before), drawn)  # [B, T, N, F]
        action, state = act(*parameters, inputs, state)
        after, reward, done = env.step(before, reach(action, drawn))
        total = total + torch.where(alive, reward, 0).to(total.dtype)
        return returned_as(after, before, "env.step"), state, total, steps + alive, alive & ~done

    return step


class Loop(Protocol):
    """A batch, step by step."""

    @property
    def carried(self) -> list[Tensor]: ...

    def step(self, count: int) -> None: ...

    def perturb(self, drawn: list[Tensor]) -> None:
        """From now on perturbations do what is drawn."""


class PlainLoop(Generic[State]):
    """A loop of a step as it is."""

    def __init__(
        self, step: BatchStep[State], own: Own, drawn: list[Tensor], carried: list[Tensor], form: "Form[Carried[State]]"
    ) -> None:
        self._step = step
        self._own = own
        self._drawn = drawn
        self._carried = tree_unflatten(carried, form)

    def step(self, count: int) -> None:
        for _ in range(count):
            self._carried = self._step(self._own, tuple(self._drawn), self._carried)

    def perturb(self, drawn: list[Tensor]) -> None:
        self._drawn = drawn

    @property
    def carried(self) -> list[Tensor]:
        return tree_leaves(self._carried)


class CompiledLoop(Generic[State]):
    """A batch, step by step; recorded where the step can be."""

    def __init__(
        self,
        step: CompiledStep[Carried[State]],
        fixed: list[Tensor],
        drawn: list[Tensor],
        carried: list[Tensor],
        form: "Form[Arguments]",
    ) -> None:
        self._fixed = [*fixed, *drawn]
        self._drawn = drawn
        self._carried = [leaf.contiguous() for leaf in carried]  # as a step gives them: the next one is the same code
        self._compiled = step.compiled([*self._fixed, *self._carried], form)
        self._recording: Recording | None = None

    def step(self, count: int) -> None:
        if self._compiled.call and self._recording is None and count:
            self._recording = Recording(self._compiled.call, self._fixed, self._carried)  # has taken one
            count -= 1
        if self._recording:
            self._recording.step(count)
            return
        for _ in range(count):
            self._carried = list(self._compiled.run(*self._fixed, *self._carried))

    def perturb(self, drawn: list[Tensor]) -> None:
        for old, new in zip(self._drawn, drawn, strict=True):
            old.copy_(new)

    @property
    def carried(self) -> list[Tensor]:
        return self._recording.carried if self._recording else self._carried


def next_draw(pipeline: Pipeline, t: int, end: int) -> tuple[int, bool]:
    """The first step after t, before `end`, at which perturbations draw anew, and True, as they then have; or `end`."""
    for step in range(t + 1, end) if pipeline.perturbations else ():
        if pipeline.draw(step):
            return step, True
    return end, False
