"""Some parts of an agent from a file, the others as they are: a student whose later layers start from a teacher's."""

from collections.abc import Sequence

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.files.weights import Weights, check_finite, in_layout_of

PARTS = ("neuron", "pooler", "policy", "head")  # those that have weights


def check_parts_of(parts: object) -> list[str]:
    """ConfigError unless `weights_of` is null or names parts of an agent; their names."""
    names = list(parts) if isinstance(parts, Sequence) and not isinstance(parts, str) else [parts]
    if not names or any(name not in PARTS for name in names):
        raise ConfigError(f"weights_of={parts} must be null or a list of {', '.join(PARTS)}")
    return [str(name) for name in names]


def load_parts_into(agent: Agent, weights: Weights, path: str, parts: Sequence[str]) -> None:
    """Put the weights of some parts into an agent, which has others of its own.

    Raises:
        ConfigError: the file does not name its layers, or a part of it is of another architecture.
    """
    if weights.state is None:
        raise ConfigError(f"weights={path} does not name its layers: weights_of needs a .safetensors or .ckpt file")
    state = in_layout_of(agent, weights).state or {}
    for part in parts:
        own = {name: value.shape for name, value in agent.state_dict().items() if name.startswith(f"{part}.")}
        theirs = {name: value for name, value in state.items() if name.startswith(f"{part}.")}
        if own != {name: value.shape for name, value in theirs.items()}:
            raise ConfigError(f"weights_of={part}: that of {path} is of another architecture than the agent's")
        check_finite(theirs, path, "weights")
        agent.load_state_dict(theirs, strict=False)
