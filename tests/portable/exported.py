"""What tests of exported agents share: stages with random parameters, and what a page makes of them in node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import compose, randomise

from anx.demo.stage import Stage
from anx.experiment.build import build_rollout
from anx.portable.page import OURS, scripts

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node, to run a page's code without a browser"
)


def stage_of(*overrides: str) -> tuple[Stage, Any]:
    """An agent with random parameters where it acts, and the configuration that built both."""
    config = compose(*overrides)
    agent, rollout = build_rollout(config)
    return Stage(config.name, "agent.safetensors", randomise(agent), rollout), config


def in_node(folder: Path, given: object, code: str) -> Any:
    """What `code` prints as JSON: it has the page's modules, `agent`, `cartpole` and `senses`, and what is `given`."""
    for name, text in scripts(OURS).items():
        (folder / name).write_text(text)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "given.json").write_text(json.dumps(given))
    head = "".join(f'import * as {name} from "./{name}.js"; ' for name in ("agent", "cartpole", "senses"))
    head += 'import fs from "node:fs"; const given = JSON.parse(fs.readFileSync("given.json")); '
    (folder / "test.js").write_text(head + f"console.log(JSON.stringify({code}));")
    done = subprocess.run(["node", "test.js"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
