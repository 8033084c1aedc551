"""What a compiled step does, without Python in between.

A compiled step is a Python function that asks for memory and calls kernels; a thousand steps of a small population
spend more time on that than in the kernels, and threads more on handing the interpreter's lock to one another. Here a
step runs once without its kernels, which are recorded with their arguments. From then on, any number of steps is one
call.
"""

import ctypes
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from anx.internal.kernels import Call, CannotRecordError, Kernel, Pointers


class Recorded(Protocol):
    """Steps of one batch, each from where the one before led."""

    def step(self, count: int) -> None:
        """Take `count` steps."""

    @property
    def carried(self) -> list[Tensor]:
        """Where the last step led."""


class Recording:
    """Steps of one batch: each starts from where the one before led. The first one is taken at once.

    Two memories take turns: a step from the first to the second, one from the second to the first.

    Args:
        call: the compiled step.
        fixed: arguments that stay in their place.
        carried: those after them, that a step gives anew: of the form that it gives.

    Raises:
        CannotRecordError: a kernel takes what can't be recorded.
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
            raise CannotRecordError(f"a kernel takes a {type(each).__name__}; known are Tensor and int")
    return values


def pointers(values: Sequence[int]) -> Pointers:
    """A C array of pointers, or of integers that are as long."""
    return (ctypes.c_void_p * len(values))(*values)
