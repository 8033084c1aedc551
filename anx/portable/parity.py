"""Whether an ONNX file does what the agent does."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.portable.step import Step

ALIKE = 1e-5  # a difference that comes of rounding


class Parity(NamedTuple):
    """How far a file's steps are from an agent's."""

    differences: NDArray[np.float64]  # [T], the greatest of a step in anything that it gives

    @property
    def alike(self) -> float:
        """The share of steps that are the same but for rounding."""
        return float(np.mean(self.differences <= ALIKE))


@torch.no_grad()
def compare(path: Path, step: Step, seen: Iterable[Tensor]) -> Parity:
    """What a file and an agent make of the same, step by step, each time out of the state that the agent was in.

    Args:
        path: an ONNX file.
        step: what it is of.
        seen: in an episode: observations [...], or inputs [N, F].
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    carried: list[Tensor] = []
    differences = []
    for each in seen:
        carried = carried or step.start(each.shape[0] if each.dim() < 3 else step.agent.splitter.num_inputs)
        own = each.to(carried[0].dtype)
        ours = step(own, *carried)
        given = dict(zip(step.inputs, (x.numpy() for x in (own, *carried)), strict=True))
        pairs = zip(ours, session.run(None, given), strict=True)
        differences.append(max(gap(mine.numpy(), other) for mine, other in pairs))
        carried = list(ours[: len(carried)])
    return Parity(np.array(differences))


def gap(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """The greatest difference, relative where numbers are greater than 1."""
    return float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)), initial=0.0))
