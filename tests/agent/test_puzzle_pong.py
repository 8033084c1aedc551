"""The authors' cloned Pong, as a flat vector: attention's queries, keys and values, both normalisations' gains, then
the convolutional policy, layer by layer, each a weight and a bias."""

import numpy as np
import torch
import torch.nn.functional as F
from conftest import make_agent
from torch import nn

from anx.agent.ops import sinusoidal_table
from anx.agent.still import merged
from anx.experiment.files.weights import load_into, read_weights

LAYOUT = ["+experiment=pong", "+ablation=puzzle_pong"]
SIDE, PATCH, FRAMES, BUTTONS, CHANNELS = 20, 6, 4, 6, 32


class Plain(nn.Module):
    """The paper's network for Pong, as one would write it in torch (section 4.3 and appendix A)."""

    def __init__(self):
        super().__init__()
        pixels = PATCH**2
        self.query = nn.Linear(8, CHANNELS)
        self.key = nn.Linear((FRAMES - 1) * pixels + BUTTONS, CHANNELS)
        self.value = nn.Linear(FRAMES * pixels, CHANNELS)
        self.normalise_values = nn.LayerNorm(pixels)
        self.normalise_output = nn.LayerNorm(CHANNELS)
        self.convolutions = nn.Sequential(nn.Conv2d(CHANNELS, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU())
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, BUTTONS))

    def forward(self, frames, previous):
        """Frames [B, S, 84, 84] from 0 to 255, previous actions [B, A] -> scores [B, A]."""
        frames = frames.to(previous.dtype) / 255
        patches = F.unfold(frames.flatten(0, 1).unsqueeze(1), PATCH, stride=PATCH)  # [B * S, p * p, N]
        patches = patches.transpose(1, 2).unflatten(0, (-1, FRAMES)).transpose(1, 2)  # [B, N, S, p * p]
        moved = patches.diff(dim=2).flatten(2)
        keys = self.key(torch.cat([moved, previous.unsqueeze(1).expand(-1, moved.shape[1], -1)], dim=-1))
        queries = self.query(sinusoidal_table(SIDE**2, 8).to(keys))
        attention = (queries @ keys.transpose(1, 2) / CHANNELS**0.5).softmax(dim=-1)  # [B, M, N]
        pooled = attention @ self.value(self.normalise_values(patches).flatten(2))
        latent = self.normalise_output(pooled.relu()).relu()  # [B, M, V]
        picture = latent.unflatten(1, (SIDE, SIDE)).permute(0, 3, 1, 2)
        return self.dense(self.convolutions(picture))


def test_their_vector_is_their_network(tmp_path):
    torch.manual_seed(0)
    plain = Plain()
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
    previous = torch.rand(1, BUTTONS, generator=generator, dtype=torch.float64)
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
