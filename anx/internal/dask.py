"""The one door to what Dask keeps to itself: how it starts worker processes, and how it misses those that are gone."""

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


def missing_whole_jobs(kind: type[SpecCluster]) -> type[SpecCluster]:
    """`kind`, whose jobs of several workers are missed, too, once all of a job's workers are gone: one that adapts
    submits them again. Dask itself looks for a job of the lost worker's name, which those of one worker alone have."""

    class MissingWholeJobs(kind):  # type: ignore[misc, valid-type]
        def _update_worker_status(self, op: str, msg: str) -> None:
            if op == "remove":
                lost = self.scheduler_info["workers"][msg]["name"]
                for name, spec in self.worker_spec.items():
                    if lost in workers_of(name, spec) and name in self.workers:
                        wait = parse_timedelta(dask.config.get("distributed.deploy.lost-worker-timeout"))
                        asyncio.get_running_loop().call_later(wait, self._miss, name, self.workers[name])
            super()._update_worker_status(op, msg)

        def _miss(self, name: object, job: object) -> None:
            """End `job`, unless there is another one by now or some worker of it has come back."""
            there = {each["name"] for each in self.scheduler_info["workers"].values()}
            if self.workers.get(name) is job and not there & workers_of(name, self.worker_spec.get(name, {})):
                self._futures.add(asyncio.ensure_future(self.workers.pop(name).close()))

    return MissingWholeJobs


def workers_of(name: object, spec: Mapping[str, object]) -> set[str]:
    """The names of a job's workers, where it has several."""
    return {f"{name}{suffix}" for suffix in cast(Iterable[str], spec.get("group", ()))}
