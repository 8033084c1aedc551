"""The one door to torch's compiler, nearly all of it private: a function of rows becomes code for any number of rows.

All of it is imported where it is used: a torch whose compiler has changed makes compiling fail, and nothing else.

torch.compile specialises on the size that `vmap` maps over, and would compile anew for every number of rows. So a
function is first traced with a size that nothing else has, a large prime; in that trace, which no longer knows of
`vmap`, each multiple of the prime then becomes that multiple of the number of rows. The trace goes to the compiler
directly: a thousand calls a rollout are not worth a thousand checks of what cannot change.

What has been compiled once on a machine is found again in torch's cache, as long as nothing that goes to the compiler
is beyond its key. Our decompositions are functions, and would be: they are done while tracing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import CellType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import Tensor

from anx.internal.pytree import tree_map

if TYPE_CHECKING:
    from torch.fx.experimental.symbolic_shapes import StatelessSymbolicContext

Run: TypeAlias = Callable[..., Sequence[Tensor]]  # flat tensors [B, ...] -> flat tensors [B, ...]
Decompositions: TypeAlias = Mapping[Any, Callable[..., Tensor]]  # of operations, by their overload

LONGEST_UNROLLED_SUM = 11  # sums up to this have no loop of their own and merge with what uses them
ON_CPU = {
    "unroll_reductions_threshold": LONGEST_UNROLLED_SUM + 1,
    "cpp.enable_floating_point_contract_flag": "fast",
    "cpp.threads": 1,  # whoever has several threads gives each rows of its own
    "size_asserts": False,
}
# On a card starting a kernel takes as long as a small one does: a step of few large ones, which work some things out
# more than once, takes half as long.
ON_CUDA = {
    "unroll_reductions_threshold": 41,
    "realize_reads_threshold": 64,
    "realize_opcount_threshold": 400,
    "realize_acc_reads_threshold": 400,
    "shape_padding": False,
}
PRIME = 1_000_003

aten = torch.ops.aten


def compile_rows(function: Run, leaves: list[Tensor], decompositions: Decompositions) -> tuple[Run, object]:
    """`function` for tensors like `leaves` [B, ...], two rows or more: any B, and all else as it is in `leaves`.

    Args:
        function: what it returns is [B, ...], too.
        leaves: the arguments that it would be called with.
        decompositions: what operations become, beside torch's own; an operation for which one of them
            returns NotImplemented stays as it is.

    Returns:
        What runs, and what torch's compiler made, without the layers around that (see `anx.internal.kernels`).

    Raises:
        Exception: whatever a missing, broken or changed compiler, or a function that it cannot take, raises.
    """
    from torch._guards import TracingContext, tracing
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    graph = trace(function, leaves, decompositions)
    free_rows(graph)
    dynamic = FakeTensorMode(shape_env=ShapeEnv())
    inputs = [dynamic.from_tensor(leaf, symbolic_context=only_rows_change(leaf)) for leaf in leaves]
    with tracing(TracingContext(dynamic)):
        run = compile_graph(graph, inputs)
    return run, below(run)


def trace(function: Run, leaves: list[Tensor], decompositions: Decompositions) -> torch.fx.GraphModule:
    """What `function` does with tensors of PRIME rows, otherwise like `leaves`."""
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    with FakeTensorMode(allow_non_fake_inputs=True) as static:
        stand_ins = [with_rows(static.from_tensor(leaf, static_shapes=True), PRIME) for leaf in leaves]
        return make_fx(function, decomposition_table=dict(decompositions))(*stand_ins)


def free_rows(graph: torch.fx.GraphModule) -> None:
    """Replace each multiple of PRIME in the graph by that multiple of its first input's first dimension."""
    nodes = graph.graph
    first = next(iter(nodes.nodes))
    rest = first
    while rest.op == "placeholder":
        rest = rest.next
    with nodes.inserting_before(rest):
        rows = nodes.call_function(aten.sym_size.int, (first, 0))
        multiples: dict[int, torch.fx.Node] = {1: rows}

    def free(value: object) -> object:
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


def compile_graph(graph: torch.fx.GraphModule, inputs: Sequence[Tensor]) -> Run:
    """See `compile_rows`; `inputs` are stand-ins that say what may change."""
    from torch._inductor.compile_fx import compile_fx

    patches = ON_CPU if inputs[0].device.type == "cpu" else ON_CUDA
    return cast(Run, compile_fx(graph, inputs, config_patches=patches))


def below(run: Run) -> object:
    """What torch's compiler made, under the layers around it; None where it is not found.

    It is looked for in what is returned, since what comes from torch's cache has passed no hook.
    """
    from torch._inductor.output_code import OutputCode

    waiting: list[object] = [run]
    seen: set[int] = set()
    while waiting:
        layer = waiting.pop()
        if isinstance(layer, OutputCode):
            return layer
        if id(layer) not in seen and callable(layer) and not isinstance(layer, type):
            seen.add(id(layer))
            waiting += getattr(layer, "__dict__", {}).values()
            cells = getattr(layer, "__closure__", None) or ()
            waiting += [cell.cell_contents for cell in cells if cell != CellType()]  # not those yet empty
    return None


def only_rows_change(leaf: Tensor) -> StatelessSymbolicContext:
    """What the compiler is told of a tensor [B, ...]."""
    from torch.fx.experimental.symbolic_shapes import DimDynamic, StatelessSymbolicContext

    sizes = [DimDynamic.DUCK] + [DimDynamic.STATIC] * (leaf.dim() - 1)  # DUCK: all B are the same B
    return StatelessSymbolicContext(dynamic_sizes=sizes)


def with_rows(leaf: Tensor, rows: int) -> Tensor:
    """A tensor [rows, ...] with the strides of `leaf` [B, ...]."""
    return leaf.new_empty_strided((rows, *leaf.shape[1:]), leaf.stride())
