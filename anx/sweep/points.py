"""A point's folder, the overrides of its run, and what that run left there."""

import hashlib
import math
import re
from pathlib import Path

from anx.experiment.config.command_line import override
from anx.sweep.distribution import Point
from anx.views.figures import read_metrics

LONGEST_NAME = 150  # file systems allow 255


def name_of(point: Point) -> str:
    """The name of a point's folder, the same at every start: num_queries-4_seed-0.

    Without = and commas, which Hydra does not take in an unquoted `weights=FOLDER/agent.safetensors`.
    """
    full = "_".join(f"{key.lstrip('+')}-{value}" for key, value in point.items())
    name = re.sub(r"[^\w.+-]", "_", full, flags=re.ASCII)[:LONGEST_NAME]
    return name if name == full else f"{name}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def to_overrides(point: Point) -> list[str]:
    """What W&B's agent would put in the place of ${args_no_hyphens}."""
    return [f"{key}={value}" for key, value in point.items()]


def launch_overrides(point: Point, folder: Path) -> list[str]:
    """The overrides of a point's run in its folder; one that was cut off goes on from its checkpoint."""
    overrides = [*to_overrides(point), override("hydra.sweep.subdir", folder.name)]
    last = folder / "checkpoints" / "last.ckpt"
    return [*overrides, override("ckpt_path", last)] if last.is_file() else overrides


def is_finished(folder: Path) -> bool:
    return (folder / "report.json").is_file()


def last_value(folder: Path, metric: str) -> float | str:
    """The value of `metric` that a run logged last, as in W&B's summary, or why there is none."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return "the run wrote no metrics.csv (logger.csv)"
    rows = read_metrics(path)
    values = [row[metric] for row in rows if row.get(metric)]
    if not values:
        logged = ", ".join(key for key in rows[0] if key != "step") if rows else "nothing"
        return f"the run logged no {metric}, but {logged}"
    value = float(values[-1])
    return value if math.isfinite(value) else f"{metric} is {value}"
