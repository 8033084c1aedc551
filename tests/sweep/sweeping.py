"""What the tests of sweeps share: a sweep file, and a run that takes no time."""

import json
import os
from pathlib import Path

METRIC = "validation/shuffled_mean"
SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "trainer.max_steps=2"]
GRID = {"pooler.num_queries": {"values": [4, 8]}, "seed": {"values": [0, 1]}}
SPACE = {"pooler.num_queries": {"values": [1, 2, 4, 8, 16]}, "optimizer.sigma0": {"min": 0.1, "max": 0.9}}


def content(method="grid", parameters=GRID, fixed=(), **more):
    return {
        "method": method,
        "metric": {"name": METRIC, "goal": "maximize"},
        "parameters": parameters,
        "command": ["${env}", "${interpreter}", "-m", "anx.run", *fixed, "${args_no_hyphens}"],
        **more,
    }


def queries(config):
    """A run that takes no time, and what it leaves."""
    folder, value = Path(config.run_dir), 10 * config.pooler.num_queries + config.seed
    (folder / "metrics.csv").write_text(f"step,{METRIC}\n0,{value - 1}\n1,{value}\n2,\n")
    (folder / "report.json").write_text(json.dumps({"process": os.getpid()}))
    return {}


def rows_of(sweep):
    assert sweep.run() is True
    return sweep.rows


def values(rows):
    return [row.value for row in rows.values()]
