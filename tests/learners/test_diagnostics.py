import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr  # which scikit-learn brings

from anx.learners.diagnostics import Totals, rank_correlation
from anx.rollout.base import Episodes


def drawn(candidates, episodes, ties=False, seed=0):
    """Returns [P, R] of candidates that differ, with noise."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(candidates, 1, generator=generator)
    returns = own + torch.randn(candidates, episodes, generator=generator)
    return returns.round() if ties else returns


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("episodes", [2, 5, 16])
def test_the_rank_correlation_is_spearmans_of_the_two_halves(episodes, ties):
    returns = drawn(40, episodes, ties).double()
    half = episodes // 2
    theirs = spearmanr(returns[:, :half].mean(1), returns[:, half:].mean(1)).statistic
    assert rank_correlation(returns) == pytest.approx(theirs, abs=1e-12)
    assert 0.1 < theirs < 0.95


def test_it_is_1_where_all_episodes_rank_alike_and_minus_1_where_the_halves_disagree():
    order = torch.tensor([3.0, 1.0, 2.0]).unsqueeze(1)
    assert rank_correlation(order.expand(3, 4)) == pytest.approx(1)
    assert rank_correlation(torch.cat([order, -order], dim=1)) == pytest.approx(-1)


def test_candidates_without_a_finite_fitness_are_left_out_and_equal_ones_correlate_not_at_all():
    returns = drawn(9, 4)
    broken = torch.cat([returns[:4], torch.tensor([[1, 2, math.nan, 3], [math.inf, 0, 0, 0]]), returns[4:]])
    assert rank_correlation(broken) == rank_correlation(returns)
    for nothing in (torch.ones(5, 4), torch.full((5, 4), math.nan), returns[:1]):
        assert rank_correlation(nothing) == 0


def test_groups_are_ranked_each_for_itself():
    """What one group's episodes are worth more than another's says nothing of the candidates."""
    group = torch.arange(12) // 4
    returns = drawn(12, 6)
    shifted = returns + 100.0 * group.unsqueeze(1)
    assert rank_correlation(shifted) > 0.8
    assert rank_correlation(shifted, group) == rank_correlation(returns, group) < 0.8


def test_the_totals_are_sums_that_go_on_from_their_data():
    totals, step = Totals(), np.array([3.0, 4.0])
    episodes = Episodes(torch.zeros(2, 3), torch.tensor([[10, 20, 30], [1, 2, 3]], dtype=torch.int32))
    totals.add(episodes, 1800.0, step, 0.3)
    totals = Totals.from_data(totals.to_data())
    totals.add(episodes, 1800.0, -step, 0.4)
    assert totals.metrics(np.zeros(2), 0.4) == {
        "train/evaluations": 12,
        "train/env_steps": 132,
        "train/mean_norm": 0,
        "train/mean_path": 10,
        "train/sigma_walk": 0.5,
        "perf/core_hours": 1,
    }
    assert "train/sigma_walk" not in totals.metrics(step, None)
    assert Totals.from_data({}) == Totals()
