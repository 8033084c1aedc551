"""Dask distributed as an engine: workers join and leave at any time, and what a dead one had runs again elsewhere.

https://distributed.dask.org; `pip install 'anx[cluster]'`.
"""

from __future__ import annotations  # distributed is an extra

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from anx.cluster.security import Credentials, Role, read_credentials
from anx.errors import ConfigError
from anx.rollout.engine import EngineLostError, WorkersDiedError

if TYPE_CHECKING:
    from distributed import Client, Security

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Done = TypeVar("Done", covariant=True)

DEATHS = 3  # of a task's workers, after which it is the task's fault
SECONDS = 30  # to wait for a scheduler
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    "distributed.scheduler.worker-saturation": 1.0,  # what waits at a worker that dies would count as its killer, too
    "distributed.worker.daemon": False,  # environments step in processes of their own
    "distributed.worker.profile.enabled": False,  # which interrupts a hundred times a second
}

# Its parts that say when a worker has died; what follows from it, `Dask._note` says.
QUIET = {"distributed": logging.ERROR, "distributed.client": logging.ERROR, "distributed.scheduler": logging.CRITICAL}


class Cluster(Protocol):
    """What Dask starts: a scheduler and workers."""

    def close(self) -> object:
        """End all of them."""


class Sent(Protocol[Done]):
    """A future of Dask's."""

    def result(self) -> Done: ...

    def release(self) -> None: ...


class Dask(ABC):
    """Sends tasks to a scheduler of Dask's, with which it connects at the first one.

    Args:
        chunk: candidates a task; None: a part of the generation that is worth while.
        security: of connections, arguments of `distributed.Security` such as `tls_ca_file`; None: plain TCP.
    """

    key: ClassVar = "cluster"  # of its configuration, for messages
    roles: ClassVar[tuple[Role, ...]] = ("client", "scheduler", "worker")  # that it starts, and so has credentials for

    def __init__(self, *, chunk: int | None = None, security: Credentials | None = None) -> None:
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk={chunk} must be null or at least 1")
        self.chunk = chunk
        self.redone = 0
        self._credentials = security
        self._cluster: Cluster | None = None
        self._client: Client | None = None
        require("distributed", "anx[cluster]")
        self.security()  # what is wrong with it is said before anything starts

    @abstractmethod
    def start(self) -> Cluster | str:
        """The cluster, started, or the address of a scheduler that is there already."""

    def security(self) -> Security | None:
        """How connections are secured; ConfigError where the credentials are none."""
        return (
            None
            if self._credentials is None
            else read_credentials(f"{self.key}.security", self._credentials, self.roles)
        )

    def submit(self, task: Callable[..., Result], /, *arguments: object) -> Future[Result]:
        """Call `task` with `arguments` on some worker.

        The future raises WorkersDiedError where the task has killed three of them, EngineLostError where the scheduler
        is gone.
        """
        sent = self._connected().submit(task, *arguments, pure=False)
        outcome: Future[Result] = Future()
        sent.add_done_callback(partial(self._settle, outcome))  # in a thread of the client's
        outcome.add_done_callback(lambda outcome: sent.cancel() if outcome.cancelled() else None)
        return outcome

    def _settle(self, outcome: Future[Result], sent: Sent[Result]) -> None:
        """Let `outcome` be what became of what was sent, in this framework's words."""
        from distributed import KilledWorker

        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(sent.result())
        except KilledWorker as error:
            outcome.set_exception(WorkersDiedError(f"{error.allowed_failures + 1} workers have died"))
        except (CancelledError, OSError) as error:
            outcome.set_exception(EngineLostError(f"{self.key}: the scheduler is gone") if self.lost else error)
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            sent.release()  # else it would be worked out again where its worker dies

    def _connected(self) -> Client:
        if self._client is None:
            import dask
            from distributed import Client

            dask.config.set(SETTINGS)
            for name, level in QUIET.items():
                logging.getLogger(name).setLevel(level)
            started = self.start()
            if not isinstance(started, str):
                self._cluster = started
            try:
                self._client = Client(started, security=self.security(), timeout=SECONDS, set_as_default=False)
            except (OSError, TimeoutError) as error:
                raise ConfigError(f"{self.key}: no scheduler answers at {started} ({error})") from None
            self._client.subscribe_topic("all", self._note)
            self._announce(self._client)
        return self._client

    def _announce(self, client: Client) -> None:
        there = self.workers
        wait = "" if there else "; the run waits for the first one"
        log.info("cluster: %s, %d workers so far%s", client.scheduler.address, there, wait)
        with suppress(ImportError):
            import bokeh  # noqa: F401 (which Dask's dashboard is drawn with)

            log.info("dashboard: %s", client.dashboard_link)

    def _note(self, event: tuple[float, object]) -> None:
        """An event of the scheduler's: of a worker that is lost, what it had runs again."""
        _, what = event
        if isinstance(what, dict) and what.get("action") == "remove-worker" and not what.get("expected"):
            again = len(what.get("processing-tasks", ())) + len(what.get("lost-computed-tasks", ()))
            self.redone += again
            log.info("cluster: worker %s is gone, tasks that run again: %d", what.get("worker"), again)

    @property
    def lost(self) -> bool:
        """Whether the connection has ended: Dask makes a new one, but has forgotten what was sent."""
        return self._client is not None and self._client.status != "running"

    @property
    def workers(self) -> int:
        """Worker processes that are there now."""
        if self._client is None or self._client.status != "running":
            return 0
        try:
            return len(self._client.nthreads())
        except (OSError, CancelledError):  # the connection has just ended
            return 0

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the scheduler; end what was started for this run."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        if client is not None:
            if client.status == "running":
                client.unsubscribe_topic("all")
            client.close()
        if cluster is not None:
            cluster.close()


class Scheduler(Dask):
    """A scheduler that is there already, as `dask scheduler` starts one.

    Args:
        address: tcp://HOST:PORT, or, with `security`, tls://HOST:PORT.
        chunk: see `Dask`.
        security: see `Dask`.
    """

    roles = ("client",)

    def __init__(self, address: str, *, chunk: int | None = None, security: Credentials | None = None) -> None:
        super().__init__(chunk=chunk, security=security)
        if "://" not in address:
            raise ValueError(f"address={address} must be that of a scheduler, tcp://HOST:PORT")
        if address.startswith("tls://") != (security is not None):
            raise ValueError(f"address={address} must be tls://HOST:PORT with cluster.security, and only with it")
        self.address = address

    def start(self) -> str:
        return self.address


def require(module: str, package: str) -> None:
    """ConfigError unless a module can be imported."""
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"cluster needs {module}: pip install '{package}'")
