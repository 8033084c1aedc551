import pytest
import torch
from conftest import compose, make_agent

from anx.errors import ConfigError
from anx.learners.base import Parts
from anx.learners.evolution import Evolution
from anx.learners.sharing import group_of, rank_within
from anx.rollout.device import DeviceRollout
from anx.solvers.cmaes import CMAES
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
def test_a_run_that_shares_episodes_is_composed_from_two_keys(episodes):
    config = compose("optimizer=pgpe", f"learner.episodes={episodes}", "learner.group_size=8")
    assert (config.learner.episodes, config.learner.group_size) == (episodes, 8)
