"""What parts carry from step to step of an episode comes back as it left."""

from typing import TypeVar

import torch
from torch import Tensor

from anx.internal.pytree import tree_flatten, tree_unflatten

T = TypeVar("T")


def returned_as(new: T, old: T, who: str) -> T:
    """A new state, in the precision of the old one.

    Raises:
        ValueError: `who` has returned a state of another structure, shape or kind of number than it was given.
    """
    ours, form = tree_flatten(new)
    theirs, given = tree_flatten(old)
    if form != given:
        raise ValueError(f"{who} returned a state of another structure than it was given: {form} instead of {given}")
    for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
        if own.shape != other.shape or not torch.can_cast(own.dtype, other.dtype):
            raise ValueError(
                f"{who} returned {kind_of(own)} in the place of {kind_of(other)} (number {index} of its state)"
            )
    return tree_unflatten([own.to(other.dtype) for own, other in zip(ours, theirs, strict=True)], form)


def kind_of(x: Tensor) -> str:
    return f"{list(x.shape)} {str(x.dtype).removeprefix('torch.')}"
