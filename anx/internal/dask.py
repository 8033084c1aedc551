"""The one door to what Dask keeps to itself: how it starts worker processes, and how it notices those that are gone."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from multiprocessing.context import BaseContext
from typing import cast

import dask
import distributed.process
from dask.utils import parse_timedelta
from distributed.deploy.spec import SpecCluster

log = logging.getLogger(__name__)

MAKES = "get_mp_context"  # of `distributed.process`: what makes the processes


def start_workers_with(context: BaseContext) -> None:
    """Let each worker process that this one starts from now on, a replacement too, be a process of `context`.

    Where this version of Dask makes them otherwise, its own stand, and a warning says so.
    """
    if not hasattr(distributed.process, MAKES):
        log.warning("this Dask has no distributed.process.%s: a worker that is replaced imports the main module", MAKES)
        return
    setattr(distributed.process, MAKES, lambda: context)


def noticing_lost_jobs(kind: type[SpecCluster]) -> type[SpecCluster]:
    """`kind`, which notices a lost job of several workers, too, once all of them are gone: if it adapts, it submits the
    job again. Dask itself looks for a job of the lost worker's name, which only those of one worker have."""

    class NoticingLostJobs(kind):  # type: ignore[misc, valid-type]
        def _update_worker_status(self, op: str, msg: str) -> None:
            if op == "remove":
                lost = self.scheduler_info["workers"][msg]["name"]
                for name, spec in self.worker_spec.items():
                    if lost in workers_of(name, spec) and name in self.workers:
                        wait = parse_timedelta(dask.config.get("distributed.deploy.lost-worker-timeout"))
                        asyncio.get_running_loop().call_later(wait, self._notice, name, self.workers[name])
            super()._update_worker_status(op, msg)

        def _notice(self, name: object, job: object) -> None:
            """End `job`, unless there is another one by now or some worker of it has come back."""
            there = {each["name"] for each in self.scheduler_info["workers"].values()}
            if self.workers.get(name) is job and not there & workers_of(name, self.worker_spec.get(name, {})):
                self._futures.add(asyncio.ensure_future(self.workers.pop(name).close()))

    return NoticingLostJobs


def workers_of(name: object, spec: Mapping[str, object]) -> set[str]:
    """The names of a job's workers, where it has several."""
    return {f"{name}{suffix}" for suffix in cast(Iterable[str], spec.get("group", ()))}
