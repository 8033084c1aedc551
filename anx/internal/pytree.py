"""The one door to torch's pytrees, which are private: trees of tensors as tuples, lists, dicts and named tuples.

Where torch has changed them, nothing works: there is no other agreement with `vmap` on what a tree is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from torch import Tensor
from torch.utils import _pytree

T = TypeVar("T")
Kind = TypeVar("Kind", covariant=True)

Tree: TypeAlias = "Tensor | Sequence[Tree] | Mapping[str, Tree]"

if TYPE_CHECKING:

    class Form(Generic[Kind]):
        """The structure of trees of one kind, apart from their leaves."""

        num_leaves: int

else:
    Form = _pytree.TreeSpec


def tree_flatten(tree: T) -> tuple[list[Tensor], Form[T]]:
    """A tree -> its leaves in order, and its form."""
    return _pytree.tree_flatten(tree)  # type: ignore[return-value]


def tree_unflatten(leaves: Iterable[object], form: Form[T]) -> T:
    """Leaves in order -> a tree of that form."""
    return _pytree.tree_unflatten(leaves, form)  # type: ignore[arg-type]


def tree_leaves(tree: object) -> list[Tensor]:
    """The leaves of a tree in order."""
    return _pytree.tree_leaves(tree)


def tree_structure(tree: T) -> Form[T]:
    """The form of a tree."""
    return _pytree.tree_structure(tree)  # type: ignore[return-value]


def tree_map(function: Callable[..., object], tree: T, *others: T) -> T:
    """A tree of the same form: `function` of each leaf, and of those of `others` in its place."""
    return _pytree.tree_map(function, tree, *others)
