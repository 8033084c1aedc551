"""What a type checker sees of anx from outside: mypy checks this file, nothing runs it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import anx


def use() -> None:
    assert_type(anx.evaluate("a").mean, float)
    assert_type(anx.load("a")([1.0])[0], npt.NDArray[np.generic])
    assert_type(anx.train(anx.compose("seed=1")).folder, Path)
    anx.load(3)  # type: ignore[arg-type]  # and mypy says so where this is not needed
