"""Workers that are jobs of a queue: SLURM, PBS, SGE, LSF and others, by dask-jobqueue (https://jobqueue.dask.org)."""

from __future__ import annotations

from typing import Literal

from anx.cluster.dask import Cluster, Dask, require
from anx.cluster.security import Credentials
from anx.errors import ConfigError

System = Literal["SLURM", "PBS", "SGE", "LSF", "Moab", "OAR", "HTCondor", "Local"]

CHILDREN = "export DASK_DISTRIBUTED__WORKER__DAEMON=False"  # environments step in processes of their own


class Jobs(Dask):
    """A scheduler in this process, and jobs of `workers_a_job` worker processes each, submitted as `workers` asks.

    The queue may take jobs away and start them at any time; a job that ends is submitted again.

    Args:
        system: which kind; Local starts the jobs' scripts here.
        workers: processes in all, at most; jobs are submitted until there are so many.
        workers_a_job: processes of a job, with one thread and one core each.
        host: address of this machine on which the scheduler listens; the nodes must reach it.
        memory: of a job, "64GB".
        walltime: of a job, "24:00:00"; None: as the queue has it.
        chunk: see `Dask`.
        security: see `Dask`.
        options: others of dask-jobqueue's cluster, as `queue` and `account`.
    """

    def __init__(
        self,
        *,
        system: System,
        workers: int,
        workers_a_job: int,
        memory: str,
        host: str | None = None,
        walltime: str | None = None,
        chunk: int | None = None,
        security: Credentials | None = None,
        **options: object,
    ) -> None:
        super().__init__(chunk=chunk, security=security)
        if workers < 1 or workers_a_job < 1:
            raise ValueError(f"workers={workers} and workers_a_job={workers_a_job} must be at least 1")
        if host is None:
            raise ConfigError(
                "cluster.host=None must be the address of this machine at which the nodes reach it: whoever else "
                "reaches it can run code here, see docs/cluster.md"
            )
        require("dask_jobqueue", "anx[cluster]")
        self.system = system
        self.count = workers
        self.options = {
            "cores": workers_a_job,
            "processes": workers_a_job,
            "memory": memory,
            "scheduler_options": {"host": host, "dashboard_address": f"{host}:8787"},
            **({} if system == "Local" else {"job_script_prologue": [CHILDREN]}),  # it runs a command, not a script
            **({} if walltime is None else {"walltime": walltime}),
            **options,
        }

    def start(self) -> Cluster:
        import dask_jobqueue
        from dask_jobqueue import local

        from anx.internal.dask import noticing_lost_jobs

        home = local if self.system == "Local" else dask_jobqueue
        make = noticing_lost_jobs(getattr(home, f"{self.system}Cluster"))
        try:
            cluster = make(security=self.security(), **self.options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"cluster: dask-jobqueue's {self.system}Cluster: {error}") from None
        cluster.adapt(minimum=self.count, maximum=self.count)  # jobs that end are submitted again
        started: Cluster = cluster
        return started
