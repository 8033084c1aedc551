import threading

import pytest
import torch

from anx.rollout.threads import run_side_by_side


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_tasks_run_each_with_one_torch_thread_and_torch_has_its_own_number_back(threads):
    torch.set_num_threads(2)
    seen, together = [], threading.Barrier(min(threads, 3))

    def task(stop):
        together.wait(timeout=20)  # as many at once as there are threads
        seen.append(torch.get_num_threads())

    run_side_by_side([task] * 3, threads) if threads != 2 else run_side_by_side([task] * 2, threads)
    assert seen == [1] * (2 if threads == 2 else 3)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_what_one_task_raises_stops_the_others_and_is_raised(threads):
    ran = []

    def fails(stop):
        raise KeyError("seven")

    def goes_on_until_stopped(stop):
        ran.append(stop.wait(timeout=20))

    with pytest.raises(KeyError, match="seven"):
        run_side_by_side([fails, goes_on_until_stopped, goes_on_until_stopped], threads)
    assert False not in ran
    assert len(ran) < 2
