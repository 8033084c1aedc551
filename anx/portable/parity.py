"""Whether an ONNX file does what the agent does."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.errors import ConfigError
from anx.portable.step import Step

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

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

    Raises:
        ConfigError: onnxruntime lacks an operation, as those on pictures in double precision.
    """
    session = opened(path)
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


def opened(path: Path) -> "InferenceSession":
    """A file, ready to run on the CPU."""
    from onnxruntime import InferenceSession
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Lacking

    try:
        return InferenceSession(path, providers=["CPUExecutionProvider"])
    except Lacking as error:
        reason = str(error).rsplit(" : ", 1)[-1]
        raise ConfigError(f"{path} is written, but onnxruntime can't run it ({reason}); try precision=32") from None


def gap(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """The greatest difference, relative where numbers are greater than 1."""
    return float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)), initial=0.0))
