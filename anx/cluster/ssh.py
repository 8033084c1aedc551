"""Workers on machines that ssh reaches."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from anx.cluster.dask import Cluster, Dask, require
from anx.cluster.security import Credentials
from anx.errors import ConfigError


class Ssh(Dask):
    """A scheduler on the first machine and workers on the others, started by Dask's SSHCluster.

    It needs asyncssh besides: `pip install asyncssh`. What ssh needs to log in is as it is for `ssh HOST`.

    Args:
        hosts: the scheduler's machine, which listens at this name's address alone, then each that computes; the first
            one may be named twice.
        workers: processes a machine, with one thread each.
        python: on all machines, with the same anx; None: as here.
        connect: arguments of `asyncssh.connect`, as `username`.
        chunk: see `Dask`.
        security: see `Dask`.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        workers: int = 1,
        python: str | None = None,
        connect: Mapping[str, object] | None = None,
        chunk: int | None = None,
        security: Credentials | None = None,
    ) -> None:
        super().__init__(chunk=chunk, security=security)
        if len(hosts) < 2:
            raise ValueError(f"hosts={list(hosts)} must be the scheduler's machine and at least one that computes")
        if workers < 1:
            raise ValueError(f"workers={workers} must be at least 1")
        require("asyncssh", "asyncssh")
        self.hosts = list(hosts)
        self.count = workers
        self.python = python
        self.connect = dict(connect or {})

    def start(self) -> Cluster:
        from distributed import SSHCluster

        logging.getLogger("asyncssh").setLevel(logging.WARNING)
        try:
            cluster: Cluster = SSHCluster(
                self.hosts,
                connect_options=self.connect,
                worker_options={"n_workers": self.count, "nthreads": 1, "memory_limit": None},
                scheduler_options={"host": self.hosts[0], "port": 0, "dashboard_address": f"{self.hosts[0]}:8787"},
                remote_python=self.python,
                security=self.security(),
            )
        except Exception as error:  # whatever asyncssh and Dask raise, of many kinds
            raise ConfigError(f"cluster.hosts={self.hosts}: {type(error).__name__}: {error}") from error
        return cluster
