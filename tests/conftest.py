"""What the tests share: configurations, agents, rollouts, the authors' released weights."""

import copy
import functools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from anx.agent.agent import Agent
from anx.experiment.build import build_agent
from anx.experiment.config.overrides import for_hydra
from anx.experiment.config.own_configs import config_folder
from anx.rollout.evaluation import Evaluation

HAS_COMPILER = shutil.which(os.environ.get("CXX") or "g++") is not None
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="needs a C++ compiler")

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


@functools.cache
def _composed(overrides: tuple[str, ...], config_name: str) -> DictConfig:
    with hydra.initialize_config_dir(config_folder(), version_base="1.3"):
        return hydra.compose(config_name, overrides=for_hydra(list(overrides)))


def compose(*overrides: str, config_name: str = "config") -> DictConfig:
    """The configuration that a command line of `overrides` would make."""
    quick = ["run_dir=nowhere", "report.figures=false", "report.film=false"]
    own = {"config": quick, "evaluate": ["weights=nowhere"]}.get(config_name, [])
    return copy.deepcopy(_composed((*own, *overrides), config_name))  # composing takes thirty times as long


def make_agent(*overrides: str, sigma: float = 0.3, seed: int = 0) -> tuple[Agent, Any]:
    """An agent with random parameters, in double precision, and its environment."""
    config = compose(*overrides)
    env = instantiate(config.env)
    return randomise(build_agent(config, env), sigma, seed), env


def randomise(agent: Agent, sigma: float = 0.3, seed: int = 0) -> Agent:
    """The same agent with random parameters, in double precision."""
    agent.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.copy_(sigma * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return agent


@pytest.fixture
def run_command(monkeypatch) -> Callable[..., Any]:
    """Runs anx.run's command line in this process; returns its exit code."""

    def run(*arguments: object) -> Any:
        import anx.commands.run

        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        try:
            anx.commands.run.main()
        except SystemExit as end:
            return end.code
        return 0

    return run


@pytest.fixture
def costs_nothing(monkeypatch) -> Callable[[Any], list[int]]:
    """`costs_nothing(module)`: what that module evaluates returns 100, 200, ..., and was asked for so many episodes."""

    def replace(module: Any) -> list[int]:
        asked: list[int] = []

        def evaluate(agent: Any, rollout: Any, episodes: int, seed: int, perturbations: Any) -> Evaluation:
            asked.append(episodes)
            return Evaluation(torch.full((episodes,), 100.0 * len(asked)), torch.ones(episodes), 1.0)

        monkeypatch.setattr(module, "evaluate", evaluate)
        return asked

    return replace


@pytest.fixture
def reference() -> Callable[[str], Path]:
    """A file of the authors' release; the test is skipped where it is not at hand."""

    def find(name: str) -> Path:
        path = REFERENCE / name
        if not path.is_file():
            pytest.skip(f"needs the authors' released {name} in {REFERENCE}")
        return path

    return find
