"""How many cores this process may keep busy."""

import os

from joblib import cpu_count


def count_cores() -> int:
    """The cores that affinity and cgroup leave to this process, and no more than OMP_NUM_THREADS where that is set.

    OMP_NUM_THREADS is how a user, joblib (for the runs of a sweep) and Lightning (for the processes of a run) say which
    part of the machine is a process's own.
    """
    wished = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # OpenMP takes a list, one a nesting level
    return min(cpu_count(), int(wished)) if wished.isdecimal() and int(wished) > 0 else cpu_count()
