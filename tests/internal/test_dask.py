import multiprocessing

import pytest


def test_a_dask_that_makes_its_processes_otherwise_is_said_and_left_as_it_is(monkeypatch, caplog):
    process = pytest.importorskip("distributed.process")
    from anx.internal.dask import MAKES, start_workers_with

    monkeypatch.delattr(process, MAKES)
    start_workers_with(multiprocessing.get_context())
    assert not hasattr(process, MAKES)
    assert "this Dask has no distributed.process.get_mp_context" in caplog.text
