"""Compiling a population's step.

A candidate's layers are tiny (8 to 32 features) and there are hundreds of candidates: a batched matrix product spends
its time on being called. On the CPU, products with a short inner dimension are therefore written out as sums, which the
compiler merges with the activations around them into a few vectorised loops over the whole population.
"""

import operator
import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._guards import TracingContext, tracing
from torch._inductor.compile_fx import compile_fx
from torch._inductor.decomposition import select_decomp_table
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten

LONGEST_SUM = 40  # inner dimensions up to this are written out as sums
LARGEST_PRODUCT = 2048  # matrices of more elements than this are left to BLAS
LONGEST_UNROLLED_SUM = 11  # sums up to this have no loop of their own and merge with what uses them
PRIME = 1_000_003

TANH_P = (0.9999999616, 0.13425524019, 0.0035489367359, 2.15125170995e-05, 1.46711663220e-08)
TANH_Q = (1.0, 0.46758841547, 0.026078598464, 0.00033738967677, 8.3006444895e-07)

aten = torch.ops.aten


def can_compile(device: torch.device) -> bool:
    """Whether a population's step can be compiled for this device on this machine."""
    if device.type == "cuda":
        return True
    compiler = os.environ.get("CXX") or "g++"
    return device.type == "cpu" and shutil.which(compiler) is not None


def _bmm(a: Tensor, b: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
    if a.shape[2] > LONGEST_SUM or a.shape[1] * b.shape[2] > LARGEST_PRODUCT or out_dtype is not None:
        return NotImplemented
    return (a.unsqueeze(-1) * b.unsqueeze(1)).sum(2)  # [B, I, K, 1] * [B, 1, K, J] -> [B, I, J]


def _baddbmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    if a.shape[2] > LONGEST_SUM or a.shape[1] * b.shape[2] > LARGEST_PRODUCT or beta != 1 or alpha != 1:
        return NotImplemented
    return c + (a.unsqueeze(-1) * b.unsqueeze(1)).sum(2)


def _tanh(x: Tensor) -> Tensor:
    """x P(x^2) / Q(x^2), a minimax fit on |x| <= 8.2: within 1e-7 of tanh, at half the cost of an exponential."""
    if x.dtype != torch.float32:
        return NotImplemented
    x = x.clamp(-8.2, 8.2)
    z = x * x
    return x * _polynomial(TANH_P, z) / _polynomial(TANH_Q, z)


def _sigmoid(x: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        return NotImplemented
    return 0.5 + 0.5 * _tanh(0.5 * x)


def _polynomial(coefficients: tuple[float, ...], z: Tensor) -> Any:
    """Horner's rule; the constant first."""
    *rest, last = coefficients
    result: Any = last
    for coefficient in reversed(rest):
        result = result * z + coefficient
    return result


def _compile_population(graph: torch.fx.GraphModule, inputs: list[Any], device: torch.device) -> Any:
    if device.type != "cpu":
        return compile_fx(graph, inputs)
    own = {
        aten.bmm.default: _bmm,
        aten.baddbmm.default: _baddbmm,
        aten.tanh.default: _tanh,
        aten.sigmoid.default: _sigmoid,
    }
    return compile_fx(
        graph,
        inputs,
        decompositions=dict(select_decomp_table()) | own,
        config_patches={
            "unroll_reductions_threshold": LONGEST_UNROLLED_SUM + 1,
            "cpp.enable_floating_point_contract_flag": "fast",
            "size_asserts": False,
        },
    )


class CompiledStep:
    """`step`, compiled at its first call.

    The first dimension, B, of every tensor may change from call to call; a single row is computed twice, since the
    compiler would specialise on it.

    torch.compile specialises on the size that `vmap` maps over, and would compile anew for every B. So the step is
    first traced with a size that nothing else has, a large prime; in that trace, which no longer knows of `vmap`, each
    multiple of the prime then becomes that multiple of B. The trace goes to the compiler directly: a thousand calls a
    rollout are not worth a thousand checks of what cannot change.
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._compiled: Callable[..., list[Tensor]] | None = None

    def __call__(self, *arguments: Any) -> Any:
        leaves, spec = tree_flatten(arguments)
        single = len(leaves[0]) == 1
        if single:
            leaves = [leaf.repeat_interleave(2, dim=0) for leaf in leaves]
        if self._compiled is None:
            self._compiled = self._compile(leaves, spec)
        out = self._compiled(*leaves)
        return tree_unflatten([leaf[:1] for leaf in out] if single else out, self._out)

    def _compile(self, leaves: list[Tensor], spec: TreeSpec) -> Callable[..., list[Tensor]]:
        def flat(*leaves: Tensor) -> list[Tensor]:
            out, self._out = tree_flatten(self._step(*tree_unflatten(list(leaves), spec)))
            return out

        with FakeTensorMode(allow_non_fake_inputs=True) as static:
            stand_ins = [_with_rows(static.from_tensor(leaf, static_shapes=True), PRIME) for leaf in leaves]
            graph = make_fx(flat)(*stand_ins)
        _free_rows(graph)
        dynamic = FakeTensorMode(shape_env=ShapeEnv())
        inputs = [dynamic.from_tensor(leaf, symbolic_context=_only_rows_change(leaf)) for leaf in leaves]
        with tracing(TracingContext(dynamic)):
            return _compile_population(graph, inputs, leaves[0].device)


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
