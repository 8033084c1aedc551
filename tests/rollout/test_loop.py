"""Batches whose steps are recorded, and what becomes of those whose steps can't be."""

from types import SimpleNamespace

import pytest
import torch

import anx.rollout.graph
from anx.internal.kernels import CannotRecordError
from anx.rollout.graph import Graph
from anx.rollout.loop import Loop


def run(weight, drawn, first, second):
    """Hands on one of what it carries as it is, in another's place."""
    return [second * weight + drawn, first]


def after(steps, weight, drawn, first, second):
    for _ in range(steps):
        first, second = run(weight, drawn, first, second)
    return [first, second]


def arguments():
    generator = torch.Generator().manual_seed(0)
    return list(torch.rand(4, 3, 2, generator=generator, dtype=torch.float64))


def walked(graph, steps):
    """Instead of a graph of a CUDA card: takes its steps when it is replayed."""
    return SimpleNamespace(replay=lambda: graph._walk(steps))


@pytest.fixture
def without_a_card(monkeypatch):
    monkeypatch.setattr(anx.rollout.graph, "without_waiting", lambda run, *arguments: run(*arguments))
    monkeypatch.setattr(Graph, "_capture", walked)


@pytest.mark.usefixtures("without_a_card")
@pytest.mark.parametrize("at_once", [1, 2, 10])
def test_graphs_of_many_steps_and_of_one_come_to_as_many_as_are_asked_for(at_once):
    weight, drawn, *carried = arguments()
    graph = Graph(run, [weight, drawn], carried, at_once=at_once)
    taken = 1
    for count in (0, 1, 9, 10, 23):
        graph.step(count)
        taken += count
        for ours, expected in zip(graph.carried, after(taken, weight, drawn, *carried), strict=True):
            assert torch.equal(ours, expected)
    assert all(torch.equal(a, b) for a, b in zip(carried, arguments()[2:], strict=True))  # as they were


class Refusing:
    """Finds out that it can't be recorded, at once or when it is to take more steps."""

    def __init__(self, fixed, carried, at_once):
        if at_once:
            raise CannotRecordError("not at all")
        self.carried = run(*fixed, *carried)

    def step(self, count):
        raise CannotRecordError("no more")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_batch_whose_steps_cannot_be_recorded_is_stepped_all_the_same(at_once):
    weight, drawn, *carried = arguments()
    loop = Loop(run, lambda fixed, carried: Refusing(fixed, carried, at_once), [weight], [drawn], carried)
    loop.step(3)
    loop.step(2)
    for ours, expected in zip(loop.carried, after(5, weight, drawn, *carried), strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.usefixtures("without_a_card")
@pytest.mark.parametrize("record", [None, Graph], ids=["plain", "recorded"])
def test_what_perturbations_draw_anew_counts_from_then_on(record):
    weight, drawn, *carried = arguments()
    other = drawn + 1
    expected = after(3, weight, other, *after(4, weight, drawn, *carried))
    made = record and (lambda fixed, carried: Graph(run, fixed, carried, at_once=2))
    loop = Loop(run, made, [weight], [drawn], carried)
    loop.step(4)
    loop.perturb([other])
    loop.step(3)
    for ours, each in zip(loop.carried, expected, strict=True):
        assert torch.equal(ours, each)
