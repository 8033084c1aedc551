"""Components as a user may write them: right for one agent, and awkward for whoever runs many of them at once."""

import torch
from torch import Tensor, nn


class LayoutNeuron(nn.Module):
    """What it returns are views: strided, transposed, expanded, of each other, and of what it was given."""

    def __init__(self, features: int, action_size: int) -> None:
        super().__init__()
        self.key_size, self.value_size = 3, features
        self.layer = nn.Linear(2 * features + action_size, 6)

    def initial_state(self, num_inputs: int) -> tuple[Tensor, ...]:
        zeros = self.layer.weight.new_zeros(num_inputs, self.value_size)
        return zeros, zeros, zeros[:1].expand(num_inputs, -1), zeros.new_zeros(3, num_inputs).T

    def forward(self, inputs: Tensor, action: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple]:
        last, older, mean, transposed = state
        history = torch.cat([inputs, last, older], dim=-1)  # [N, 3 F]
        size = self.value_size
        seen = torch.cat([inputs + mean, older, action.expand(len(inputs), -1)], dim=-1)
        wide = self.layer(seen).tanh()  # [N, 6]
        keys = wide[:, ::2] + transposed  # [N, 3]
        values = inputs.T.contiguous().T
        expanded = history.mean(0, keepdim=True)[:, :size].expand(len(inputs), -1)  # a stride of 0
        # A slice of a wider row, a slice that overlaps nothing else, an expanded and a transposed tensor.
        return keys, values, (history[:, :size], history[:, size : 2 * size], expanded, wide.T.contiguous()[1::2].T)


class AliasNeuron(nn.Module):
    """Its state is its input, its keys are its values, and of two states one is handed on as it came."""

    def __init__(self, features: int, action_size: int) -> None:
        super().__init__()
        self.key_size = self.value_size = features
        self.weight = nn.Parameter(torch.zeros(features))

    def initial_state(self, num_inputs: int) -> tuple[Tensor, ...]:
        zeros = self.weight.new_zeros(num_inputs, self.key_size)
        return zeros, zeros + 1, zeros

    def forward(self, inputs: Tensor, action: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple]:
        last, kept, before = state
        said = (inputs + 0.5 * last + 0.25 * before) * self.weight + 0.1 * kept
        return said, said, (inputs, kept, last)


class KindNeuron(nn.Module):
    """Its state counts in int64, remembers a bool, and becomes double through a constant."""

    def __init__(self, features: int, action_size: int) -> None:
        super().__init__()
        self.key_size, self.value_size = 4, features
        self.layer = nn.Linear(features + action_size, 4)

    def initial_state(self, num_inputs: int) -> tuple[Tensor, ...]:
        steps = torch.zeros(num_inputs, dtype=torch.int64)
        return steps, torch.zeros(num_inputs, dtype=torch.bool), self.layer.weight.new_zeros(num_inputs, 4)

    def forward(self, inputs: Tensor, action: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple]:
        steps, odd, average = state
        said = self.layer(torch.cat([inputs, action.expand(len(inputs), -1)], dim=-1)).tanh()
        fade = torch.tensor([0.5, 0.6, 0.7, 0.8], dtype=torch.float64)
        average = average * fade + said  # double
        keys = average.to(inputs.dtype) * torch.where(odd, 1.0, -0.5).unsqueeze(-1).to(inputs.dtype)
        keys = keys / (1 + steps // 2).unsqueeze(-1).to(inputs.dtype)
        return keys, inputs, (steps + 1, ~odd, average)


class ScalarPooler(nn.Module):
    """A single number is its parameter, and its latent code is a transposed view."""

    def __init__(self, key_size: int, value_size: int, num_inputs: int) -> None:
        super().__init__()
        self.latent_shape = (key_size, value_size)
        self.gain = nn.Parameter(torch.tensor(0.3))

    def prepare(self) -> tuple[Tensor]:
        return (self.gain.exp(),)

    def attend(self, prepared: tuple[Tensor], keys: Tensor) -> Tensor:
        return keys * prepared[0]

    def forward(self, prepared: tuple[Tensor], keys: Tensor, values: Tensor) -> Tensor:
        return (values.T @ self.attend(prepared, keys)).tanh().T  # [K, V]


class ExpandedPolicy(nn.Module):
    """One number, expanded, is the whole context, and that number is its state."""

    def __init__(self, latent_shape: tuple[int, int], action_size: int) -> None:
        super().__init__()
        self.context_size = 3
        self.read = nn.Linear(latent_shape[0] * latent_shape[1] + action_size, 1)

    def initial_state(self) -> tuple[Tensor, ...]:
        return (self.read.weight.new_zeros(()),)

    def forward(
        self, latent: Tensor, previous_action: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        number = (self.read(torch.cat([latent.reshape(-1), previous_action])) + 0.5 * state[0]).tanh()  # [1]
        return number.expand(self.context_size), (number[0],)


class StridedHead(nn.Module):
    """Its scores are every other column of a wider row, the last ones first in memory, in double precision."""

    def __init__(self, context_size: int, action_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(context_size, 2)

    def forward(self, context: Tensor, actuators: Tensor) -> Tensor:
        wide = torch.outer(self.layer(context), actuators.sum(1).flip(0))  # [2, A]
        return torch.cat([wide, wide]).T[:, ::2].double().sum(1).flip(0)  # [A]


class ExpandedHead(nn.Module):
    """One number, expanded, is all scores."""

    def __init__(self, context_size: int, action_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(context_size, 1)

    def forward(self, context: Tensor, actuators: Tensor) -> Tensor:
        return self.layer(context).expand(len(actuators))
