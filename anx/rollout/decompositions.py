"""What operations become when a population's step is compiled.

A candidate's layers are tiny (8 to 32 features) and there are hundreds of candidates: a batched matrix product spends
its time on being called. Products with a short inner dimension are therefore written out as sums, which the compiler
merges with the activations around them into a few vectorised loops over the whole population.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LONGEST_SUM = 40  # inner dimensions up to this are written out as sums
LARGEST_PRODUCT = 2048  # matrices of more elements than this are left to BLAS

TANH_P = (0.9999999616, 0.13425524019, 0.0035489367359, 2.15125170995e-05, 1.46711663220e-08)
TANH_Q = (1.0, 0.46758841547, 0.026078598464, 0.00033738967677, 8.3006444895e-07)

aten = torch.ops.aten


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


def _polynomial(coefficients: tuple[float, ...], z: Tensor) -> Tensor:
    """Horner's rule; the constant first."""
    *rest, before, last = coefficients
    result = last * z + before
    for coefficient in reversed(rest):
        result = result * z + coefficient
    return result


PRODUCTS: dict[object, Callable[..., Tensor]] = {aten.bmm.default: _bmm, aten.baddbmm.default: _baddbmm}
ON_CPU = PRODUCTS | {aten.tanh.default: _tanh, aten.sigmoid.default: _sigmoid}


def decompositions_on(device: str) -> dict[object, Callable[..., Tensor]]:
    """By operation; a CUDA card has a quick exponential of its own."""
    return ON_CPU if device == "cpu" else PRODUCTS
