"""anx: a modular experiment framework for permutation-invariant agents.

    import anx

    config = anx.compose("+experiment=cartpole", "+budget=smoke")   # as a command line
    trained = anx.train(config)                                     # a run, in a folder of its own
    agent = anx.load(trained.agent)                                 # or any agent in a file
    action, state = agent(observation, state)                       # step by step; state=None starts an episode
    anx.evaluate(agent, episodes=1000, perturbations=["shuffle"])   # and as the paper does
    anx.make(config).rollout                                        # a population in, returns out

Importing anx does nothing else: what is named here is imported where it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anx import envs
    from anx.api import Experiment, Trained, compose, evaluate, load, make, train
    from anx.errors import ConfigError
    from anx.experiment.actor import Actor
    from anx.rollout.evaluation import Evaluation
    from anx.signals import Interrupted

__version__ = "0.1.0"

__all__ = [
    "Actor",
    "ConfigError",
    "Evaluation",
    "Experiment",
    "Interrupted",
    "Trained",
    "compose",
    "envs",
    "evaluate",
    "load",
    "make",
    "train",
]

_HOMES = {
    "anx.api": ("Experiment", "Trained", "compose", "evaluate", "load", "make", "train"),
    "anx.errors": ("ConfigError",),
    "anx.experiment.actor": ("Actor",),
    "anx.rollout.evaluation": ("Evaluation",),
    "anx.signals": ("Interrupted",),
}


def __getattr__(name: str) -> object:
    """What is offered, and rooms like `anx.envs`, imported when they are first asked for."""
    if name == "envs":
        return import_module("anx.envs")
    for home, names in _HOMES.items():
        if name in names:
            globals()[name] = found = getattr(import_module(home), name)
            return found
    raise AttributeError(f"module 'anx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
