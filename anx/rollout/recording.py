"""What a compiled step does, without Python in between.

A compiled step is a Python function that asks for memory and calls kernels; a thousand steps of a small population
spend more time on that than in the kernels, and threads more on handing the interpreter's lock to one another. Here a
step runs once without its kernels, which are recorded with their arguments. From then on, any number of steps is one
call.
"""

import ast
import ctypes
import inspect
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch._inductor.codecache import CppCodeCache

KERNEL = "cpp_"  # how the compiler's kernels are called
HARMLESS = {"empty_strided_cpu", "reinterpret_tensor", "size", "stride", "clear"}  # whatever else a step may call


class Kernel(NamedTuple):
    """A call of a kernel."""

    address: int
    arguments: tuple[Any, ...]  # tensors and integers; kept, since tensors own their memory


class Call:
    """The Python function of a compiled step, and the kernels that it calls, by name."""

    def __init__(self, method: Any, kernels: dict[str, Any]) -> None:
        self._owner = method.__self__
        self._function = method.__func__
        self._libraries = {name: ctypes.CDLL(kernel.__self__.__file__) for name, kernel in kernels.items()}
        addresses = {name: self._libraries[name][kernel.__name__] for name, kernel in kernels.items()}
        self._addresses = {name: ctypes.cast(each, ctypes.c_void_p).value or 0 for name, each in addresses.items()}
        self._repeat: Any = None

    def __call__(self, leaves: list[Tensor]) -> list[Tensor]:
        """One step as it is."""
        return list(self._function(self._owner, list(leaves)))

    def record(self, leaves: list[Tensor]) -> tuple[list[Kernel], list[Tensor]]:
        """The kernels that a step from `leaves` runs, in order, and what they will have written then."""
        kernels: list[Kernel] = []

        def instead(address: int) -> Callable[..., None]:
            return lambda *arguments: kernels.append(Kernel(address, arguments))

        own = self._function.__globals__ | {name: instead(each) for name, each in self._addresses.items()}
        function = types.FunctionType(self._function.__code__, own)
        return kernels, list(function(self._owner, list(leaves)))

    def repeat(self, kernels: Sequence[Kernel]) -> Any:
        """`repeat(steps, turn, functions, arguments)` in C, for a step that runs `kernels`; compiled once."""
        if self._repeat is None:
            self._repeat = CppCodeCache.load(source_of_repeat([len(each.arguments) for each in kernels])).repeat
            self._repeat.restype = None
        return self._repeat


class Recording:
    """Steps of one batch: each starts from where the one before led. The first one is taken at once.

    Two memories take turns: a step from the first to the second, one from the second to the first.

    Args:
        call: the compiled step.
        fixed: arguments that stay in their place.
        carried: those after them, that a step gives anew: of the form that it gives.

    Raises:
        TypeError: a kernel takes what can't be recorded.
    """

    def __init__(self, call: Call, fixed: list[Tensor], carried: list[Tensor]) -> None:
        first = call([*fixed, *carried])  # in memory as every step lays it out
        there, second = call.record([*fixed, *first])
        back, third = call.record([*fixed, *second])
        moved = {start_of(new): start_of(old) for new, old in zip(third, first, strict=True)}
        self._memories = first, second
        self._kept = there, back  # the memory that lies in between
        self._functions = pointers([each.address for each in there])
        self._arguments = [pointers(raw(there, {})), pointers(raw(back, moved))]
        self._turns = pointers([ctypes.addressof(each) for each in self._arguments])
        self._repeat = call.repeat(there)
        self._turn = 0

    def step(self, count: int) -> None:
        """Take `count` steps; the interpreter's lock is free meanwhile."""
        self._repeat(ctypes.c_int64(count), ctypes.c_int64(self._turn), self._functions, self._turns)
        self._turn = (self._turn + count) % 2

    @property
    def carried(self) -> list[Tensor]:
        """Where the last step led; the next one but one writes there."""
        return self._memories[self._turn]


def start_of(tensor: Tensor) -> int:
    """Where a tensor's memory starts."""
    return tensor.data_ptr() - int(tensor.storage_offset()) * tensor.itemsize


def raw(kernels: Sequence[Kernel], moved: dict[int, int]) -> list[int]:
    """The arguments of kernels as their functions take them, with tensors in the memory that starts at a key of `moved`
    taken for those at its value."""
    values = []
    for each in (argument for kernel in kernels for argument in kernel.arguments):
        if isinstance(each, Tensor):
            start = start_of(each)
            values.append(each.data_ptr() + (moved[start] - start if start in moved else 0))
        elif type(each) is int:
            values.append(each)
        else:
            raise TypeError(f"a kernel takes a {type(each).__name__}; known are Tensor and int")
    return values


def pointers(values: Sequence[int]) -> Any:
    """A C array of pointers, or of integers that are as long."""
    return (ctypes.c_void_p * len(values))(*values)


def source_of_repeat(arities: Sequence[int]) -> str:
    """C++ that calls kernels of so many arguments each, one after the other, `steps` times, with the arguments of the
    two turns in turns. Pointers and 64-bit integers are passed alike."""
    calls, start = "", 0
    for index, arity in enumerate(arities):
        types_, values = ", ".join(["void*"] * arity), ", ".join(f"a[{start + i}]" for i in range(arity))
        calls += f"        reinterpret_cast<void (*)({types_})>(functions[{index}])({values});\n"
        start += arity
    return f"""\
#include <cstdint>
static_assert(sizeof(void*) == sizeof(int64_t), "integers are passed as pointers");
extern "C" void repeat(int64_t steps, int64_t turn, void** functions, void*** arguments) {{
    for (; steps > 0; --steps, turn = 1 - turn) {{
        void** a = arguments[turn];
{calls}    }}
}}
"""


def find_call(artefact: Any, count: int) -> Call | None:
    """What can be recorded of a step compiled for `count` arguments; None where it does anything but call kernels on
    the CPU, or takes more than those arguments: constants."""
    method = getattr(artefact, "current_callable", None)
    if not inspect.ismethod(method):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    except (OSError, TypeError, SyntaxError):
        return None
    names = {name_of(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    kernels = [name for name in names if name.startswith(KERNEL)]
    known = method.__func__.__globals__
    taken = [len(node.targets[0].elts) for node in ast.walk(tree) if is_unpacking(node)]  # type: ignore[attr-defined]
    if (
        taken != [count]
        or names - HARMLESS - set(kernels)
        or not all(inspect.isbuiltin(known.get(name)) for name in kernels)
    ):
        return None
    return Call(method, {name: known[name] for name in kernels})


def is_unpacking(node: ast.AST) -> bool:
    """Whether it is `a, b, c = args`."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == "args"):
        return False
    return isinstance(node.targets[0], ast.Tuple)


def name_of(function: ast.expr) -> str:
    """The name by which code calls a function."""
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "?")
