"""An agent in numbers, for `page/agent.js` to compute the same of them."""

import base64
from collections.abc import Callable, Mapping

from omegaconf import DictConfig
from torch import Tensor

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.build import named, option

Told = dict[str, object]
Weights = Mapping[str, Tensor]  # of a part, by name

# How a pooler has to be built, for lack of more.
PLAIN = {"value_message_size": None, "value_gains": None, "output": "tanh", "output_gains": False}


def lstm(weights: Weights, agent: Agent) -> Told:
    recurrent = layer(weights["cell.weight_hh"], weights.get("cell.bias_hh"))
    first = layer(weights["cell.weight_ih"], weights["cell.bias_ih"])
    return {"kind": "lstm", "hidden": agent.neuron.key_size, "input": first, "recurrent": recurrent}


def stacked(weights: Weights, agent: Agent) -> Told:
    older = agent.neuron.initial_state(1)[0].shape[1]
    return {"kind": "stacked", "older": older, "layer": layer(weights["layer.weight"], weights["layer.bias"])}


def pass_through(weights: Weights, agent: Agent) -> Told:
    return {"kind": "pass_through"}


def attention(weights: Weights, agent: Agent) -> Told:
    queries, offsets = agent.prepare()  # [M, K or d], [M]
    if queries.shape[1] != agent.neuron.key_size:  # keys are projected, too: that is one matrix with the queries
        offsets = offsets + queries @ weights["key.bias"] if "key.bias" in weights else offsets
        queries = queries @ weights["key.weight"]
    return {"kind": "attention", "queries": layer(queries, offsets)}


def mean(weights: Weights, agent: Agent) -> Told:
    return {"kind": "mean"}


def concatenation(weights: Weights, agent: Agent) -> Told:
    return {"kind": "concatenation"}


# What can be told, by the part and the class that it is of.
NEURONS: dict[str, Callable[[Weights, Agent], Told]] = {
    "anx.agent.neuron.LSTMNeuron": lstm,
    "anx.agent.neuron.StackedNeuron": stacked,
    "anx.agent.neuron.PassThroughNeuron": pass_through,
}
POOLERS: dict[str, Callable[[Weights, Agent], Told]] = {
    "anx.agent.pooler.AttentionPooler": attention,
    "anx.agent.pooler.MeanPooler": mean,
    "anx.agent.pooler.ConcatenationPooler": concatenation,
}
PORTED = {
    "env": ["anx.envs.cartpole.CartPoleSwingUpHarder"],
    "agent": ["anx.agent.agent.Agent"],
    "splitter": ["anx.agent.splitter.ScalarSplitter", "anx.agent.splitter.make_splitter"],
    "neuron": list(NEURONS),
    "pooler": list(POOLERS),
    "policy": ["anx.agent.policy.MLPPolicy"],
    "head": ["anx.agent.head.LinearHead"],
}


def check_portable(config: DictConfig) -> None:
    """ConfigError, with what is allowed, where a part is one that pages lack."""
    for part, targets in PORTED.items():
        if config[part]._target_ not in targets:
            allowed = dict.fromkeys(named(part, target) for target in targets)
            raise ConfigError(f"{option(config, part)} can't be put into a page; allowed: {', '.join(allowed)}")
    for name, value in PLAIN.items():
        if config.pooler.get(name, value) != value:
            allowed_value = "null" if value is None else str(value).lower()
            raise ConfigError(f"pooler.{name}={config.pooler[name]} can't be put into a page; allowed: {allowed_value}")


def port(agent: Agent, config: DictConfig) -> Told:
    """What `page/agent.js` needs to know of an agent in double precision, built as `config` says."""
    weights = {name: parameter.detach() for name, parameter in agent.named_parameters()}
    count = len([name for name in weights if name.startswith("policy.layers.")]) // 2
    return {
        "neuron": NEURONS[config.neuron._target_](of_part(weights, "neuron"), agent),
        "pooler": {
            **POOLERS[config.pooler._target_](of_part(weights, "pooler"), agent),
            "activation": config.pooler.get("activation"),
        },
        "layers": [layer_of(weights, f"policy.layers.{i}") for i in range(count)],
        "head": layer_of(weights, "head.layer"),
        "gain": getattr(agent.pooler, "gain", None),
        "felt": agent.felt_size,
        "actions": agent.action_size,
    }


def of_part(weights: Weights, part: str) -> Weights:
    """The weights of a part, by their names in it."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def layer_of(weights: Weights, name: str) -> Told:
    return layer(weights[f"{name}.weight"], weights[f"{name}.bias"])


def layer(weight: Tensor, bias: Tensor | None) -> Told:
    """A linear layer; its matrix row by row."""
    return {"weight": doubles(weight), "bias": None if bias is None else doubles(bias)}


def doubles(x: Tensor) -> Told:
    """Numbers as their bits, in base64."""
    return {"doubles": in_base64(x)}


def in_base64(x: Tensor) -> str:
    """Numbers in double precision, the lowest byte first, in base64."""
    return base64.b64encode(x.detach().numpy().astype("<f8").tobytes()).decode()
