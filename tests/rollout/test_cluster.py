import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import pytest
import torch
from combinations import build, perturbed
from worlds import NUMBERS

from anx.errors import ConfigError, LostError
from anx.experiment.build import rollout_from
from anx.population import num_parameters
from anx.rollout import chunk, collecting
from anx.rollout.cluster import ClusterRollout, even_part
from anx.rollout.device import DeviceRollout
from anx.rollout.engine import EngineLostError, WorkersDiedError
from anx.rollout.host import HostRollout

CANDIDATES, EPISODES, SEED = 10, 3, 7
PARTS = ("scalar", "lstm", "attention", "linear", "linear")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """What a worker does to its process, tests that play in this one undo."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Here(ThreadPoolExecutor):
    """An engine whose workers are one thread, since they share what they play with."""

    def __init__(self, chunk=None):
        super().__init__(1)
        self.chunk = chunk
        self.workers = 2


def rollout_of(kind, **options):
    agent, _ = build(PARTS)
    return kind(agent.float(), NUMBERS, compile=False, threads=1, **options)


def on_cluster(rollout, engine):
    return ClusterRollout(rollout, lambda: rollout, lambda: engine)


@pytest.fixture
def population():
    agent, _ = build(PARTS)
    return torch.randn(CANDIDATES, num_parameters(agent), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [None, 1, 3, 64])
@pytest.mark.parametrize("kind", [DeviceRollout, HostRollout])
@pytest.mark.parametrize("groups", [None, torch.arange(CANDIDATES) // 2])
def test_chunks_come_to_what_the_whole_generation_would_to_the_bit(population, kind, size, groups):
    rollout = rollout_of(kind)
    chosen = perturbed(rollout.agent, "shuffle", "noise")
    ours = on_cluster(rollout, Here(size))(population, EPISODES, SEED, chosen, training=True, group=groups)
    theirs = rollout(population, EPISODES, SEED, chosen, training=True, group=groups)
    assert torch.equal(ours.returns, theirs.returns)
    assert torch.equal(ours.steps, theirs.steps)
    assert (ours.returns.dtype, ours.steps.dtype) == (theirs.returns.dtype, theirs.steps.dtype)
    assert ours.returns.std() > 0.001


def test_a_single_agent_is_played_here(population):
    rollout = rollout_of(DeviceRollout)
    ours = ClusterRollout(rollout, pytest.fail, pytest.fail)(population[:1], EPISODES, SEED)
    assert torch.equal(ours.returns, rollout(population[:1], EPISODES, SEED).returns)


def test_a_run_learns_who_has_played(population):
    rollout = on_cluster(rollout_of(DeviceRollout), Here())
    assert not rollout.statistics
    rollout(population, EPISODES, SEED)
    assert rollout.statistics["cluster/workers"] == 2
    assert 0 < rollout.statistics["cluster/busy"] <= 1
    assert rollout.statistics["cluster/redone"] == 0


def test_chunks_are_as_many_at_all_sizes_and_of_whole_pairs():
    assert [even_part(count) for count in (2, 64, 256, 1024, 1025)] == [2, 2, 8, 32, 34]


def test_what_an_agent_knows_besides_its_parameters_goes_with_it(population):
    """Buffers may be drawn at random, or come with the weights."""

    def with_own_agent():
        rollout = rollout_of(DeviceRollout)
        rollout.agent = deepcopy(rollout.agent)  # other tests have it, too
        return rollout

    rollout = with_own_agent()
    rollout.agent.register_buffer("drawn", torch.tensor([1.0, 2.0]))

    def build_anew():
        new = with_own_agent()
        new.agent.register_buffer("drawn", torch.zeros(2))
        return new

    cluster = ClusterRollout(rollout, build_anew, Here)
    built = chunk.rollout_of(cluster._pickled())
    assert built.agent.drawn.tolist() == [1, 2]
    assert chunk.rollout_of(cluster._pickled()) is built, "it is built once"


class Answers(Executor):
    """An engine that does with a task what the next of some functions does, and then plays what comes."""

    workers = 2

    def __init__(self, *functions):
        self.functions = list(functions)
        self.sent = 0

    def submit(self, task, *arguments):
        self.sent += 1
        outcome = Future()
        function = self.functions.pop(0) if self.functions else lambda play: play()
        try:
            result = function(partial(task, *arguments))
        except BaseException as error:
            outcome.set_exception(error)
        else:
            if result is not None:
                outcome.set_result(result)
        return outcome


def fails(error):
    def function(play):
        raise error

    return function


def never(play):
    return None


def test_a_chunk_that_is_slow_at_the_end_is_given_to_another_worker(population, monkeypatch):
    monkeypatch.setattr(collecting, "LOOK", 0.01)
    engine, rollout = Answers(never), rollout_of(DeviceRollout)
    engine.chunk = 4
    cluster = on_cluster(rollout, engine)
    ours = cluster(population, EPISODES, SEED)
    assert torch.equal(ours.returns, rollout(population, EPISODES, SEED).returns)
    assert cluster.statistics["cluster/redone"] >= 1
    assert engine.sent >= 4


def test_of_a_chunk_that_was_raced_the_first_result_counts_and_what_has_not_begun_is_cancelled(population):
    class Race(collecting.Race):
        def is_due(self, played):
            return True

    slow = Here(chunk=5)
    slow.submit(time.sleep, 0.3)  # all workers are at something else
    slow.workers = 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collecting, "Race", Race)
        patch.setattr(collecting, "LOOK", 0.05)
        cluster = on_cluster(rollout_of(DeviceRollout), slow)
        ours = cluster(population, EPISODES, SEED)
    assert ours.returns.shape == (CANDIDATES, EPISODES)
    slow.shutdown()


def test_a_chunk_that_kills_its_workers_is_named(population):
    engine = Answers(lambda play: play(), fails(WorkersDiedError("3 workers have died")))
    engine.chunk = 4
    with pytest.raises(ConfigError, match=r"3 workers have died that played candidates 4 to 7 of .* with seed 7"):
        on_cluster(rollout_of(DeviceRollout), engine)(population, EPISODES, SEED)


def test_a_chunk_whose_workers_die_before_any_has_played_is_given_a_second_chance(population):
    died = fails(WorkersDiedError("3 workers have died"))
    rollout = rollout_of(DeviceRollout)
    ours = on_cluster(rollout, Answers(died))(population, EPISODES, SEED)
    assert torch.equal(ours.returns, rollout(population, EPISODES, SEED).returns)
    with pytest.raises(ConfigError, match="3 workers have died that played candidates 0 to 1 of"):
        on_cluster(rollout, Answers(*[died] * 99))(population, EPISODES, SEED)


@pytest.mark.parametrize("error", [EngineLostError("gone"), chunk.ConfigError("a worker's own")])
def test_what_a_worker_says_is_said(population, error):
    with pytest.raises(type(error), match=str(error)):
        on_cluster(rollout_of(DeviceRollout), Answers(fails(error)))(population, EPISODES, SEED)


def test_an_engine_that_is_lost_is_missed_while_nothing_comes(population, monkeypatch):
    monkeypatch.setattr(collecting, "LOOK", 0.01)
    engine = Answers(*[never] * 9)
    engine.lost = True
    with pytest.raises(LostError, match="cluster: it is gone"):
        on_cluster(rollout_of(DeviceRollout), engine)(population, EPISODES, SEED)


@pytest.mark.parametrize("name", ["python", "torch", "anx"])
def test_a_worker_of_another_version_is_refused_by_name(population, name, monkeypatch):
    cluster = on_cluster(rollout_of(DeviceRollout), Here())
    versions = chunk.versions()
    monkeypatch.setattr("anx.rollout.cluster.versions", lambda: versions | {name: "0.0"})
    with pytest.raises(ConfigError, match=rf"cluster: worker .* has {name} \S+( \S+)? where the run has 0\.0; install"):
        cluster(population, EPISODES, SEED)


def test_a_recipe_is_plain_values():
    parts = {"name": "x"}
    assert partial(rollout_from, parts).func.__module__ == "anx.experiment.build"
