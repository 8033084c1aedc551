"""What an evaluation's configuration asks for: an agent with its weights, where it acts, what befalls its inputs."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.build import build_perturbations, build_rollout
from anx.experiment.config.check import check_ablations
from anx.experiment.config.values import check_types
from anx.experiment.files.weights import identify_weights, load_into, read_weights
from anx.perturb.base import Perturbation
from anx.progress import shown
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Evaluation, evaluate, fraction_that_differs, summarise

DEVICES = ("cpu", "cuda")


def build_evaluation(config: DictConfig, key: str = "weights") -> tuple[Agent, Rollout, list[Perturbation]]:
    """The agent of `config` with its weights, where it acts and what befalls its inputs; all is checked, none played.

    Args:
        config: an evaluation.
        key: of the weights, for a message that they cannot be used.
    """
    weights = read_weights(config.weights, key)
    check_ablations(config)
    check_playing(config)
    device = find_device(config.device)
    agent, rollout = build_rollout(config)
    load_into(agent, weights, config.weights, key)
    agent.to(device)
    return agent, rollout, build_perturbations(config.perturbations, agent)


def check_playing(config: DictConfig) -> None:
    """ConfigError where a value is none that its component takes.

    An optimizer, which an experiment brings, is no part of what plays, and CMA-ES takes seconds to import.
    """
    parts = cast(dict[str, object], OmegaConf.to_container(config, resolve=True))
    check_types({key: node for key, node in parts.items() if key != "optimizer"})


def find_device(name: object) -> torch.device:
    """The device of that name, if this machine has it."""
    if not isinstance(name, str) or name.split(":")[0] not in DEVICES:
        raise ConfigError(f"device={name} is unknown; allowed: {', '.join(DEVICES)}")
    try:
        return torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch: there is none; not in this build
        raise ConfigError(f"device={name} can't be used ({str(error).splitlines()[0]}); allowed: cpu, cuda") from None


def play(
    config: DictConfig, agent: Agent, rollout: Rollout, perturbations: Sequence[Perturbation]
) -> dict[str, Evaluation]:
    """The evaluation that `config` asks for, by what befalls the inputs; the rollout is closed after it.

    Inputs that are only shuffled are compared with plain ones, which then come first: the agent should not notice.
    """
    played: dict[str, Evaluation] = {}
    with closing(rollout):
        if only_shuffled(config.perturbations):
            with shown("plain", config.episodes):
                played["plain"] = evaluate(agent, rollout, config.episodes, config.seed)
        name = name_perturbations(config.perturbations)
        with shown(name, config.episodes):
            played[name] = evaluate(agent, rollout, config.episodes, config.seed, perturbations)
    return played


def only_shuffled(perturbations: DictConfig) -> bool:
    """Whether the inputs are the plain ones in another order, fixed for an episode."""
    chosen = arguments_by_name(perturbations)
    return set(chosen) == {"shuffle"} and chosen["shuffle"].get("every") is None


def name_perturbations(perturbations: DictConfig) -> str:
    """The perturbations in a line: shuffle(every=100) + noise(channels=5, sigma=0.1); without any: plain."""
    parts = []
    for name, arguments in arguments_by_name(perturbations).items():
        values = ", ".join(f"{k}={v}" for k, v in arguments.items() if k != "_target_" and v is not None)
        parts.append(f"{name}({values})" if values else name)
    return " + ".join(parts) or "plain"


def arguments_by_name(perturbations: DictConfig) -> dict[str, dict[str, object]]:
    """The perturbations that are chosen, in order, each with its arguments; one that is null is none."""
    each = cast(dict[str, dict[str, object] | None], OmegaConf.to_container(perturbations, resolve=True))
    return {name: arguments for name, arguments in each.items() if arguments is not None}


def differing(played: Mapping[str, Evaluation]) -> float | None:
    """The fraction of episodes that end with another return than the plain ones; None without a comparison."""
    *plain, perturbed = played.values()
    return fraction_that_differs(plain[0].returns, perturbed.returns) if plain else None


def to_json(config: DictConfig, overrides: Sequence[str], played: Mapping[str, Evaluation]) -> dict[str, object]:
    """What an evaluation's json holds: what it came to, every episode's return, and what was run."""
    *_, done = played.values()
    return {
        **summarise(done.returns),
        "seconds": done.seconds,
        "returns": done.returns.tolist(),
        "steps": done.steps.tolist(),
        "share_that_differs": differing(played),
        "weights": identify_weights(config.weights),
        "config": OmegaConf.to_container(config, resolve=True),
        "overrides": list(overrides),
    }
