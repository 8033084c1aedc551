"""Inputs with the same key are attended to alike: what they say can be added up before anyone attends to it."""

import torch
from torch import Tensor

APART = 16  # inputs that keep a row of their own; all but these are still in 99% of Pong's frames


def apart(still: Tensor) -> tuple[Tensor, Tensor]:
    """Which inputs keep a row of their own, given which ones have the same key, `still` [..., N].

    Returns:
        The places [..., APART + 1] of inputs: all that are not still, then others; the last one is still.
        Whether that is so [...]: not where too many are not still.
    """
    moving = ~still
    places = moving.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., : APART + 1]
    return places, moving.sum(dim=-1) < places.shape[-1]
