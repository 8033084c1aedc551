"""The real `wandb` command line drives a sweep to its end, against a server of our own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from wandb_file import records
from wandb_server import SWEEP, Server

ROOT = Path(__file__).parents[2]


def logged(path):
    """The config, the history's keys, the summary and the exit code of a run."""
    config, history, summary, code = {}, set(), {}, None
    for record in records(path):
        config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        config |= {item.key: json.loads(item.value_json) for item in record.config.update}
        history |= {item.key or "/".join(item.nested_key) for item in record.history.item}
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        if record.HasField("exit"):
            code = record.exit.exit_code
    return config, history, summary, code


@pytest.mark.exhaustive
def test_wandb_sweep_and_agent_run_every_point_and_go_on_after_those_that_fail(tmp_path):
    sweep = yaml.safe_load((ROOT / "sweeps" / "cartpole_num_queries.yaml").read_text())
    sweep["parameters"] = {"pooler.num_queries": {"values": [0, "(", 8]}, "seed": {"values": [1]}}
    fixed = ["+budget=smoke", "env.max_steps=20", "callbacks.pictures=null", "report=null"]
    fixed += [f"hydra.run.dir={tmp_path}/runs/${{now:%H-%M-%S-%f}}"]
    command = sweep["command"]
    sweep["command"] = [*command[:-1], *fixed, command[-1]]
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))

    server = Server()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    environment |= {
        "HOME": str(tmp_path),
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": "0" * 40,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }

    def wandb(*arguments, **more):
        arguments = [sys.executable, "-m", "wandb", *arguments]
        done = subprocess.run(
            arguments, env={**environment, **more}, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert SWEEP in wandb("sweep", str(path))
    output = wandb("agent", f"somebody/anx/{SWEEP}", WANDB_MODE="offline")
    server.shutdown()
    assert server.unknown == []
    assert server.waiting == []

    runs = {}
    for file in tmp_path.rglob("offline-run-*/run-*.wandb"):
        runs[file.stem.removeprefix("run-")] = logged(file)
    assert runs.keys() == {f"runpoolernum_queries{queries}seed1" for queries in ("0", "", "8")}, output
    config, history, _, code = runs["runpoolernum_queries8seed1"]
    assert config["pooler"]["num_queries"] == 8
    assert config["seed"] == 1
    assert sweep["metric"]["name"] in history
    assert code == 0
    config, history, summary, code = runs["runpoolernum_queries0seed1"]
    assert config["pooler"]["num_queries"] == 0
    assert "pooler.num_queries=0" in summary["error"]
    assert "at least 1" in summary["error"]
    assert history == set()
    assert code == 1
    _, history, summary, code = runs["runpoolernum_queriesseed1"]  # it could not even be composed
    assert "pooler.num_queries=(" in summary["error"]
    assert history == set()
    assert code == 1
