"""Jobs of a queue that end."""

import os
import signal
import time
from contextlib import suppress

import pytest

from anx.cluster.jobs import Jobs

SECONDS = 120  # for anything at all


@pytest.mark.exhaustive
def test_a_job_of_several_workers_that_is_gone_is_submitted_again(monkeypatch):
    local = pytest.importorskip("dask_jobqueue.local")
    import dask

    async def close(cls, job, command):  # as those of real queues: one that is gone already is no error
        with suppress(ProcessLookupError):
            os.kill(int(job), signal.SIGKILL)

    monkeypatch.setattr(local.LocalJob, "_close_job", classmethod(close))
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        engine = Jobs(system="Local", workers=2, workers_a_job=2, memory="2GB", host="127.0.0.1")
        try:
            before = processes(engine)
            (job,) = [each.process.pid for each in engine._cluster.workers.values()]
            os.kill(job, signal.SIGKILL)
            after = processes(engine, but=before)
        finally:
            engine.shutdown()
    assert len(after) == 2
    assert not after & before


def processes(engine, but=frozenset(), count=2):
    """The workers' processes, once there are so many others than those."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        engine.submit(pow, 2, 3).result(SECONDS)
        answers = engine._client.run(os.getpid, on_error="ignore")  # of one that has just died there is none
        there = set(answers.values()) - but
        if len(there) == count:
            return there
        time.sleep(0.2)
    raise TimeoutError(f"there are {len(there)} workers")
