"""An agent's step as ONNX does in onnxruntime what it does in torch."""

import importlib.util

import pytest
import torch
from combinations import build, covering, differing
from conftest import make_agent
from exported import stage_of
from torch import nn

from anx.errors import ConfigError
from anx.population import with_vector
from anx.portable.graph import write_graph
from anx.portable.parity import ALIKE, compare
from anx.portable.step import Step

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in LIBRARIES),
    reason="needs pip install 'anx[export]' onnxruntime",
)


def example(agent, split=True, seed=0, count=None):
    """What a step might see: numbers, or frames."""
    generator = torch.Generator().manual_seed(seed)
    splitter = agent.splitter
    if not split:
        return torch.rand(count or splitter.num_inputs, splitter.features, generator=generator, dtype=torch.float64)
    if splitter.features == 1:
        return torch.randn(count or splitter.num_inputs, generator=generator, dtype=torch.float64)
    side = splitter.patch_size * splitter.grid[0]
    return 255 * torch.rand(splitter.frames, side, side, generator=generator, dtype=torch.float64)


def assert_alike(path, step, counts, split=True):
    for count in counts:
        seen = [example(step.agent, split, seed, count) for seed in range(5)]
        assert compare(path, step, seen).differences.max() < ALIKE


@needs_onnx
@pytest.mark.slow
def test_a_file_does_what_the_agent_does_with_any_number_of_inputs_and_says_what_it_is_about(tmp_path):
    import onnxruntime

    stage, _ = stage_of("env.max_steps=50")
    step, path = Step(with_vector(stage.agent, stage.vector())), tmp_path / "agent.onnx"
    assert write_graph(step, example(step.agent), path, {"anx.name": "cartpole"})
    parity = compare(path, step, (each.observation for each in stage.rollout.watch(stage.vector(), 0)))
    assert len(parity.differences) > 10
    assert parity.alike == 1
    assert_alike(path, step, (1, 4, 15))
    session = onnxruntime.InferenceSession(path)
    assert session.get_modelmeta().custom_metadata_map == {"anx.name": "cartpole"}
    assert [each.shape for each in session.get_inputs()] == [["N"], [1], ["N", 8], ["N", 8]]
    assert b"/anx/" not in path.read_bytes()  # nothing of where it was made


@needs_onnx
@pytest.mark.exhaustive
@pytest.mark.parametrize("experiment", ["ant", "car_racing", "pong"])
def test_a_file_of_each_experiments_agent_does_what_the_agent_does(tmp_path, experiment):
    agent, _ = make_agent(f"+experiment={experiment}", sigma=0.1)
    step, path = Step(agent), tmp_path / "agent.onnx"
    assert write_graph(step, example(agent), path, {}) is (experiment == "ant")
    assert_alike(path, step, (28, 3) if experiment == "ant" else (None,))


@needs_onnx
@pytest.mark.exhaustive
@pytest.mark.parametrize("pooler", differing("pooler"))
def test_a_file_of_an_agent_of_any_parts_takes_inputs_instead_of_observations(tmp_path, pooler):
    agent, _ = build(covering()[pooler])
    # Votes that are nearly a tie fall otherwise in single precision; onnxruntime has no convolutions in double.
    precision = torch.float32 if any(isinstance(each, nn.Conv2d) for each in agent.modules()) else torch.float64
    agent.to(precision)
    step, path = Step(agent, split=False), tmp_path / "agent.onnx"
    any_number = write_graph(step, example(agent, split=False).to(precision), path, {})
    fixed = getattr(agent.pooler, "fixed_inputs", None)
    assert any_number is (fixed is None)
    alone = () if hasattr(agent.policy, "votes") else (1,)  # of a single input all latents are the same: votes tie
    assert_alike(path, step, (None,) if fixed else (None, *alone, 30), split=False)


@needs_onnx
@pytest.mark.exhaustive
def test_what_onnxruntime_cannot_run_is_said_in_a_line(tmp_path):
    agent, _ = build(("patch", "frame_difference", "attention_pong", "cnn", "linear"))
    step, path = Step(agent.double()), tmp_path / "agent.onnx"
    write_graph(step, example(agent), path, {})
    with pytest.raises(ConfigError, match=r"can't run it \(Could not find .*Conv.*try precision=32$"):
        compare(path, step, [])


def test_a_step_carries_on_what_the_next_one_takes():
    agent, _ = make_agent()
    step = Step(agent)
    assert step.inputs == ["observation", "previous_action", "neuron_state_0", "neuron_state_1"]
    assert step.outputs == ["action", "next_neuron_state_0", "next_neuron_state_1", "scores", "latent", "attention"]
    carried, state = step.start(5), agent.initial_state(5)
    with torch.no_grad():
        for seed in range(3):
            seen = example(agent, seed=seed)
            action, state = agent(agent.prepare(), agent.splitter(seen), state)
            given = step(seen, *carried)
            carried = given[: len(carried)]
    torch.testing.assert_close(carried[0], action, rtol=0, atol=0)
    torch.testing.assert_close(carried[1], state.neuron[0], rtol=0, atol=0)
    assert [tuple(each.shape) for each in given] == [(1,), (5, 8), (5, 8), (1,), (16, 1), (5, 16)]


def test_without_attention_none_is_given():
    step = Step(make_agent("+ablation=fnn")[0])
    assert (step.inputs, step.outputs) == (["observation", "previous_action"], ["action", "scores", "latent"])


@needs_onnx
def test_an_agent_that_begins_with_more_than_zeros_is_refused(tmp_path, monkeypatch):
    agent, _ = make_agent()
    monkeypatch.setattr(agent.neuron, "initial_state", lambda count: (torch.ones(count, 8), torch.zeros(count, 8)))
    with pytest.raises(ConfigError, match="starts an episode with a state other than 0"):
        write_graph(Step(agent), example(agent), tmp_path / "agent.onnx", {})


def test_without_the_libraries_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    agent, _ = make_agent()
    with pytest.raises(ConfigError, match=r"agent\.onnx needs onnx and onnxscript: pip install 'anx\[export\]'"):
        write_graph(Step(agent), example(agent), tmp_path / "agent.onnx", {})
