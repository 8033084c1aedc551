"""Weights of one function in several layouts: with dead weights, as the authors' are, or without.

A component that comes in several has two methods that others lack: `converted(weights)`, from weights by name in any of
its layouts to the same function's in its own, ValueError where it has too few; and `as_published()`, a component like
itself in the authors' layout.
"""

import copy

from torch import Tensor

from anx.agent.agent import Agent

Weights = dict[str, Tensor]  # by name


def converted(weights: Weights, agent: Agent) -> Weights:
    """An agent's weights by name, in any layout -> in that of `agent`.

    Raises:
        ValueError: they need more numbers than this layout has.
    """
    result = dict(weights)
    for name, part in agent.named_children():
        if (convert := getattr(part, "converted", None)) is not None:
            prefix = f"{name}."
            own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
            result = {key: value for key, value in result.items() if not key.startswith(prefix)}
            result |= {prefix + key: value for key, value in convert(own).items()}
    return result


def as_published(agent: Agent) -> Agent:
    """An agent like this one in the authors' layout: what their vectors are of. Its weights are not this one's."""
    published = copy.deepcopy(agent)
    for name, part in agent.named_children():
        if (make := getattr(part, "as_published", None)) is not None:
            setattr(published, name, make())
    return published
