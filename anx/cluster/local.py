"""Workers on this machine."""

from __future__ import annotations

from anx.cluster.dask import Cluster, Dask
from anx.cluster.ready import start_workers_ready
from anx.cluster.security import Credentials
from anx.cores import count_cores
from anx.envs.worker import THREADS

# What workers run first. Ctrl-C goes to all processes of a terminal; the run decides.
PRELOAD = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
SETTINGS = {
    # A worker that is replaced may take longer to start than Dask waits for it, which then gives up both.
    "distributed.deploy.lost-worker-timeout": "1000 days",
    # Workers have one thread each, but what Dask sets before they start would be this process's, too.
    **{f"distributed.nanny.pre-spawn-environ.{name}": None for name in THREADS},
    **{f"distributed.nanny.environ.{name}": "1" for name in THREADS},
}


class Local(Dask):
    """A scheduler in this process, and workers in processes beside it; one that dies is replaced.

    Args:
        workers: processes, with one thread each; None: one a core, as affinity, cgroup and OMP_NUM_THREADS have it.
        host: address on which scheduler and workers listen.
        chunk: see `Dask`.
        security: see `Dask`.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        host: str = "127.0.0.1",
        chunk: int | None = None,
        security: Credentials | None = None,
    ) -> None:
        super().__init__(chunk=chunk, security=security)
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers} must be null or at least 1")
        self.count = workers or count_cores()
        self.host = host

    def start(self) -> Cluster:
        import dask
        from distributed import LocalCluster

        dask.config.set(SETTINGS)
        start_workers_ready()
        cluster: Cluster = LocalCluster(
            n_workers=self.count,
            threads_per_worker=1,
            processes=True,
            host=self.host,
            dashboard_address=f"{self.host}:8787",
            memory_limit=None,
            security=self.security(),
            preload=[PRELOAD],
        )
        return cluster
