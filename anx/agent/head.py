"""Heads: the context and what each actuator is -> a score for each actuator."""

import math

import torch
from torch import Tensor, nn

from anx.agent.base import ACTUATOR_SIZE
from anx.agent.ops import check_positive


class LinearHead(nn.Module):
    """One linear layer, with weights of its own for each actuator.

    Args:
        context_size: C.
        action_size: A.
    """

    def __init__(self, context_size: int, action_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(context_size, action_size)

    def forward(self, context: Tensor, actuators: Tensor) -> Tensor:
        """Context [C] -> scores [A]. Which actuator a score is for, its place says."""
        return self.layer(context)


class SharedHead(nn.Module):
    """One small network, shared by all actuators, over [context / sqrt(C), actuator]: two layers, tanh between them.

    The number of its weights does not depend on A. Permuting the actuators permutes the scores: it is for actions what
    a neuron is for inputs.

    Args:
        context_size: C.
        action_size: not needed.
        hidden_size: of the hidden layer.
    """

    def __init__(self, context_size: int, action_size: int, *, hidden_size: int = 16) -> None:
        super().__init__()
        check_positive(hidden_size=hidden_size)
        self.scale = 1 / math.sqrt(context_size)  # a large context would saturate each hidden unit: all scores alike
        self.hidden = nn.Linear(context_size + ACTUATOR_SIZE, hidden_size)
        self.read = nn.Linear(hidden_size, 1)

    def forward(self, context: Tensor, actuators: Tensor) -> Tensor:
        """Context [C], what each actuator is [A, E] -> scores [A]."""
        both = torch.cat([(self.scale * context).expand(len(actuators), -1), actuators], dim=-1)  # [A, C + E]
        return self.read(self.hidden(both).tanh()).squeeze(-1)
