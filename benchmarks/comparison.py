"""Two sides of a comparison, measured in turns on the same machine."""

import statistics
from collections.abc import Callable
from typing import Any

from hydra import compose, initialize_config_dir

from anx.build import build_rollout
from anx.config import config_folder

ROUNDS = 5


def build(*overrides: str) -> tuple[Any, Any]:
    """The agent and the rollout that a command line of `overrides` would make."""
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return build_rollout(compose("config", overrides=["run_dir=none", *overrides]))


def compare(name: str, ours: Callable[[], float], theirs: Callable[[], float]) -> None:
    """Print both sides' steps/s, medians over rounds that alternate, and `ratio: NUMBER`, ours over theirs."""
    speeds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for side, measure in zip(speeds, (ours, theirs), strict=True):
            side.append(measure())
    for side, measured in zip(("ours", "theirs"), speeds, strict=True):
        spread = f"{min(measured):,.0f} to {max(measured):,.0f}"
        print(f"{name:34s} {side:7s} {statistics.median(measured):8,.0f} steps/s ({spread})")
    print(f"{name:34s} ratio: {statistics.median(speeds[0]) / statistics.median(speeds[1]):.2f}", flush=True)
