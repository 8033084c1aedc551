"""anx from Python: compose, make, load, train, evaluate. `import anx` offers all of it.

    config = anx.compose("+experiment=cartpole", "+budget=smoke", "seed=1")
    trained = anx.train(config)
    agent = anx.load(trained.agent)
    anx.evaluate(agent, episodes=1000, perturbations={"shuffle": {"every": 100}}).mean

Whatever a user can mend is a ConfigError of one line.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.actor import Actor
from anx.experiment.build import build_perturbations, build_rollout, check_perturbations
from anx.experiment.compose import (
    compose_evaluation,
    compose_perturbations,
    compose_run,
    outside_of_hydra,
    settle_run_dir,
)
from anx.experiment.config.check import check
from anx.experiment.config.messages import config_errors
from anx.experiment.config.values import check_integer, check_once, check_types
from anx.experiment.evaluation import build_evaluation
from anx.experiment.folder import AGENT
from anx.perturb.base import Perturbation
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Evaluation
from anx.rollout.evaluation import evaluate as play_episodes
from anx.seeds import LARGEST

Perturbations = Sequence[str | Perturbation] | Mapping[str, Mapping[str, object]]


class Experiment(NamedTuple):
    """What a configuration describes, built."""

    agent: Actor  # called on an observation; its `module` is what is trained
    rollout: Rollout  # population [P, D], episodes, seed -> returns and steps [P, R]
    config: DictConfig


class Trained(NamedTuple):
    """What a run leaves."""

    folder: Path  # of the run
    agent: Path  # its best validated one
    report: dict[str, Any]  # as in report.json: under `plain` and `shuffled` the mean, std, sem and episodes


def compose(*overrides: str, config_dir: str | PathLike[str] | None = None) -> DictConfig:
    """The configuration of a run, as the command line `python -m anx.run OVERRIDE ...` composes it.

    `run_dir` is where the run's folder will be. Unless `hydra.run.dir=FOLDER` or `run_dir=FOLDER` says otherwise it has
    the time in it, and each training finds one of its own.

    Args:
        overrides: "+experiment=pong", "pooler.num_queries=100".
        config_dir: a folder of your own configs, which adds to anx's; None: `./configs`, if there is one.

    Raises:
        ConfigError: an override is none, or names what there is not.
    """
    with config_errors():
        return compose_run(overrides, config_dir)


def make(config: DictConfig) -> Experiment:
    """Build what a run's configuration describes: its agent, where the run would start, and its rollout.

    The agent has the weights that `config.weights` names, else those that its search starts from. Seeds Python, NumPy
    and torch with `config.seed`, as the run does.

    Raises:
        ConfigError: the configuration describes nothing that can be built.
    """
    from lightning import seed_everything  # seconds: what only plays goes without

    from anx.experiment.prepare import check_parts, start

    with config_errors():
        check_parts(config)
        check(config)
        seed_everything(config.seed, verbose=False)
        module, rollout = build_rollout(config)
        start(module, config)
        return Experiment(Actor(module, rollout, config), rollout, config)


def load(
    weights: str | PathLike[str],
    *overrides: str,
    trust: Sequence[str] = (),
    config_dir: str | PathLike[str] | None = None,
) -> Actor:
    """The agent in a file, ready to act.

        agent = anx.load("anx:cartpole")
        action, state = agent(observation)          # an episode starts
        action, state = agent(observation, state)   # and goes on
        agent.explain(observation, state).attention

    Args:
        weights: a .safetensors or .ckpt file, which says how its agent is built, or an .npz file of a flat vector.
        overrides: as of `python -m anx.evaluate`, on top of what the file says: "pooler.gain=0.5", "device=cuda". An
            .npz file needs its experiment: "+experiment=ant".
        trust: packages whose components the file may name, ["my_package"]: they are imported and called.
        config_dir: as `compose` has it.

    Raises:
        ConfigError: the file is none, is of another agent, or names what is not trusted.
    """
    with config_errors():
        config = compose_evaluation(weights, overrides, trust, config_dir)
        module, rollout, _ = build_evaluation(config)
        return Actor(module, rollout, config)


def train(config: DictConfig, folder: str | PathLike[str] | None = None) -> Trained:
    """Run a training to its end: train, evaluate on held-out episodes, report. `config` stays as it is.

    Args:
        config: from `compose`.
        folder: of the run; None: as `config.run_dir` says, anew for each training.

    Raises:
        ConfigError: the configuration can't be run.
        Interrupted: by SIGINT or SIGTERM (Ctrl-C, a notebook's stop), after the step that was going on; another one
            ends it at once. What was computed lies in the folder; with `ckpt_path=auto` the same folder goes on.
    """
    from anx.commands.run import run  # which imports Lightning: seconds

    with config_errors():
        own = settle_run_dir(config, folder)
        with outside_of_hydra():
            report = run(own)
    where = Path(own.run_dir)
    return Trained(where, where / AGENT, report)


def evaluate(
    agent: Actor | str | PathLike[str],
    *overrides: str,
    episodes: int = 100,
    seed: int = 0,
    perturbations: Perturbations = ("shuffle",),
    trust: Sequence[str] = (),
    config_dir: str | PathLike[str] | None = None,
) -> Evaluation:
    """Play episodes under perturbations: the same ones, with the same returns, as `python -m anx.evaluate`.

        anx.evaluate("anx:cartpole", episodes=1000).mean
        anx.evaluate(agent, perturbations={"shuffle": {"every": 100}, "noise": {"channels": 5}})
        anx.evaluate(agent, perturbations=()).returns

    Args:
        agent: as `load` or `make` gives it, or a file of weights.
        overrides: of a file, as `load` takes them.
        episodes: R.
        seed: of the episodes, and of what the perturbations draw.
        perturbations: in the order in which they are applied: names, with or without options, or instances of
            `anx.perturb.base.Perturbation`. None of them: ().
        trust: of a file, as `load` takes it.
        config_dir: as `compose` has it.

    Returns:
        `returns` [R], `steps` [R], `seconds`; `mean`, `std` and `sem` of the returns.

    Raises:
        ConfigError: there is no such perturbation, or the agent can't take what it leaves.
    """
    with config_errors():
        check_integer("episodes", episodes, least=1)
        check_integer("seed", seed, least=0, most=LARGEST)
        if not isinstance(agent, Actor):
            agent = load(agent, *overrides, trust=trust, config_dir=config_dir)
        elif overrides or trust:
            raise ConfigError(f"{[*overrides, *trust]}: an agent that is loaded takes no more; give it to anx.load")
        built = _perturbations(perturbations, agent.module, config_dir)
        with closing(agent.rollout) as rollout:
            return play_episodes(agent.module, rollout, episodes, seed, built)


def _perturbations(asked: Perturbations, module: Agent, config_dir: str | PathLike[str] | None) -> list[Perturbation]:
    """The perturbations asked for, built and checked."""
    if isinstance(asked, str):
        raise ConfigError(f"perturbations={asked} must be a list of names, [{asked!r}], or options by name")
    options = asked if isinstance(asked, Mapping) else {each: {} for each in asked if isinstance(each, str)}
    check_once([each for each in asked if isinstance(each, str)], f"perturbations={asked}")
    configs = compose_perturbations(options, config_dir) if options else {}
    check_types({"perturbations": {name: OmegaConf.to_container(each, resolve=True) for name, each in configs.items()}})
    built: list[tuple[str, Perturbation]] = []
    for each in asked:
        if isinstance(each, str):
            (own,) = build_perturbations(OmegaConf.create({each: configs[each]}), module)
            built.append((each, own))
        else:
            built.append((type(each).__name__, each))
    check_perturbations(built, module)
    return [each for _, each in built]
