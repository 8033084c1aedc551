import numpy as np
import pytest
import torch
from conftest import make_agent
from safetensors import safe_open

from anx.config import ConfigError
from anx.interop import load_into, read_weights, write_agent
from anx.population import get_vector


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
    agent, _ = make_agent()
    load_into(agent, read_weights(tmp_path / "agent.npz"), "agent.npz")
    assert get_vector(agent).tolist() == vector.tolist()
    assert agent.neuron.cell.weight_ih[0].tolist() == [0, 1]
    assert agent.policy.layers[0].bias.tolist() == [912]


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
    elif name == "alien.ckpt":
        torch.save({"model": {}}, path)
    elif name != "missing.npz":
        path.write_bytes(b"no such thing")
    return path


NAMES = ["other.npz", "text.npz", "pickled.npz", "noise.npz", "cut.safetensors", "noise.safetensors", "cut.ckpt"]
NAMES += ["code.ckpt", "alien.ckpt", "noise.ckpt", "missing.npz", "agent.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_holds_no_agent_is_refused_by_name_in_one_line(tmp_path, name):
    with pytest.raises(ConfigError) as refused:
        read_weights(broken(tmp_path, name))
    message = str(refused.value)
    assert message.startswith(f"weights={tmp_path / name}")
    assert "\n" not in message


def test_weights_of_another_architecture_are_refused_with_both_sizes(tmp_path):
    np.savez(tmp_path / "agent.npz", params=np.zeros(2504, np.float32))
    agent, _ = make_agent()
    with pytest.raises(ConfigError, match="has 2504 parameters, this agent has 913"):
        load_into(agent, read_weights(tmp_path / "agent.npz"), "agent.npz")


def test_weights_of_the_same_size_but_other_layers_are_refused(tmp_path):
    agent, _ = make_agent("pooler.message_size=16", "pooler.num_queries=4")
    write_agent(agent, {}, tmp_path / "agent.safetensors")
    other, _ = make_agent("pooler.query_size=4", "pooler.message_size=16", "pooler.num_queries=68")
    with pytest.raises(ConfigError, match="another architecture"):
        load_into(other, read_weights(tmp_path / "agent.safetensors"), "agent.safetensors")
