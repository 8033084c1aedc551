import os
import subprocess
import sys

import pytest

from anx.cores import count_cores


@pytest.mark.parametrize(("wished", "cores"), [("1", 1), ("1,4", 1), ("0", 3), ("many", 3), ("", 3), ("64", 3)])
def test_omp_num_threads_bounds_the_cores_and_nothing_else_does(monkeypatch, wished, cores):
    monkeypatch.setattr("anx.cores.cpu_count", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", wished)
    assert count_cores() == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity")
def test_a_process_that_is_bound_to_one_core_counts_one():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from anx.cores import count_cores; print(count_cores())"
    )
    env = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert done.stdout == "1\n", done.stderr
