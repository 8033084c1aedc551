"""What older versions of anx wrote into files, in today's words: translated once, where a file is read.

Nothing here checks what a file says: it may be anybody's, and is checked afterwards (see `anx.experiment.files.trust`).
"""

import re
from typing import Any

from torch import Tensor

PERTURBATIONS = ("Duplicate", "Noise", "Occlude", "Shuffle")

# Components that files name, and what they are called now.
MOVED = {
    **{f"anx.envs.perturbations.{each}": f"anx.perturb.inputs.{each}" for each in PERTURBATIONS},
    "anx.evolution.optimizer.CMAES": "anx.solvers.cmaes.CMAES",
    "anx.evolution.optimizer.NevergradOptimizer": "anx.solvers.nevergrad.Nevergrad",
    "anx.evolution.module.Evolution": "anx.learners.evolution.Evolution",
}

# Parts that an agent had before they were parts, as what they then were.
SINCE = {
    "agent": {"_target_": "anx.agent.agent.Agent"},
    "head": {"_target_": "anx.agent.head.LinearHead"},
}

LSTM = "anx.agent.neuron.LSTMNeuron"
LAST_LAYER = re.compile(r"policy\.(read|layers\.(\d+))\.(weight|bias)")  # what a policy ended with before it had a head


def renewed(config: object) -> Any:
    """A configuration, or what a file says of an agent: components by today's names, and all parts of an agent."""
    config = renamed(config)
    if not isinstance(config, dict) or not isinstance(config.get("policy"), dict):
        return config
    policy = dict(config["policy"])
    if "head" not in config:
        policy.pop("output", None)  # followed from the environment, as it does now
    return {**{part: dict(node) for part, node in SINCE.items()}, **config, "policy": policy}


def renamed(node: object) -> object:
    """The same values; components in them have today's names."""
    if isinstance(node, list):
        return [renamed(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: new_name(value) if key == "_target_" else renamed(value) for key, value in node.items()}


def new_name(target: object) -> object:
    """What a component is called today."""
    return MOVED.get(target, target) if isinstance(target, str) else target


def is_headless(config: object) -> bool:
    """Whether a file that says this of its agent is from before policies had heads."""
    return not isinstance(config, dict) or "head" not in config


def renewed_state(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """An agent's weights by name, with a policy's last layer as its head.

    Args:
        state: of a file from before policies had heads.
        prefix: of the agent's names.
    """
    layers = [match for name in state if (match := LAST_LAYER.fullmatch(name.removeprefix(prefix)))]
    if not layers or any(name.startswith(f"{prefix}head.") for name in state):
        return state
    last = max(layers, key=lambda match: -1 if match[2] is None else int(match[2]))[1]
    old, new = f"{prefix}policy.{last}.", f"{prefix}head.layer."
    return {new + name.removeprefix(old) if name.startswith(old) else name: value for name, value in state.items()}


def with_both_biases(config: Any, state: dict[str, Tensor], prefix: str = "") -> Any:
    """What is said of an agent with these weights: an LSTM of which nothing more was said had two biases, now one.

    Args:
        config: renewed.
        state: weights by name.
        prefix: of the agent's names.
    """
    neuron = config.get("neuron") if isinstance(config, dict) else None
    if not isinstance(neuron, dict) or f"{prefix}neuron.cell.bias_hh" not in state:
        return config
    return {**config, "neuron": {"one_bias": False, **neuron}} if neuron.get("_target_") == LSTM else config


def renewed_checkpoint(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A run's checkpoint, as the run would write it today."""
    config, state = checkpoint.get("config"), checkpoint["state_dict"]
    new = dict(checkpoint)
    if is_headless(config):
        new["state_dict"] = renewed_state(state, "agent.")
    for key in {"config", "run"} & set(checkpoint):
        new[key] = with_both_biases(renewed(checkpoint[key]), state, "agent.")
    return new
