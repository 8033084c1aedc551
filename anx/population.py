"""Flat parameter vectors <-> an agent's parameters, and one agent -> P agents."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters

Parameters = dict[str, Tensor]


@contextlib.contextmanager
def in_precision(agent: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """An agent in another precision; afterwards it is bit for bit what it was."""
    parameters = [(parameter, parameter.data) for parameter in agent.parameters()]
    buffers = [(part, *each) for part in agent.modules() for each in part.named_buffers(recurse=False)]
    agent.to(dtype)
    try:
        yield
    finally:
        for parameter, data in parameters:
            parameter.data = data
        for part, name, buffer in buffers:
            setattr(part, name, buffer)


def num_parameters(agent: nn.Module) -> int:
    """D, the length of an agent's flat vector."""
    return sum(p.numel() for p in agent.parameters())


def get_vector(agent: nn.Module) -> Tensor:
    """The agent's parameters as one vector [D], in the order of `agent.parameters()`."""
    return parameters_to_vector(agent.parameters()).detach()


@torch.no_grad()
def set_vector(agent: nn.Module, vector: Tensor) -> None:
    """Write a vector [D] into the agent's parameters."""
    size = num_parameters(agent)
    if vector.shape != (size,):
        raise ValueError(f"weights have {vector.numel()} parameters, this agent has {size}")
    vector_to_parameters(vector.to(next(agent.parameters())), agent.parameters())


def unflatten(agent: nn.Module, population: Tensor) -> Parameters:
    """A population [P, D] -> the agent's parameters by name, each [P, ...]."""
    parameters, start = {}, 0
    for name, parameter in agent.named_parameters():
        flat = population[:, start : start + parameter.numel()]
        start += parameter.numel()
        parameters[name] = column_major(flat.reshape(-1, *parameter.shape))
    return parameters


def column_major(parameter: Tensor) -> Tensor:
    """The same [P, ...] values; matrices [P, out, in] are laid out with `out` contiguous.

    `x @ W.T` then reads W in the order in which it writes: compiled code works on whole vectors of outputs.
    """
    if parameter.dim() != 3:
        return parameter.contiguous()
    return parameter.transpose(1, 2).contiguous().transpose(1, 2)


class _Prepare(nn.Module):
    """Lets `functional_call` reach `agent.prepare`."""

    def __init__(self, agent: nn.Module) -> None:
        super().__init__()
        self.agent: Any = agent

    def forward(self) -> Any:
        return self.agent.prepare()


def prepare(agent: nn.Module, parameters: Parameters) -> Any:
    """`agent.prepare()` for P agents: leaves [P, ...]."""
    wrapped = _Prepare(agent)
    prepared = vmap(lambda p: functional_call(wrapped, {f"agent.{k}": v for k, v in p.items()}, ()))(parameters)
    return torch.utils._pytree.tree_map(column_major, prepared)


def vectorise(agent: nn.Module) -> Callable[..., Any]:
    """One agent's forward -> `act(parameters [P, ...], prepared [P, ...], inputs [P, R, N, F], state [P, R, ...])`.

    Returns actions [P, R, A] and state [P, R, ...]. R episodes share their candidate's parameters. What else the agent
    takes follows as [P, R, ...].
    """

    def one(parameters: Parameters, *rest: Any) -> tuple[Tensor, Any]:
        return functional_call(agent, parameters, rest)

    def act(parameters: Parameters, prepared: Any, *rest: Any) -> tuple[Tensor, Any]:
        episodes = vmap(one, in_dims=(None, None, *[0] * len(rest)))
        return vmap(episodes)(parameters, prepared, *rest)

    return act
