"""The one door to what torch's compiler has written for the CPU: a Python function that calls kernels.

How that function is found, what it may do and how its kernels are called is nobody's promise. It is read before it is
trusted: what does anything unknown is not recorded, and runs as it is.
"""

import ast
import ctypes
import inspect
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from torch import Tensor

KERNEL = "cpp_"  # how the compiler's kernels are called
HARMLESS = {"empty_strided_cpu", "reinterpret_tensor", "size", "stride", "clear"}  # whatever else a step may call

Pointers: TypeAlias = "ctypes.Array[ctypes.c_void_p]"
Repeat: TypeAlias = Callable[[ctypes.c_int64, ctypes.c_int64, Pointers, Pointers], None]


class CannotRecordError(RuntimeError):
    """What a step does cannot be recorded."""


class Kernel(NamedTuple):
    """A call of a kernel."""

    address: int
    arguments: tuple[object, ...]  # tensors and integers; kept, since tensors own their memory


class Call:
    """The Python function of a compiled step, and the kernels that it calls, by name.

    Raises:
        CannotRecordError: the kernels are in no library.
    """

    def __init__(self, method: types.MethodType, kernels: dict[str, types.BuiltinFunctionType]) -> None:
        self._owner = method.__self__
        self._function = method.__func__
        self._libraries = {name: library_of(kernel) for name, kernel in kernels.items()}
        addresses = {name: self._libraries[name][kernel.__name__] for name, kernel in kernels.items()}
        self._addresses = {name: ctypes.cast(each, ctypes.c_void_p).value or 0 for name, each in addresses.items()}
        self._repeat: Repeat | None = None

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

    def repeat(self, kernels: Sequence[Kernel]) -> Repeat:
        """`repeat(steps, turn, functions, arguments)` in C, for a step that runs `kernels`; compiled once.

        Raises:
            CannotRecordError: torch compiles C++ otherwise than it did.
        """
        if self._repeat is None:
            self._repeat = load(source_of_repeat([len(each.arguments) for each in kernels]))
        return self._repeat


def library_of(kernel: types.BuiltinFunctionType) -> ctypes.CDLL:
    """The library that a kernel is in."""
    file = getattr(kernel.__self__, "__file__", None)  # of its module
    if file is None:
        raise CannotRecordError(f"{kernel.__name__} is in no library")
    return ctypes.CDLL(file)


def load(source: str) -> Repeat:
    """The function `repeat` of compiled C++."""
    try:
        from torch._inductor.codecache import CppCodeCache
    except ImportError as error:
        raise CannotRecordError(f"torch's compiler for C++ is elsewhere: {error}") from error
    repeat: Repeat = CppCodeCache.load(source).repeat
    repeat.restype = None  # type: ignore[attr-defined] # a function of ctypes
    return repeat


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


def find_call(artefact: object, count: int) -> Call | None:
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
    taken = [count_unpacked(node) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    if (
        [each for each in taken if each] != [count]
        or names - HARMLESS - set(kernels)
        or not all(inspect.isbuiltin(known.get(name)) for name in kernels)
    ):
        return None
    try:
        return Call(method, {name: known[name] for name in kernels})
    except (CannotRecordError, OSError):
        return None


def count_unpacked(node: ast.Assign) -> int:
    """How many arguments `a, b, c = args` takes; 0: it is something else."""
    target, value = node.targets[0], node.value
    if not (isinstance(value, ast.Name) and value.id == "args" and isinstance(target, ast.Tuple)):
        return 0
    return len(target.elts)


def name_of(function: ast.expr) -> str:
    """The name by which code calls a function."""
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "?")
