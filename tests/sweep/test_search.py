"""Which points a sweep runs."""

import statistics

import pytest

from anx.sweep.distribution import Choice, Range, Weighted
from anx.sweep.search import Bayes, Random, Result

pytest_plugins = ["sweep_fixtures"]


def searched(search, value_of, count):
    """What a search proposes one after another, and what is told it of each."""
    results = []
    while len(results) < count and (point := search.propose(results, [])):
        results.append(Result(point, value_of(point)))
    return results


@pytest.mark.parametrize("maximize", [True, False])
def test_bayes_finds_the_best_of_54_points_in_24(maximize):
    queries, sizes = Choice(range(100, 1000, 100)), Choice([4, 6, 7, 12, 14, 21])

    def loss(point):
        return abs(point["q"] - 600) / 100 + abs(sizes.values.index(point["s"]) - 2)

    search = Bayes({"q": queries, "s": sizes}, maximize)
    results = searched(search, lambda point: -loss(point) if maximize else loss(point), 24)
    told = [loss(each.point) for each in results]
    every = [loss({"q": q, "s": s}) for q in queries.values for s in sizes.values]
    assert min(told) == 0
    assert statistics.median(told) < statistics.median(every)


def test_bayes_takes_a_failed_point_for_the_worst():
    def proposals(told_for_a):
        search = Bayes({"x": Choice(["a", "b", "c"]), "y": Range(0.0, 1.0)}, maximize=True)
        results = searched(search, lambda point: told_for_a if point["x"] == "a" else point["y"], 20)
        return [each.point for each in results]

    assert proposals(None) == proposals(-1e6)
    assert proposals(None) != proposals(1e6)


def test_what_bayes_proposes_at_once_is_proposed_as_if_what_runs_were_bad():
    search = Bayes({"x": Range(0.0, 1.0)}, maximize=True)
    results = searched(search, lambda point: -abs(point["x"] - 0.5), 12)
    running = []
    for _ in range(4):
        running.append(search.propose(results, running))
    bad = [*results, *(Result(point, None) for point in running[:3])]
    assert search.propose(bad, []) == search.propose(bad[:-3], running[:3])
    assert len({point["x"] for point in running}) == 4


def test_bayes_proposes_every_point_there_is_and_then_no_other():
    search = Bayes({"a": Choice(["x", True, 1, "1.0"]), "b": Choice(range(5))}, maximize=True)
    results = searched(search, lambda point: float(point["b"]), 50)
    assert len(results) == 20
    assert len({tuple(map(str, each.point.values())) for each in results}) == 20


@pytest.mark.filterwarnings("error")
def test_optuna_says_nothing_of_its_own(capfd):
    for search in (Bayes({"x": Range(1e-3, 1.0, log=True)}, maximize=False), Random({"x": Range(0.0, 1.0)})):
        searched(search, lambda point: point["x"], 7)
    assert capfd.readouterr() == ("", "")


def test_random_points_follow_their_distributions():
    search = Random(
        {
            "log": Range(1e-4, 1.0, log=True),
            "uniform": Range(2.0, 3.0),
            "name": Weighted(["often", "never"], [1.0, 0.0]),
            "other": Weighted(["rare", 1, True], [0.1, 0.7, 0.2]),
            "count": Choice(range(1, 4)),
        }
    )
    points = [each.point for each in searched(search, lambda point: 0.0, 1000)]
    assert statistics.median(point["log"] for point in points) == pytest.approx(1e-2, rel=0.3)
    assert statistics.fmean(point["uniform"] for point in points) == pytest.approx(2.5, abs=0.05)
    assert {point["name"] for point in points} == {"often"}
    others = [str(point["other"]) for point in points]
    assert [others.count(each) / 1000 for each in ("rare", "1", "True")] == pytest.approx([0.1, 0.7, 0.2], abs=0.05)
    assert {point["count"] for point in points} == {1, 2, 3}


@pytest.mark.parametrize(
    "distribution",
    [
        Choice([16, 4, 8.5]),
        Choice(["a", 1, True, "1.0"]),
        Choice(range(3, 30, 9)),
        Weighted(["a", 1, True], [0.2, 0.5, 0.3]),
        Range(1e-3, 7.0, log=True),
    ],
    ids=str,
)
def test_a_value_is_what_its_parameter_stands_for(distribution):
    values = distribution.values or [distribution.low, 0.1234, distribution.high]
    again = [distribution.value_of(distribution.parameter_of(value)) for value in values]
    assert [(type(each), each) for each in again] == [(type(each), each) for each in values]
