"""Some parts of an agent may come from a file, the others start as they do without one; a file may be of float16."""

import numpy as np
import pytest
import torch
from conftest import compose, make_agent

import anx
from anx.errors import ConfigError
from anx.experiment.files.weights import load_into, read_weights, write_agent
from anx.experiment.prepare import build_learner
from anx.population import get_vector


@pytest.fixture
def file(tmp_path):
    """An agent with other queries than the default one."""
    agent, _ = make_agent()
    write_agent(agent.float(), {"name": "cartpole"}, tmp_path / "agent.safetensors")
    return tmp_path / "agent.safetensors"


def test_parts_that_are_named_come_from_the_file_and_no_others(file):
    theirs = read_weights(file).state
    config = compose(f"weights={file}", "weights_of=[policy,head]", "+budget=smoke")
    ours = build_learner(config).agent.state_dict()
    taken = {name for name, value in ours.items() if torch.equal(value, theirs[name])}
    assert taken == {name for name in ours if name.startswith(("policy.", "head."))}
    assert all((ours[name] == 0).all() for name in ours.keys() - taken)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["weights_of=[policy,splitter]"], r"weights_of=.* must be null or a list of neuron, pooler, policy, head"),
        (["weights_of=[head]", "pooler.num_queries=3"], "weights_of=head: that of .* is of another architecture"),
    ],
)
def test_parts_that_cannot_be_taken_are_named(file, overrides, says):
    with pytest.raises(ConfigError, match=says):
        build_learner(compose(f"weights={file}", "+budget=smoke", *overrides))


def test_parts_of_no_file_are_refused():
    with pytest.raises(ConfigError, match=r"^weights_of=\['policy'\] needs weights=PATH"):
        build_learner(compose("weights_of=[policy]", "+budget=smoke"))


def test_what_is_made_is_what_a_run_starts_from(file):
    config = compose(f"weights={file}", "weights_of=[policy,head]", "+budget=smoke")
    ours, theirs = anx.make(config).agent.module, build_learner(config).agent
    assert torch.equal(get_vector(ours), get_vector(theirs))


def test_a_flat_vector_has_no_parts(tmp_path):
    np.savez(tmp_path / "agent.npz", params=np.zeros(433))
    with pytest.raises(ConfigError, match="does not name its layers"):
        build_learner(compose(f"weights={tmp_path / 'agent.npz'}", "weights_of=[head]", "+budget=smoke"))


def test_an_agent_in_half_precision_comes_back_in_single(tmp_path):
    """Half the size on disk, as agents ship that would be too large."""
    agent, _ = make_agent("+experiment=pong", "policy=cnn", "pooler.num_queries=64", "policy.hidden_size=32")
    whole, half = (tmp_path / f"{name}.safetensors" for name in ("whole", "half"))
    write_agent(agent.float(), {}, whole)
    write_agent(agent.half(), {}, half)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    other, _ = make_agent("+experiment=pong", "policy=cnn", "pooler.num_queries=64", "policy.hidden_size=32", seed=1)
    load_into(other.float(), read_weights(half), half)
    vector = get_vector(other)
    assert vector.dtype == torch.float32
    assert torch.equal(vector, get_vector(agent).float())
