"""What the tables of agents have in common: agents from files play, and their returns come to a score."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple, cast

import hydra
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.config.command_line import key_of
from anx.experiment.config.values import fits
from anx.experiment.evaluation import build_evaluation
from anx.experiment.file_base import find_base
from anx.perturb.base import Perturbation
from anx.progress import shown
from anx.rollout.base import Rollout
from anx.rollout.evaluation import evaluate, summarise
from anx.views.table import Table
from anx.zoo.table import Score

OF_TABLES = ("weights", "episodes", "seed", "device", "output")  # keys of anx.evaluate that a table says for all
Inputs = Mapping[str, Sequence[str]]  # what befalls the inputs: a name, and overrides of anx.evaluate


class Playable(NamedTuple):
    """An agent, and what befalls its inputs."""

    agent: Agent
    rollout: Rollout
    perturbations: list[Perturbation]


def check_inputs(config: DictConfig) -> None:
    """ConfigError unless a table's configuration says in `inputs` what befalls the inputs, nothing of the table's."""
    inputs = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))["inputs"]
    if not fits(inputs, dict[str, list[str]]):
        raise ConfigError(f"inputs={inputs} must be lists of anx.evaluate's overrides by name, {{plain: []}}")
    for name, overrides in inputs.items():
        for override in overrides:
            if key_of(override) in OF_TABLES:
                raise ConfigError(f"inputs.{name}={overrides} must leave out {override}: it is of the whole table")


def build(weights: str, overrides: Sequence[str], device: str, trust: Sequence[str] = ()) -> Playable:
    """What `anx.evaluate weights=WEIGHTS OVERRIDE ...` would build; within `hydra.main`, whose configs it composes."""
    evaluation = hydra.compose(find_base(weights, trust, None), list(overrides))
    evaluation.weights, evaluation.device = weights, device
    return Playable(*build_evaluation(evaluation))


def play(playable: Playable, episodes: int, seed: int, what: str) -> Score:
    """What an agent's returns come to; `what` is played."""
    with closing(playable.rollout) as rollout, shown(what, episodes):
        summary = summarise(evaluate(playable.agent, rollout, episodes, seed, playable.perturbations).returns)
    return Score(mean=round(summary["mean"], 2), sem=round(summary["sem"], 2), episodes=episodes)


def meanings(inputs: Inputs) -> Table:
    """What befalls the inputs, a name a row."""
    rows = [[each, f"`{' '.join(overrides)}`" if overrides else "none"] for each, overrides in inputs.items()]
    return Table(["inputs", "options of anx.evaluate"], rows, "ll")
