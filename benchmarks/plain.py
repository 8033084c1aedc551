"""The paper's networks that are cloned, as one would write them in torch (Tang & Ha 2021, section 4 and appendix A)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anx.agent.ops import sinusoidal_table

SIDE, PATCH, FRAMES, BUTTONS, CHANNELS = 20, 6, 4, 6, 32  # of Pong
MOTORS, QUERIES = 8, 32  # of Ant


class PlainPong(nn.Module):
    """AttentionNeuron on patches, learnt gains, and the convolutional policy; parameters in the authors' order."""

    def __init__(self) -> None:
        super().__init__()
        pixels = PATCH**2
        self.query = nn.Linear(8, CHANNELS)
        self.key = nn.Linear((FRAMES - 1) * pixels + BUTTONS, CHANNELS)
        self.value = nn.Linear(FRAMES * pixels, CHANNELS)
        self.normalise_values = nn.LayerNorm(pixels)
        self.normalise_output = nn.LayerNorm(CHANNELS)
        self.convolutions = nn.Sequential(nn.Conv2d(CHANNELS, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU())
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, BUTTONS))

    def forward(self, frames: Tensor, previous: Tensor) -> Tensor:
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
        scores: Tensor = self.dense(self.convolutions(picture))
        return scores


class PlainAnt(nn.Module):
    """An LSTM for each of the scalars, all with the same weights, attention by tanh, and two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(1 + MOTORS, 8, batch_first=True)
        self.query, self.key = nn.Linear(8, 32), nn.Linear(8, 32)
        self.policy = nn.Sequential(nn.Linear(QUERIES, 32), nn.Tanh(), nn.Linear(32, MOTORS))

    def forward(self, observations: Tensor, previous: Tensor) -> Tensor:
        """Scalars [B, T, N], previous actions [B, T, A] -> scores [B, T, A]."""
        batch, steps, count = observations.shape
        inputs = observations.transpose(1, 2).reshape(-1, steps, 1)  # [B * N, T, 1]
        seen = torch.cat([inputs, previous.repeat_interleave(count, dim=0)], dim=-1)
        keys = self.key(self.memory(seen)[0]).view(batch, count, steps, -1).transpose(1, 2)  # [B, T, N, d]
        queries = self.query(sinusoidal_table(QUERIES, 8).to(keys))
        attention = (queries @ keys.transpose(2, 3) / 32**0.5).tanh()  # [B, T, M, N]
        latent = (attention @ observations.unsqueeze(-1)).squeeze(-1).tanh()
        scores: Tensor = self.policy(latent)
        return scores
