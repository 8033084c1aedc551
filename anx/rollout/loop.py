"""A batch of episodes, step by step."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from anx.agent.agent import Agent, AgentState
from anx.agent.state import returned_as
from anx.envs.base import State, TorchEnvironment
from anx.internal.compiler import Run
from anx.internal.kernels import CannotRecordError
from anx.perturb.pipeline import Pipeline
from anx.population import vectorise
from anx.rollout.compilation import Record
from anx.rollout.jobs import Own
from anx.rollout.recording import Recorded

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


class Loop:
    """A batch, step by step; recorded where it can be.

    Args:
        run: the step of flat tensors: fixed ones, and those that it gives anew.
        record: what takes its steps in one call; None: nothing does.
        own: each row's parameters, [B, ...] each.
        drawn: what perturbations have drawn, [B, T, ...] each.
        carried: where it starts, [B, T, ...] each.
    """

    def __init__(
        self, run: Run, record: Record | None, own: list[Tensor], drawn: list[Tensor], carried: list[Tensor]
    ) -> None:
        self._run = run
        self._record = record
        self._fixed = [*own, *drawn]
        self._drawn = drawn
        self._carried = carried
        self._recording: Recorded | None = None

    def step(self, count: int) -> None:
        """Take `count` steps."""
        try:
            if self._record and self._recording is None and count:
                self._recording = self._record(self._fixed, self._carried)  # has taken one
                count -= 1
            if self._recording:
                self._recording.step(count)
                return
        except CannotRecordError:  # found out before any of the others was taken
            if self._recording:
                self._carried = self._recording.carried
            self._record = self._recording = None
        for _ in range(count):
            self._carried = list(self._run(*self._fixed, *self._carried))

    def perturb(self, drawn: list[Tensor]) -> None:
        """From now on perturbations do what is drawn."""
        for old, new in zip(self._drawn, drawn, strict=True):
            old.copy_(new)

    @property
    def carried(self) -> list[Tensor]:
        """Where the last step led."""
        return self._recording.carried if self._recording else self._carried


def next_draw(pipeline: Pipeline, t: int, end: int) -> tuple[int, bool]:
    """The first step after t, before `end`, at which perturbations draw anew, and True, as they then have; or `end`."""
    for step in range(t + 1, end) if pipeline.perturbations else ():
        if pipeline.draw(step):
            return step, True
    return end, False
