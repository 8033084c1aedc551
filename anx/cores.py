"""How many cores this process may keep busy, and linear algebra that does not depend on it."""

import os
from contextlib import AbstractContextManager
from functools import cache

from joblib import cpu_count
from threadpoolctl import ThreadpoolController


def count_cores() -> int:
    """The cores that affinity and cgroup leave to this process, and no more than OMP_NUM_THREADS where that is set.

    OMP_NUM_THREADS is how a user, joblib (for the runs of a sweep) and Lightning (for the processes of a run) say which
    part of the machine is a process's own.
    """
    wished = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # OpenMP takes a list, one a nesting level
    return min(cpu_count(), int(wished)) if wished.isdecimal() and int(wished) > 0 else cpu_count()


def one_core_algebra() -> AbstractContextManager[object]:
    """Within, NumPy's linear algebra takes one core.

    On several it sums in another order: what comes out depends, in its last bits, on the number of cores. For matrices
    of a thousand rows and fewer it gains little by them, and beside other processes it waits for them, busily.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
