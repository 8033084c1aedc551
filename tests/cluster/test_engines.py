"""Engines, by what they need and refuse; and one generation whose workers die and join."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from types import ModuleType

import pytest
import torch
from conftest import compose

from anx.cluster.dask import Scheduler, require
from anx.cluster.jobs import Jobs
from anx.cluster.local import Local
from anx.cluster.processes import Processes
from anx.cluster.ready import start_workers_ready
from anx.cluster.ssh import Ssh
from anx.errors import ConfigError, LostError
from anx.experiment.prepare import build_learner, check_parts
from anx.rollout.engine import WorkersDiedError

SMALL = ["env.max_steps=30", "rollout.compile=false", "optimizer.popsize=24", "learner.rollouts=2"]
SECONDS = 120  # for anything at all


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def generation(learner, seed=3):
    """The returns of a population, and the mean that follows from them."""
    population = learner.optimizer.ask()
    achieved = learner.rollout(population, learner.rollouts, seed, training=True, group=learner.group)
    learner.optimizer.step(lambda: achieved.returns.double().mean(1))
    return achieved.returns, torch.from_numpy(learner.optimizer.mean())


@pytest.mark.exhaustive
def test_a_generation_whose_workers_die_and_join_is_that_of_a_single_process_bit_for_bit():
    plain = build_learner(compose(*SMALL))
    generation(plain, seed=2)
    theirs = generation(plain)
    start_workers_ready()
    with local_cluster(n_workers=2, processes=True) as cluster:
        where = ["cluster=dask", f"cluster.address={cluster.scheduler_address}", "cluster.chunk=2"]
        learner = build_learner(compose(*SMALL, "rollout=cluster", *where))
        generation(learner, seed=2)  # workers have built what they need

        def disturb():
            while not cluster.scheduler.workers[cluster.workers[0].worker_address].processing:
                time.sleep(0.01)
            os.kill(cluster.workers[0].pid, signal.SIGKILL)
            cluster.scale(3)

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        ours = generation(learner)
        disturbing.join(SECONDS)
        statistics = learner.rollout.statistics
        learner.rollout.close()
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    assert statistics["cluster/redone"] >= 1


def local_cluster(**options):
    distributed = pytest.importorskip("distributed")
    own = {"host": "127.0.0.1", "dashboard_address": None, "memory_limit": None, "threads_per_worker": 1}
    return distributed.LocalCluster(**own, **options)


def test_a_scheduler_that_goes_ends_what_waits_and_the_next_one_finds_none():
    with local_cluster(n_workers=1, processes=False, protocol="tcp") as cluster:
        engine = Scheduler(cluster.scheduler_address)
        assert engine.submit(pow, 2, 3).result(SECONDS) == 8
        assert engine.workers == 1
        with pytest.raises(ZeroDivisionError):
            engine.submit(divmod, 1, 0).result(SECONDS)
        own = engine.submit(time.sleep, 1.0)
    with pytest.raises(LostError, match="cluster: the scheduler is gone"):
        own.result(SECONDS)
    assert engine.lost
    assert engine.workers == 0
    engine.shutdown()


def test_a_task_that_kills_its_workers_is_told_from_one_that_fails():
    distributed = pytest.importorskip("distributed")

    class Sent:
        def result(self):
            raise distributed.KilledWorker("key", distributed.scheduler.WorkerState.clean, 2)

        def release(self):
            pass

    outcome = Future()
    Scheduler("tcp://nowhere:1")._settle(outcome, Sent())
    with pytest.raises(WorkersDiedError, match="3 workers have died"):
        outcome.result()


def test_workers_that_are_lost_are_counted_by_what_they_had_to_do():
    pytest.importorskip("distributed")
    engine = Scheduler("tcp://nowhere:1")
    lost = {"action": "remove-worker", "worker": "w", "processing-tasks": {"a"}, "lost-computed-tasks": {"b"}}
    engine._note((0.0, {**lost, "expected": False}))
    engine._note((0.0, {**lost, "expected": True}))
    engine._note((0.0, {"action": "add-worker"}))
    assert engine.redone == 2


@pytest.mark.exhaustive
def test_a_worker_that_is_replaced_has_one_thread_and_runs_nothing_of_the_script_that_started_it(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    script, ran = ModuleType("__main__"), tmp_path / "ran"
    script.__file__ = str(tmp_path / "script.py")
    (tmp_path / "script.py").write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.setitem(sys.modules, "__main__", script)
    engine = Local(workers=1)
    first = engine.submit(os.getpid).result(SECONDS)
    os.kill(first, signal.SIGKILL)
    assert engine.submit(os.getpid).result(SECONDS) != first
    assert engine.submit(os.getenv, "MKL_NUM_THREADS").result(SECONDS) == "1"
    engine.shutdown()
    assert not ran.exists()
    assert "MKL_NUM_THREADS" not in os.environ, "this process may use more"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scheduler("host:8786"), "address=host:8786 must be that of a scheduler, tcp://HOST:PORT"),
        (lambda: Local(workers=0), "workers=0 must be null or at least 1"),
        (lambda: Local(chunk=0), "chunk=0 must be null or at least 1"),
        (lambda: Processes(workers=0), "workers=0 must be null or at least 1"),
        (
            lambda: Jobs(system="SLURM", workers=2, workers_a_job=1, memory="1GB"),
            "cluster.host=None must be the address",
        ),
        (lambda: Ssh(["here"]), r"hosts=\['here'\] must be the scheduler's machine and at least one that computes"),
        (
            lambda: require("no_such_module", "anx[cluster]"),
            r"cluster needs no_such_module: pip install 'anx\[cluster\]'",
        ),
        (lambda: Scheduler("tls://h:1", security={"tls": 1}), r"cluster.security=\{'tls': 1\}: "),
    ],
)
def test_what_cannot_be_is_said_in_a_line(make, message):
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=message):
        make()


def test_who_listens_listens_on_the_loopback_address_unless_told():
    pytest.importorskip("distributed")
    config = compose("cluster=local").cluster
    assert config.host == "127.0.0.1"
    assert compose("cluster=slurm").cluster.host is None, "has to be told"


@pytest.mark.exhaustive
def test_processes_without_a_scheduler_play_the_same_and_where_one_dies_the_run_ends_with_its_code():
    plain = build_learner(compose(*SMALL))
    learner = build_learner(compose(*SMALL, "cluster=processes", "cluster.workers=2"))
    assert torch.equal(generation(learner)[0], generation(plain)[0])
    engine = learner.rollout._engine
    engine.submit(os.kill, next(iter(engine._processes)), signal.SIGKILL)
    with pytest.raises(LostError, match="cluster: it is gone") as lost:
        generation(learner)
    assert lost.value.code == 75
    learner.rollout.close()


def test_any_executor_of_the_standard_library_does():
    learner = build_learner(
        compose(*SMALL, "+cluster._target_=concurrent.futures.ThreadPoolExecutor", "+cluster.max_workers=1")
    )
    assert torch.equal(generation(learner)[0], generation(build_learner(compose(*SMALL)))[0])
    learner.rollout.close()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["rollout=cluster", "trainer.devices=2"], "trainer.devices times trainer.num_nodes must be 1 with a cluster"),
        (["+cluster.workers=3"], "cluster={'workers': 3} must be null or a part with a _target_"),
    ],
)
def test_a_cluster_serves_one_process(overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_parts(compose(*overrides))


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (["rollout=cluster"], "anx.cluster.local.Local"),
        (["rollout=cluster", "cluster=processes"], "anx.cluster.processes.Processes"),
        (["cluster=processes", "rollout=cluster", "+experiment=ant"], "anx.cluster.processes.Processes"),
    ],
)
def test_rollout_cluster_is_the_environments_own_rollout_on_a_cluster(given, chosen):
    config = compose(*given)
    assert config.cluster._target_ == chosen
    assert config.rollout == compose(*[each for each in given if "cluster" not in each]).rollout
