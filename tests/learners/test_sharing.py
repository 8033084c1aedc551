from functools import partial

import numpy as np
import pytest
import torch
from conftest import compose, make_agent

from anx.commands.run import train
from anx.errors import ConfigError
from anx.learners.base import Parts
from anx.learners.evolution import Evolution
from anx.learners.sharing import group_of, rank_within
from anx.rollout.device import DeviceRollout
from anx.solvers.cmaes import CMAES
from anx.solvers.nevergrad import Nevergrad
from anx.solvers.pgpe import PGPE


def learner(solver=PGPE, popsize=6, **options):
    agent, env = make_agent()
    rollout = DeviceRollout(agent.float(), env, compile=False)
    return Evolution(Parts(agent, rollout, lambda size: solver(size, popsize=popsize)), rollouts=2, **options)


@pytest.mark.parametrize(
    ("episodes", "group"),
    [("common", None), ("pairs", [0, 0, 1, 1, 2, 2]), ("independent", [0, 1, 2, 3, 4, 5])],
)
def test_candidates_share_episodes_as_they_are_told_to(episodes, group):
    own = learner(episodes=episodes).group
    assert (None if own is None else own.tolist()) == group


def test_groups_are_of_the_size_that_was_asked_for():
    assert group_of("groups", 4, 8).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_fitness_is_ranked_within_a_group_and_what_is_broken_has_no_rank():
    nan = float("nan")
    fitness = torch.tensor([1.0, 3.0, 2.0, 500.0, nan, 400.0, 7.0, nan, nan])
    ranked = rank_within(fitness, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]))
    expected = torch.tensor([-0.5, 0.5, 0.0, 0.5, nan, -0.5, 0.0, nan, nan]).double()
    torch.testing.assert_close(ranked, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": "each"}, "learner.episodes=each is not one of common, pairs, groups, independent"),
        (
            {"episodes": "pairs", "solver": CMAES},
            "learner.episodes=pairs needs an optimizer whose candidates are pairs",
        ),
        ({"episodes": "groups", "solver": partial(Nevergrad, name="TBPSA")}, "allowed: common, pairs, independent"),
        ({"episodes": "groups", "group_size": 4}, "learner.group_size=4 must be an even number, at least 2 and divide"),
        ({"episodes": "groups", "group_size": 3}, "learner.group_size=3 must be an even number"),
        (
            {"episodes": "groups", "group_size": 1, "solver": CMAES},
            "learner.group_size=1 must be at least 2 and divide",
        ),
    ],
)
def test_what_candidates_cannot_share_is_said_in_one_line(options, message):
    with pytest.raises(ConfigError, match=message):
        learner(**options)


@pytest.mark.parametrize("episodes", ["pairs", "groups"])
def test_a_search_is_told_ranks_within_groups_and_returns_where_none_are_asked_for(tmp_path, monkeypatch, episodes):
    told, returns = [], []

    class Listening(PGPE):
        def tell(self, fitness):
            told.append(fitness.copy())
            super().tell(fitness)

    roll_out = Evolution._roll_out

    def listen(self, population, seed):
        returns.append(roll_out(self, population, seed))
        return returns[-1]

    monkeypatch.setattr("anx.solvers.pgpe.PGPE", Listening)
    monkeypatch.setattr(Evolution, "_roll_out", listen)
    sizes = ["optimizer.popsize=8", f"learner.episodes={episodes}", "learner.group_size=4", "learner.rollouts=2"]
    quiet = ["logger=csv", "callbacks.pictures=null", "report=null", "learner.test_episodes=1", "trainer.max_steps=1"]
    train(compose("+budget=smoke", "optimizer=pgpe", "env.max_steps=30", *sizes, *quiet, f"run_dir={tmp_path}"))
    fitness = returns[0].returns.double().mean(1)
    expected = rank_within(fitness, torch.arange(8) // 4) if episodes == "groups" else fitness
    np.testing.assert_array_equal(told[0], expected.numpy())
