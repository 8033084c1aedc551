"""Flat parameter vectors <-> an agent's parameters, and one agent -> P agents."""

import copy
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector

from anx.agent.agent import AgentState
from anx.internal.pytree import Tree, tree_leaves, tree_map

Parameters = dict[str, Tensor]
Module = TypeVar("Module", bound=nn.Module)
Leaves = TypeVar("Leaves", covariant=True)
Result = TypeVar("Result")
Acted: TypeAlias = tuple[Tensor, AgentState]  # action, state


def in_order(agent: nn.Module) -> dict[str, nn.Parameter]:
    """The agent's parameters by name, in the order in which its flat vectors have them.

    That is the order of the modules, but for the parts that a module names in an attribute `last_in_vector`: their
    parameters come after all others.
    """
    late = tuple(
        f"{path}.{name}.".lstrip(".")
        for path, module in agent.named_modules()
        for name in getattr(module, "last_in_vector", ())
    )
    return dict(sorted(agent.named_parameters(), key=lambda each: each[0].startswith(late)))


def num_parameters(agent: nn.Module) -> int:
    """D, the length of an agent's flat vector."""
    return sum(p.numel() for p in agent.parameters())


def get_vector(agent: nn.Module) -> Tensor:
    """The agent's parameters as one vector [D]."""
    return parameters_to_vector(in_order(agent).values()).detach()


@torch.no_grad()
def set_vector(agent: nn.Module, vector: Tensor) -> None:
    """Write a vector [D] into the agent's parameters."""
    size = num_parameters(agent)
    if vector.shape != (size,):
        raise ValueError(f"weights have {vector.numel()} parameters, this agent has {size}")
    parameters = in_order(agent).values()
    for parameter, own in zip(parameters, vector.split([p.numel() for p in parameters]), strict=True):
        parameter.copy_(own.view_as(parameter))


def is_like(agent: nn.Module, x: Tensor) -> bool:
    """Whether all numbers of the agent are on the device and in the precision of `x`."""
    tensors = [*agent.parameters(), *agent.buffers()]
    return all(each.device == x.device and each.dtype in (x.dtype, torch.int64, torch.bool) for each in tensors)


def copy_like(agent: Module, x: Tensor) -> Module:
    """A copy of the agent on the device and in the precision of `x`."""
    with torch.inference_mode(False):
        return copy.deepcopy(agent).to(x)


def with_vector(agent: Module, vector: Tensor) -> Module:
    """A copy of the agent with parameters [D], on their device and in their precision."""
    own = copy_like(agent, vector)
    set_vector(own, vector)
    return own


def unflatten(agent: nn.Module, population: Tensor) -> Parameters:
    """A population [P, D] -> the agent's parameters by name, each [P, ...]."""
    parameters, start = {}, 0
    for name, parameter in in_order(agent).items():
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


def in_precision_of(population: Tensor, x: Tensor) -> Tensor:
    """A state on the population's device; real numbers in its precision, counts and marks as they are."""
    return x.to(population) if x.is_floating_point() else x.to(population.device)


class Packed(Generic[Leaves]):
    """Leaves [P, ...] side by side in one matrix [P, columns]: rows of all of them are taken at once.

    Args:
        leaves: any tree of tensors of one precision, each a row's block of memory.
    """

    def __init__(self, leaves: Leaves) -> None:
        flat = tree_leaves(leaves)
        rows = len(flat[0])
        self._shapes = [(leaf.shape[1:], leaf.stride()[1:]) for leaf in flat]
        self._matrix = torch.cat([as_stored(leaf).reshape(rows, -1) for leaf in flat], dim=1)

    def __getitem__(self, row: Tensor) -> list[Tensor]:
        """The rows [B] of all leaves in order, [B, ...] each, laid out in memory as the leaves are."""
        taken = self._matrix[row]
        columns, start, leaves = taken.shape[1], 0, []
        for shape, stride in self._shapes:
            leaves.append(taken.as_strided((len(row), *shape), (columns, *stride), start))
            start += shape.numel()
        return leaves


def as_stored(leaf: Tensor) -> Tensor:
    """A leaf [P, ...] with each row's axes in the order in which they lie in memory."""
    order = sorted(range(1, leaf.dim()), key=leaf.stride, reverse=True)
    return leaf.permute(0, *order)


class _Calling(nn.Module, Generic[Result]):
    """Lets `functional_call` reach what else than its `forward` can be done with an agent."""

    def __init__(self, agent: nn.Module, does: Callable[..., Result]) -> None:
        super().__init__()
        self.agent = agent
        self.does = does

    def forward(self, *arguments: object) -> Result:
        return self.does(self.agent, *arguments)

    def with_parameters(self, parameters: Parameters, *arguments: object) -> Result:
        """What is done by an agent that has these parameters."""
        named: Parameters = {f"agent.{name}": value for name, value in parameters.items()}
        result: Result = functional_call(self, named, arguments)
        return result


def prepare(agent: nn.Module, parameters: Parameters) -> Tree:
    """`agent.prepare()` for P agents: leaves [P, ...]."""
    one: _Calling[Tree] = _Calling(agent, lambda agent: agent.prepare())
    return tree_map(column_major, vmap(one.with_parameters)(parameters))


def vectorise(agent: nn.Module, does: Callable[..., Acted] = nn.Module.__call__) -> Callable[..., Acted]:
    """One agent's forward -> `act(parameters [P, ...], prepared [P, ...], inputs [P, R, N, F], state [P, R, ...])`.

    Returns actions [P, R, A] and state [P, R, ...]. R episodes share their candidate's parameters.

    Args:
        agent: one agent.
        does: `does(agent, prepared, inputs, state, ...)`, what is done with one agent instead of calling it. What else
            it takes follows as [P, R, ...].
    """
    one = _Calling(agent, does).with_parameters

    def act(parameters: Parameters, prepared: Tree, *rest: Tree) -> Acted:
        episodes = vmap(one, in_dims=(None, None, *[0] * len(rest)))
        acted: Acted = vmap(episodes)(parameters, prepared, *rest)
        return acted

    return act
