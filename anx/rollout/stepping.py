"""The two ways to step batches: by the step as it is, or by a compiled one."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Generic, Protocol

from torch import Tensor

from anx.envs.base import State
from anx.internal.pytree import Form, tree_leaves, tree_unflatten
from anx.population import Packed
from anx.rollout.batch import Batch, Numbers, Running
from anx.rollout.compilation import Arguments, CompiledStep
from anx.rollout.graph import Graph
from anx.rollout.jobs import Own
from anx.rollout.loop import BatchStep, Carried, Loop

WIDEST = 16  # numbers of single precision in a vector of AVX-512


class Stepping(Protocol):
    """Arranges jobs as a batch, and steps it."""

    def batch(self, jobs: Running) -> Batch: ...

    def loop(self, batch: Batch, drawn: Sequence[Tensor]) -> Loop:
        """What steps a batch under perturbations that do what is drawn, [B, T, ...] each."""


class PlainStepping(Generic[State]):
    """Each candidate has one row, as long as the most jobs of one candidate are.

    Args:
        step: the step.
        parameters: every candidate's.
        numbers: what each job is.
        form: of the step's arguments.
    """

    def __init__(
        self, step: BatchStep[State], parameters: Packed[Own], numbers: Numbers, form: "Form[Arguments]"
    ) -> None:
        self._step = step
        self._parameters = parameters
        self._numbers = numbers
        self._form = form

    def _run(self, *leaves: Tensor) -> list[Tensor]:
        """The step of flat tensors."""
        return tree_leaves(self._step(*tree_unflatten(leaves, self._form)))  # type: ignore[arg-type] # what they were

    def batch(self, jobs: Running) -> Batch:
        lanes = int(self._numbers.candidate[jobs.job].bincount().max())
        return Batch(jobs, self._numbers, self._parameters, lanes, multiple=1)

    def loop(self, batch: Batch, drawn: Sequence[Tensor]) -> Loop:
        # On a card it takes a hundred kernels, and asking for them ten times as long as they do.
        record = partial(Graph, self._run) if batch.episode.device.type == "cuda" else None
        return Loop(self._run, record, batch.own, list(drawn), batch.carried)


class CompiledStepping(Generic[State]):
    """Each candidate has as many rows of so many lanes as it needs.

    All rows together fill whole vectors of the processor: what is left over might be worked out by other code, which
    rounds differently, and what an episode comes to would depend on how many there are beside it.

    Args:
        step: the compiled step.
        parameters: every candidate's.
        numbers: what each job is.
        lanes: T.
        form: of the step's arguments.
    """

    def __init__(
        self,
        step: CompiledStep[Carried[State]],
        parameters: Packed[Own],
        numbers: Numbers,
        lanes: int,
        form: "Form[Arguments]",
    ) -> None:
        self._step = step
        self._parameters = parameters
        self._numbers = numbers
        self._lanes = lanes
        self._multiple = max(2, math.lcm(lanes, WIDEST) // lanes)
        self._form = form

    def batch(self, jobs: Running) -> Batch:
        return Batch(jobs, self._numbers, self._parameters, self._lanes, multiple=self._multiple)

    def loop(self, batch: Batch, drawn: Sequence[Tensor]) -> Loop:
        carried = [leaf.contiguous() for leaf in batch.carried]  # as a step gives them: the next one is the same code
        compiled = self._step.compiled([*batch.own, *drawn, *carried], self._form)
        return Loop(compiled.run, compiled.record, batch.own, list(drawn), carried)
