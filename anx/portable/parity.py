"""Whether an ONNX file does what the agent does."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from anx.portable.step import Step
from anx.rollout.trace import Moment


class Parity(NamedTuple):
    """How far a file is from its agent over an episode."""

    steps: int
    difference: float  # the greatest of any number of scores, latent code and attention


def compare(path: Path, step: Step, moments: Iterable[Moment]) -> Parity:
    """Let the file in `path` see what an agent sees in an episode; each carries what it has made of it itself.

    Args:
        path: an ONNX file.
        step: what it is of.
        moments: the episode, in single precision.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    carried: list[NDArray[np.float32]] = []
    steps, worst = 0, 0.0
    for moment in moments:
        seen = moment.observation if step.split else moment.inputs
        carried = carried or [each.numpy() for each in step.start(len(moment.inputs))]
        given = session.run(None, dict(zip(step.inputs, [seen.float().numpy(), *carried], strict=True)))
        carried, thought = given[: len(carried)], given[len(carried) :]
        ours = (moment.scores, moment.latent, moment.attention)
        steps += 1
        worst = max(worst, *(gap(own, other.numpy()) for own, other in zip(thought, ours, strict=False)))
    return Parity(steps, worst)


def gap(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The greatest difference, relative where numbers are greater than 1."""
    return float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)), initial=0.0))
