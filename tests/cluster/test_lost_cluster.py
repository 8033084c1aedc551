import pytest
import torch
from conftest import compose
from fragile import chunks

from anx.commands.run import train
from anx.errors import LostError
from anx.experiment.files.weights import read_weights

SMALL = ["+budget=smoke", "env.max_steps=5", "logger=csv", "callbacks.pictures=null", "report=null"]
CLUSTER = ["+cluster._target_=fragile.Fragile"]


def run(folder, *overrides):
    train(compose(*SMALL, *overrides, f"run_dir={folder}"))
    return read_weights(folder / "agent.safetensors").state


def test_a_run_whose_cluster_is_lost_says_how_it_goes_on_and_goes_on_bit_for_bit(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    caplog.set_level("INFO")
    straight = run(tmp_path / "straight")
    chunks["left"] = 8 + 8 + 3  # 16 candidates in chunks of 2: in the third generation
    with pytest.raises(LostError, match=r"cluster: it is gone \(BrokenExecutor: of a toy\)"):
        run(tmp_path / "lost", *CLUSTER)
    assert "interrupted after generation 2; to go on:" in caplog.text
    lost = run(tmp_path / "lost", *CLUSTER, f"ckpt_path={tmp_path}/lost/checkpoints/last.ckpt")
    assert straight.keys() == lost.keys()
    assert all(torch.equal(straight[name], lost[name]) for name in straight)
