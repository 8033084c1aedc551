"""Compiling a population's step.

All of torch's private interfaces to its compiler are used here and in `anx.rollout.recording`, and nowhere else. Where
one of them has changed, compiling fails, and a rollout goes on uncompiled.
"""

import logging
import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._guards import TracingContext, tracing
from torch._inductor.compile_fx import compile_fx, compile_fx_inner
from torch._inductor.decomposition import select_decomp_table
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from anx.internal.pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten
from anx.rollout.decompositions import OWN
from anx.rollout.recording import Call, Recording, find_call

log = logging.getLogger(__name__)

LONGEST_UNROLLED_SUM = 11  # sums up to this have no loop of their own and merge with what uses them
PRIME = 1_000_003
# How far a compiled step may be from the same step uncompiled, and for what share of a batch's rows: where two scores
# are all but equal, another rounding makes another action.
TOLERANCE = 1e-4
MOST_ROWS_APART = 0.05

aten = torch.ops.aten

Signature = tuple[Any, ...]


class CannotCompileError(RuntimeError):
    """A step that cannot be compiled here, or comes out wrong; the message says why, in a line."""


class Compiled:
    """A step for batches of one form: flat tensors [B, ...] in, flat tensors [B, ...] out."""

    def __init__(self, run: Callable[..., list[Tensor]], out: TreeSpec, call: Call | None) -> None:
        self.run = run
        self.out = out
        self.call = call  # None: it cannot be recorded


class CompiledStep:
    """`step`, compiled at its first call, and again for arguments of another form.

    The first dimension, B, of every tensor may change from call to call; a single row is computed twice, since the
    compiler would specialise on it. Another dtype, another shape of a row, or another layout in memory is another form:
    code that was compiled for one of them would misread the others. All that is returned is contiguous, so that what a
    step gives is of the form that it takes.

    torch.compile specialises on the size that `vmap` maps over, and would compile anew for every B. So the step is
    first traced with a size that nothing else has, a large prime; in that trace, which no longer knows of `vmap`, each
    multiple of the prime then becomes that multiple of B. The trace goes to the compiler directly: a thousand calls a
    rollout are not worth a thousand checks of what cannot change.

    What has been compiled is compared with `step` itself, once: CannotCompileError where they differ, as where there is
    no working compiler.
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._compiled: dict[Signature, Compiled] = {}
        self._refusal: CannotCompileError | None = None
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        leaves, spec = tree_flatten(arguments)
        single = len(leaves[0]) == 1
        if single:
            leaves = [leaf.repeat_interleave(2, dim=0) for leaf in leaves]
        compiled = self.compiled(leaves, spec)
        out = compiled.run(*leaves)
        return tree_unflatten([leaf[:1] for leaf in out] if single else out, compiled.out)

    @property
    def ready(self) -> bool:
        """Whether it has been compiled, for whatever form."""
        return bool(self._compiled)

    def compiled(self, leaves: list[Tensor], spec: TreeSpec) -> Compiled:
        """The step for arguments of the form of `leaves`, at least two rows of them."""
        signature = (leaves[0].device, *((leaf.dtype, leaf.shape[1:], leaf.stride()) for leaf in leaves))
        with self._lock:
            if self._refusal:
                raise self._refusal
            if signature not in self._compiled:
                try:
                    compiled = self._compile(leaves, spec)
                    self._check(compiled, leaves, spec)
                except Exception as error:  # whatever a missing or broken compiler, or a step it cannot take, raises
                    reason = " ".join(f"{type(error).__name__}: {error}".split())
                    self._refusal = error if isinstance(error, CannotCompileError) else CannotCompileError(reason[:200])
                    raise self._refusal from error
                self._compiled[signature] = compiled
            return self._compiled[signature]

    def _compile(self, leaves: list[Tensor], spec: TreeSpec) -> Compiled:
        out: TreeSpec | None = None

        def flat(*leaves: Tensor) -> list[Tensor]:
            nonlocal out
            results, out = tree_flatten(self._step(*tree_unflatten(list(leaves), spec)))
            return [result.contiguous() for result in results]

        with FakeTensorMode(allow_non_fake_inputs=True) as static:
            stand_ins = [_with_rows(static.from_tensor(leaf, static_shapes=True), PRIME) for leaf in leaves]
            graph = make_fx(flat)(*stand_ins)
        assert out is not None
        _free_rows(graph)
        dynamic = FakeTensorMode(shape_env=ShapeEnv())
        inputs = [dynamic.from_tensor(leaf, symbolic_context=_only_rows_change(leaf)) for leaf in leaves]
        with tracing(TracingContext(dynamic)):
            run, artefact = _compile_graph(graph, inputs, leaves[0].device)
        return Compiled(run, out, find_call(artefact, len(leaves)))

    def _check(self, compiled: Compiled, leaves: list[Tensor], spec: TreeSpec) -> None:
        """One step, and a second one from where the first led if it can: states are blank before the first."""
        ours = self._check_one(compiled, leaves, spec)
        count = len(ours)
        if [_form(leaf) for leaf in leaves[-count:]] != [_form(leaf) for leaf in ours]:
            compiled.call = None
            return
        fixed, carried = leaves[:-count], leaves[-count:]
        ours = self._check_one(compiled, [*fixed, *ours], spec)
        ours = compiled.run(*fixed, *ours)
        if compiled.call and not _records(compiled.call, fixed, carried, ours):
            compiled.call = None

    def _check_one(self, compiled: Compiled, leaves: list[Tensor], spec: TreeSpec) -> list[Tensor]:
        ours = compiled.run(*leaves)
        theirs = tree_flatten(self._step(*tree_unflatten(leaves, spec)))[0]
        for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            if own.shape != other.shape or own.dtype != other.dtype or _rows_apart(own, other) > MOST_ROWS_APART:
                raise CannotCompileError(f"the compiled step's result {index} is not that of the step itself")
        return list(ours)


def give_up_compiling(rollout: Any, error: CannotCompileError) -> None:
    """From now on the rollout's step runs uncompiled; ValueError where the user insists on `rollout.compile`."""
    if rollout.compile is True:
        raise ValueError(f"rollout.compile=true, but the step can't be compiled here ({error}); allowed: auto, false")
    if rollout.compile == "auto":
        log.warning("the step runs uncompiled, and slower; rollout.compile=false does not try: %s", error)
    rollout.compile = False


