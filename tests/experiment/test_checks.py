import importlib
import inspect
import math
from pathlib import Path

import pytest
from conftest import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf

from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.config.check import check, processes_of
from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.values import check_types, fits, locate, signature_of

CONFIGS = Path(config_folder())
# Each group of components and the module that they live in.
HOMES = {
    "teacher": "anx.teachers",
    "env": "anx.envs",
    "agent": "anx.agent.agent",
    "splitter": "anx.agent.splitter",
    "neuron": "anx.agent.neuron",
    "pooler": "anx.agent.pooler",
    "policy": "anx.agent.policy",
    "head": "anx.agent.head",
    "rollout": "anx.rollout",
    "cluster": "anx.cluster",
    "optimizer": ("anx.solvers", "torch.optim"),
    "learner": "anx.learners",
    "perturbations": "anx.perturb",
}
EXPERIMENTS = [path.stem for path in (CONFIGS / "experiment").glob("*.yaml")]
BUDGETS = [path.stem for path in (CONFIGS / "budget").glob("*.yaml")]
COMPONENTS = [(group, path.stem) for group in HOMES for path in (CONFIGS / group).glob("*.yaml")]


@pytest.mark.parametrize(("group", "name"), COMPONENTS, ids=map("/".join, COMPONENTS))
def test_every_component_lives_where_its_group_says_and_its_keys_are_arguments(group, name):
    text = (CONFIGS / group / f"{name}.yaml").read_text()
    assert "\n# " in "\n" + text, "says in plain words what it is"
    config = OmegaConf.create(text)
    if "_target_" not in config:  # a variation of another one
        assert "defaults" in config
        return
    module, target = config._target_.rsplit(".", 1)
    assert module.startswith(HOMES[group])
    arguments = set(inspect.signature(importlib.import_module(module).__dict__[target]).parameters)
    assert {key for key in config if not key.startswith("_")} - {"defaults"} <= arguments


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_builds(experiment):
    config = compose(f"+experiment={experiment}")
    check(config)
    build_rollout(config)[1].close()


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_at_every_budget_and_its_search_starts(experiment, budget):
    config = compose(f"+experiment={experiment}", f"+budget={budget}")
    check(config)
    solver = instantiate(config.optimizer)(3)  # a covariance of thousands would take seconds
    sizes = config.budgets[budget]
    assert solver.popsize == (sizes.pairs if solver.pairs else sizes.popsize)
    assert config.trainer.max_steps == config.budgets[budget].generations


@pytest.mark.parametrize(("group", "name"), COMPONENTS, ids=map("/".join, COMPONENTS))
def test_every_component_can_be_chosen(group, name):
    config_name = {"perturbations": "evaluate", "teacher": "record"}.get(group, "config")
    asked = {
        "gymnasium": "env.id=CartPole-v1",
        "dask": "cluster.address=tcp://localhost:1",
        "ssh": "cluster.hosts=[a,b]",
    }
    given = [asked[name]] if name in asked else []  # which one, only a user can say
    config = compose(f"{group}={name}", *given, config_name=config_name)
    check_types(OmegaConf.to_container(config, resolve=True))


@pytest.mark.parametrize(("group", "name"), COMPONENTS, ids=map("/".join, COMPONENTS))
def test_what_is_no_number_is_refused_by_name_where_a_number_is_due(group, name):
    config = OmegaConf.load(CONFIGS / group / f"{name}.yaml")
    for key, hint in signature_of(locate(group, config._target_))[1].items() if "_target_" in config else ():
        for value in (math.nan, math.inf, -math.inf) if fits(0.5, hint) and not fits("text", hint) else ():
            with pytest.raises(ConfigError, match=rf"^{group}\.{key}={value} must be a number"):
                check_types({group: {"_target_": config._target_, key: value}})


def test_the_default_run_is_the_cartpole_experiment():
    assert compose() == compose("+experiment=cartpole")


def test_the_papers_budget_is_the_papers():
    config = compose("+experiment=cartpole", "+budget=paper", "optimizer=cmaes")
    assert (config.optimizer.popsize, config.learner.rollouts, config.trainer.max_steps) == (256, 16, 14000)
    assert (config.optimizer.sigma0, config.pooler.num_queries) == (0.1, 16)


@pytest.mark.parametrize(
    ("devices", "nodes", "count"), [("2", 1, 2), ("auto", 1, 1), ("-1", 1, 1), ("3", 2, 6), ("[0,1]", 1, 2)]
)
def test_processes_are_devices_times_nodes(devices, nodes, count):
    assert processes_of(compose(f"trainer.devices={devices}", f"trainer.num_nodes={nodes}")) == count
