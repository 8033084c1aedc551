"""The authors' cloned Pong, as a flat vector: attention's queries, keys and values, both normalisations' gains, then
the convolutional policy, layer by layer, each a weight and a bias."""

import importlib
from pathlib import Path

import numpy as np
import torch
from conftest import make_agent

from anx.agent.still import merged
from anx.experiment.files.weights import load_into, read_weights

LAYOUT = ["+experiment=pong", "+ablation=puzzle_pong"]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_their_vector_is_their_network(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    torch.manual_seed(0)
    plain = importlib.import_module("plain").PlainPong()
    with torch.no_grad():
        for layer in (plain.normalise_values, plain.normalise_output):
            for parameter in layer.parameters():
                parameter.add_(torch.randn(parameter.shape) / 2)
    vector = torch.cat([each.detach().flatten() for each in plain.parameters()])
    assert len(vector) == 1_687_726
    np.savez(tmp_path / "made.npz", params=vector.numpy())
    agent, env = make_agent(*LAYOUT)
    load_into(agent, read_weights(tmp_path / "made.npz"), "weights")
    plain.double(), agent.double()

    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(256, (1, *env.spec.observation_shape), generator=generator)
    frames[:, :, 12:] = frames[:, :1, 12:]  # 28 patches move
    previous = torch.rand(1, env.spec.action_size, generator=generator, dtype=torch.float64)
    inputs = agent.splitter(frames[0]).double()
    state = agent.initial_state(len(inputs))._replace(previous_action=previous[0])
    thought, _ = agent.explain(agent.prepare(), inputs, state)
    theirs = plain(frames, previous)[0]
    torch.testing.assert_close(thought.scores, theirs, rtol=0, atol=1e-5)
    assert theirs.std() > 1e-3

    agent.discrete = False
    rows = agent.neuron.still_inputs.divide(inputs)[0]
    whole, fewer = agent(agent.prepare(), inputs, state)[0], merged(agent, agent.prepare(), inputs, state, rows)[0]
    assert not torch.equal(whole, fewer)  # too much moves here
    agent.neuron.still_inputs = agent.neuron.still_inputs.__class__(4, 36, True, 30)
    rows, few = agent.neuron.still_inputs.divide(inputs)
    assert few
    torch.testing.assert_close(merged(agent, agent.prepare(), inputs, state, rows)[0], whole, rtol=0, atol=1e-5)
