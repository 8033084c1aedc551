import itertools
import string
from pathlib import Path

import pytest
import yaml
from conftest import compose

from anx.build import build_rollout
from anx.config import check

SWEEPS = sorted((Path(__file__).parents[1] / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_point_of_a_sweep_composes_and_builds(path):
    sweep = yaml.safe_load(path.read_text())
    assert sweep["metric"] == {"name": "validation/shuffled_mean", "goal": "maximize"}
    fixed = [part for part in sweep["command"][sweep["command"].index("anx.run") + 1 :] if "$" not in part]
    assert sweep["command"][-1] == "${args_no_hyphens}"
    keys = list(sweep["parameters"])
    assert not set("".join(keys)) - set(string.ascii_lowercase + "._")
    for values in itertools.product(*(sweep["parameters"][key]["values"] for key in keys)):
        config = compose(*fixed, *(f"{key}={value}" for key, value in zip(keys, values, strict=True)))
        check(config)
        build_rollout(config)[1].close()
