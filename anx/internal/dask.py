"""The one door to how Dask starts its worker processes: with the context of multiprocessing that it is told."""

import logging
from multiprocessing.context import BaseContext

import distributed.process

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
