"""What a compiled step does is recorded where it is known, and left alone where it is not."""

import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import needs_compiler

from anx.internal.kernels import CannotRecordError, Kernel, find_call, load
from anx.rollout.compilation import CompiledStep
from anx.rollout.recording import raw


class Artefact:
    """What a compiler may have made."""

    def well_known(self, args):
        a, b = args
        args.clear()
        return (a, b)

    def unknown_call(self, args):
        a, b = args
        return (print(a), b)

    def constants(self, args):
        a, b, c = args
        return (a, b, c)


@pytest.mark.parametrize(("name", "found"), [("well_known", True), ("unknown_call", False), ("constants", False)])
def test_only_what_is_known_is_recorded(name, found):
    artefact = SimpleNamespace(current_callable=getattr(Artefact(), name))
    assert (find_call(artefact, 2) is not None) == found


@pytest.mark.parametrize("artefact", [None, object(), SimpleNamespace(current_callable=len)])
def test_where_the_compiler_has_made_something_else_nothing_is_recorded(artefact):
    assert find_call(artefact, 2) is None


def test_a_kernel_that_takes_what_is_not_known_cannot_be_recorded():
    with pytest.raises(CannotRecordError, match="a kernel takes a float; known are Tensor and int"):
        raw([Kernel(0, (torch.zeros(1), 3, 0.5))], {})


def test_a_torch_that_compiles_c_elsewhere_cannot_record(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.codecache", None)
    with pytest.raises(CannotRecordError, match="torch's compiler for C"):
        load("")


@pytest.mark.exhaustive
@needs_compiler
def test_a_compiled_step_that_cannot_be_recorded_runs_all_the_same(monkeypatch):
    def fail(source):
        raise CannotRecordError("torch's compiler for C++ is elsewhere")

    monkeypatch.setattr("anx.internal.kernels.load", fail)
    rows = torch.rand(4, 3), torch.rand(4, 3)
    step = CompiledStep(lambda weight, x: weight * x)
    torch.testing.assert_close(step(*rows), rows[0] * rows[1])
    (compiled,) = step._compiled.values()
    assert compiled.record is None
