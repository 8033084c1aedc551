import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_agent
from safetensors import safe_open
from safetensors.torch import save_file

from anx.errors import ConfigError
from anx.experiment.checkpoints import WholeCheckpointIO
from anx.experiment.files.weights import load_into, read_weights, write_agent
from anx.experiment.loggers.metrics_file import MetricsFile
from anx.files import whole, write_whole
from anx.population import get_vector, set_vector


def test_an_agent_goes_into_a_file_and_comes_back_with_its_config(tmp_path):
    agent, _ = make_agent()
    write_agent(agent, {"name": "cartpole", "pooler": {"gain": 0.5}}, tmp_path / "agent.safetensors")
    weights = read_weights(tmp_path / "agent.safetensors")
    other, _ = make_agent(seed=1)
    load_into(other, weights, "agent.safetensors")
    assert torch.equal(get_vector(other), get_vector(agent))
    assert weights.config == {"name": "cartpole", "pooler": {"gain": 0.5}}
    with safe_open(tmp_path / "agent.safetensors", "pt") as file:
        assert "neuron.cell.weight_ih" in set(file.keys())


def test_a_flat_vector_fills_the_parameters_in_order(tmp_path):
    vector = np.arange(913, dtype=np.float32)
    np.savez(tmp_path / "agent.npz", params=vector)
    agent, _ = make_agent("+ablation=published_layout")
    load_into(agent, read_weights(tmp_path / "agent.npz"), "agent.npz")
    assert get_vector(agent).tolist() == vector.tolist()
    assert agent.neuron.cell.weight_ih[0].tolist() == [0, 1]
    assert agent.head.layer.bias.tolist() == [912]


def broken(tmp_path, name):
    path = tmp_path / name
    agent, _ = make_agent()
    if name == "other.npz":
        np.savez(path, weights=np.zeros(3))
    elif name == "text.npz":
        np.savez(path, params=np.array(["a", "b"]))
    elif name == "pickled.npz":
        np.savez(path, params=np.array([{}], dtype=object))
    elif name == "cut.safetensors":
        write_agent(agent, {}, path)
        path.write_bytes(path.read_bytes()[:1000])
    elif name == "cut.ckpt":
        torch.save({"state_dict": agent.state_dict()}, path)
        path.write_bytes(path.read_bytes()[:1000])
    elif name == "code.ckpt":
        torch.save({"state_dict": {}, "code": print}, path)
    elif name == "array.npz":
        np.save(path.with_suffix(".npy"), np.zeros(3))
        path.with_suffix(".npy").rename(path)
    elif name == "complex.npz":
        np.savez(path, params=np.ones(913, complex))
    elif name == "member.npz":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("params", "text")
    elif name in ("folder.safetensors", "folder.npz"):
        path.mkdir()
    elif name.startswith("empty."):
        path.touch()
    elif name == "texts.ckpt":
        torch.save({"state_dict": {"agent.weight": "text"}}, path)
    elif name == "list.ckpt":
        torch.save({"state_dict": [torch.ones(3)]}, path)
    elif name == "config.ckpt":
        torch.save({"state_dict": {}, "config": {"name": torch.ones(3)}}, path)
    elif name == "alien.ckpt":
        torch.save({"model": {}}, path)
    elif name != "missing.npz":
        path.write_bytes(b"no such thing")
    return path


NAMES = ["other.npz", "text.npz", "pickled.npz", "noise.npz", "cut.safetensors", "noise.safetensors", "cut.ckpt"]
NAMES += ["code.ckpt", "alien.ckpt", "noise.ckpt", "missing.npz", "agent.txt"]
NAMES += ["array.npz", "complex.npz", "member.npz", "folder.safetensors", "folder.npz", "empty.npz"]
NAMES += ["empty.safetensors", "empty.ckpt", "texts.ckpt", "list.ckpt", "config.ckpt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_holds_no_agent_is_refused_by_name_in_one_line(tmp_path, name):
    with pytest.raises(ConfigError) as refused:
        read_weights(broken(tmp_path, name))
    message = str(refused.value)
    assert message.startswith(f"weights={tmp_path / name}")
    assert "\n" not in message


def test_a_file_that_may_not_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "agent.npz").write_bytes(b"PK")

    def refuse(self, *mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    with pytest.raises(ConfigError, match=r"agent.npz can't be read \(Permission denied\)"):
        read_weights(tmp_path / "agent.npz")


@pytest.mark.parametrize("path", [None, 3, ["a.npz"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ConfigError, match="must be the path of a file"):
        read_weights(path)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
def test_weights_that_are_not_numbers_are_refused(tmp_path, wrong):
    agent, _ = make_agent()
    vector = np.zeros(433)
    vector[[5, 7]] = wrong
    np.savez(tmp_path / "agent.npz", params=vector)
    with pytest.raises(ConfigError, match="params holds 2 numbers that are infinite or not a number"):
        load_into(agent, read_weights(tmp_path / "agent.npz"), "agent.npz")
    set_vector(agent, torch.from_numpy(vector))
    write_agent(agent, {}, tmp_path / "agent.safetensors")
    with pytest.raises(ConfigError, match="infinite or not a number"):
        load_into(agent, read_weights(tmp_path / "agent.safetensors"), "agent.safetensors")


def test_weights_that_are_integers_are_refused(tmp_path):
    agent, _ = make_agent()
    save_file({name: value.long() for name, value in agent.state_dict().items()}, tmp_path / "agent.safetensors")
    with pytest.raises(ConfigError, match=r"torch\.int64, no floating-point numbers"):
        load_into(agent, read_weights(tmp_path / "agent.safetensors"), "agent.safetensors")


WRITERS = {
    "text": lambda path: write_whole(path, "text"),
    "an agent": lambda path: write_agent(make_agent()[0], {}, path),
    "a checkpoint": lambda path: WholeCheckpointIO().save_checkpoint({"state_dict": {}}, path),
    "metrics": lambda path: MetricsFile(str(path))._write([]),
}


@pytest.mark.parametrize("mask", [0o022, 0o077])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_file_may_be_read_by_whom_the_umask_says(tmp_path, write, mask):
    before = os.umask(mask)
    try:
        write(tmp_path / "file.safetensors")
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_cannot_be_finished_leaves_the_older_one(tmp_path):
    path = tmp_path / "file.mp4"
    write_whole(path, "old")

    def write_half():
        with whole(path) as unfinished:
            assert unfinished.suffix == ".mp4"
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [each.name for each in tmp_path.iterdir()] == ["file.mp4"]
    assert path.read_text() == "old"


def test_weights_of_another_architecture_are_refused_with_both_sizes(tmp_path):
    np.savez(tmp_path / "agent.npz", params=np.zeros(2504, np.float32))
    agent, _ = make_agent()
    with pytest.raises(ConfigError, match="has 2504 parameters, this agent has 433"):
        load_into(agent, read_weights(tmp_path / "agent.npz"), "agent.npz")


def test_weights_of_the_same_size_but_other_layers_are_refused(tmp_path):
    agent, _ = make_agent("pooler.message_size=16", "pooler.num_queries=4")
    write_agent(agent, {}, tmp_path / "agent.safetensors")
    other, _ = make_agent("pooler.query_size=4", "pooler.message_size=16", "pooler.num_queries=68")
    with pytest.raises(ConfigError, match="another architecture"):
        load_into(other, read_weights(tmp_path / "agent.safetensors"), "agent.safetensors")
