"""Compiling a population's step, and making sure that what was compiled is that step."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeAlias, TypeVar

import torch
from torch import Tensor

from anx.internal.compiler import Run, compile_rows
from anx.internal.kernels import CannotRecordError, find_call
from anx.internal.pytree import Form, tree_flatten, tree_unflatten
from anx.rollout.decompositions import decompositions_on
from anx.rollout.graph import Graph
from anx.rollout.recording import Recorded, Recording

# How far a compiled step may be from the same step uncompiled, and for which fraction of a batch's rows: where two
# scores are all but equal, another rounding makes another action.
TOLERANCE = 1e-4
MOST_ROWS_APART = 0.05

STEPS_A_GRAPH = 10  # on a CUDA card

Signature: TypeAlias = tuple[object, ...]
Arguments: TypeAlias = tuple[object, ...]  # trees of tensors
Result = TypeVar("Result")
Record: TypeAlias = Callable[[list[Tensor], list[Tensor]], Recorded]  # fixed and carried arguments -> steps from there


class CannotCompileError(RuntimeError):
    """A step that cannot be compiled here, or comes out wrong; the message says why, in a line."""


class Compiled(Generic[Result]):
    """A step for batches of one form: flat tensors [B, ...] in, flat tensors [B, ...] out."""

    def __init__(self, run: Run, out: "Form[Result]", record: Record | None) -> None:
        self.run = run
        self.out = out
        self.record = record  # None: it cannot be recorded


class CompiledStep(Generic[Result]):
    """`step`, compiled at its first call, and again for arguments of another form.

    The first dimension, B, of every tensor may change from call to call; a single row is computed twice, since the
    compiler would specialise on it. Another dtype, another shape of a row, or another layout in memory is another form:
    code that was compiled for one of them would misread the others. All that is returned is contiguous, so that what a
    step gives is of the form that it takes.

    What has been compiled is compared with `step` itself, once: CannotCompileError where they differ, as where there is
    no working compiler.

    Args:
        step: trees of tensors [B, ...] -> a tree of tensors [B, ...].
    """

    def __init__(self, step: Callable[..., Result]) -> None:
        self._step = step
        self._compiled: dict[Signature, Compiled[Result]] = {}
        self._refusal: CannotCompileError | None = None
        self._lock = threading.Lock()

    def __call__(self, *arguments: object) -> Result:
        leaves, form = tree_flatten(arguments)
        single = len(leaves[0]) == 1
        if single:
            leaves = [leaf.repeat_interleave(2, dim=0) for leaf in leaves]
        compiled = self.compiled(leaves, form)
        out = compiled.run(*leaves)
        return tree_unflatten([leaf[:1] for leaf in out] if single else out, compiled.out)

    @property
    def ready(self) -> bool:
        """Whether it has been compiled, for whatever form."""
        return bool(self._compiled)

    def compiled(self, leaves: list[Tensor], form: "Form[Arguments]") -> Compiled[Result]:
        """The step for arguments of the form of `leaves`, at least two rows of them."""
        signature = (leaves[0].device, *((leaf.dtype, leaf.shape[1:], leaf.stride()) for leaf in leaves))
        with self._lock:
            if self._refusal:
                raise self._refusal
            if signature not in self._compiled:
                try:
                    compiled = self._compile(leaves, form)
                    self._check(compiled, leaves, form)
                except Exception as error:  # whatever a missing or broken compiler, or a step it cannot take, raises
                    reason = " ".join(f"{type(error).__name__}: {error}".split())
                    self._refusal = error if isinstance(error, CannotCompileError) else CannotCompileError(reason[:200])
                    raise self._refusal from error
                self._compiled[signature] = compiled
            return self._compiled[signature]

    def _compile(self, leaves: list[Tensor], form: "Form[Arguments]") -> Compiled[Result]:
        out: Form[Result] | None = None

        def flat(*leaves: Tensor) -> list[Tensor]:
            nonlocal out
            results, out = tree_flatten(self._step(*tree_unflatten(leaves, form)))
            return [result.contiguous() for result in results]

        device = leaves[0].device.type
        run, artefact = compile_rows(flat, leaves, decompositions_on(device))
        assert out is not None
        if device == "cuda":
            return Compiled(run, out, partial(Graph, run, at_once=STEPS_A_GRAPH))
        call = find_call(artefact, len(leaves))
        return Compiled(run, out, partial(Recording, call) if call else None)

    def _check(self, compiled: Compiled[Result], leaves: list[Tensor], form: "Form[Arguments]") -> None:
        """One step, and a second one from where the first led if it can: states are blank before the first."""
        ours = self._check_one(compiled, leaves, form)
        count = len(ours)
        if [_form(leaf) for leaf in leaves[-count:]] != [_form(leaf) for leaf in ours]:
            compiled.record = None
            return
        fixed, carried = leaves[:-count], leaves[-count:]
        ours = self._check_one(compiled, [*fixed, *ours], form)
        expected = compiled.run(*fixed, *ours)
        if compiled.record and not _records(compiled.record, fixed, carried, list(expected)):
            compiled.record = None

    def _check_one(self, compiled: Compiled[Result], leaves: list[Tensor], form: "Form[Arguments]") -> list[Tensor]:
        ours = compiled.run(*leaves)
        theirs = tree_flatten(self._step(*tree_unflatten(leaves, form)))[0]
        for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            if own.shape != other.shape or own.dtype != other.dtype or _rows_apart(own, other) > MOST_ROWS_APART:
                raise CannotCompileError(f"the compiled step's result {index} is not that of the step itself")
        return list(ours)


def _records(record: Record, fixed: list[Tensor], carried: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether three recorded steps from `carried` lead to what is expected of them, to the bit."""
    try:
        recording = record(fixed, carried)
        recording.step(2)
    except CannotRecordError:
        return False
    pairs = zip(recording.carried, expected, strict=True)
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def _form(leaf: Tensor) -> tuple[torch.dtype, torch.Size, tuple[int, ...]]:
    return leaf.dtype, leaf.shape, leaf.stride()


def _rows_apart(a: Tensor, b: Tensor) -> float:
    """The fraction of rows that differ by more than the tolerance."""
    if not a.numel():
        return 0.0
    close = torch.isclose(a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return 1 - close.flatten(1).all(1).double().mean().item()