def _records(call: Call, fixed: list[Tensor], carried: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether three recorded steps from `carried` lead to what is expected of them, to the bit."""
    try:
        recording = Recording(call, fixed, carried)
    except TypeError:
        return False
    recording.step(2)
    pairs = zip(recording.carried, expected, strict=True)
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def _form(leaf: Tensor) -> tuple[Any, ...]:
    return leaf.dtype, leaf.shape, leaf.stride()


def _rows_apart(a: Tensor, b: Tensor) -> float:
    """The share of rows that differ by more than the tolerance."""
    if not a.numel():
        return 0.0
    close = torch.isclose(a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return 1 - close.flatten(1).all(1).double().mean().item()


def _compile_graph(graph: torch.fx.GraphModule, inputs: list[Any], device: torch.device) -> tuple[Any, Any]:
    """What runs the graph, and what torch's compiler made of it, without the layers around that."""
    artefact: Any = None

    def inner_compile(graph: torch.fx.GraphModule, inputs: Sequence[Any], **options: Any) -> Any:
        nonlocal artefact
        artefact = compile_fx_inner(graph, inputs, **options)
        return artefact

    if device.type != "cpu":
        return compile_fx(graph, inputs, inner_compile=inner_compile), artefact
    run = compile_fx(
        graph,
        inputs,
        inner_compile=inner_compile,
        decompositions=dict(select_decomp_table()) | OWN,
        config_patches={
            "unroll_reductions_threshold": LONGEST_UNROLLED_SUM + 1,
            "cpp.enable_floating_point_contract_flag": "fast",
            "cpp.threads": 1,  # a rollout gives each core a part of its own (see `anx.rollout.threads`)
            "size_asserts": False,
        },
    )
    return run, artefact


def _only_rows_change(leaf: Tensor) -> StatelessSymbolicContext:
    sizes = [DimDynamic.DUCK] + [DimDynamic.STATIC] * (leaf.dim() - 1)  # DUCK: all B are the same B
    return StatelessSymbolicContext(dynamic_sizes=sizes)


def _with_rows(leaf: Tensor, rows: int) -> Tensor:
    """A tensor [rows, ...] with the strides of `leaf` [B, ...]."""
    return leaf.new_empty_strided((rows, *leaf.shape[1:]), leaf.stride())


def _free_rows(graph: torch.fx.GraphModule) -> None:
    """Replace each multiple of PRIME in the graph by that multiple of its first input's first dimension."""
    nodes = graph.graph
    first = next(iter(nodes.nodes))
    rest = first
    while rest.op == "placeholder":
        rest = rest.next
    with nodes.inserting_before(rest):
        rows = nodes.call_function(aten.sym_size.int, (first, 0))
        multiples: dict[int, torch.fx.Node] = {1: rows}

    def free(value: Any) -> Any:
        if type(value) is not int or value == 0 or value % PRIME:
            return value
        multiple = value // PRIME
        if multiple not in multiples:
            with nodes.inserting_after(rows):
                multiples[multiple] = nodes.call_function(operator.mul, (rows, multiple))
        return multiples[multiple]

    for node in nodes.nodes:
        node.meta.clear()
        if node.op == "call_function" and node not in multiples.values():
            node.args, node.kwargs = tree_map(free, node.args), tree_map(free, node.kwargs)
    graph.recompile()
