"""A compiled step is right, or it is refused."""

import logging
import os
import subprocess
import sys

import pytest
import torch
from conftest import make_agent, needs_compiler
from torch import nn
from torch._dynamo.utils import counters

from anx.envs.cartpole import CartPoleSwingUpHarder
from anx.population import num_parameters
from anx.rollout.compilation import CannotCompileError, CompiledStep
from anx.rollout.decompositions import ON_CPU
from anx.rollout.device import DeviceRollout

WORLD = CartPoleSwingUpHarder(max_steps=60)


def population_of(agent, candidates):
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(candidates, num_parameters(agent), generator=generator)


def rolled_out(agent, compile, candidates=5, **options):
    rollout = DeviceRollout(agent.float(), WORLD, compile=compile, compact_every=10, **options)
    return rollout, rollout(population_of(agent, candidates), 6, 1)


@pytest.fixture
def broken_compiler(monkeypatch):
    def fail(*arguments):
        raise FileNotFoundError("Python.h: No such file or directory")

    monkeypatch.setattr("anx.internal.compiler.compile_graph", fail)


def test_without_a_working_compiler_auto_runs_uncompiled_and_says_so_once(broken_compiler, caplog):
    agent, _ = make_agent()
    with caplog.at_level(logging.WARNING):
        rollout, episodes = rolled_out(agent, "auto", candidates=170)
        again = rollout(population_of(agent, 170), 6, 1)
    assert torch.equal(episodes.returns, rolled_out(agent, False, candidates=170)[1].returns)
    assert torch.equal(again.returns, episodes.returns)
    assert [record.message for record in caplog.records if "uncompiled" in record.message] == [
        "the step runs uncompiled, and slower; rollout.compile=false does not try: "
        "FileNotFoundError: Python.h: No such file or directory"
    ]


def test_without_a_working_compiler_true_is_refused_by_name(broken_compiler):
    with pytest.raises(ValueError, match=r"rollout\.compile=true, but .*Python\.h.*; allowed: auto, false"):
        rolled_out(make_agent()[0], True)


@pytest.mark.slow
@needs_compiler
def test_a_compiler_that_does_not_work_costs_a_run_a_warning(tmp_path):
    code = (
        "import torch; from conftest import make_agent; from test_compilation import rolled_out\n"
        "print(rolled_out(make_agent()[0], 'auto', candidates=170)[1].returns.sum() > 0)"
    )
    folders = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__)), *sys.path]
    own = {
        "CXX": "ccache no-such-g++",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(folders),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | own, timeout=120
    )
    assert done.stdout == "tensor(True)\n", done.stderr
    assert done.stderr.count("the step runs uncompiled") == 1
    assert "Traceback" not in done.stderr


@needs_compiler
def test_a_step_that_comes_out_wrong_is_refused(monkeypatch):
    monkeypatch.setitem(ON_CPU, torch.ops.aten.tanh.default, lambda x: x * 0.9)
    step = CompiledStep(lambda weight, x: (weight * x).tanh())
    with pytest.raises(CannotCompileError, match="result 0 is not that of the step itself"):
        step(torch.ones(8, 3), torch.ones(8, 3))


@needs_compiler
def test_arguments_of_another_dtype_or_layout_are_not_misread():
    step = CompiledStep(lambda weight, x: (weight * x).cumsum(-1))
    weight, wide = torch.rand(8, 3), torch.rand(8, 5)
    for x in (wide[:, :3].contiguous(), wide[:, 1:4], wide[:, :1].expand(8, 3), wide[:, :3].double()):
        torch.testing.assert_close(step(weight, x), (weight * x).cumsum(-1))
    assert torch.equal(step(weight[:1], wide[:1, :3]), (weight[:1] * wide[:1, :3]).cumsum(-1))


@needs_compiler
def test_what_was_compiled_once_is_found_again_for_any_number_of_rows_and_recorded_as_well(tmp_path, monkeypatch):
    """In torch's own cache, which takes a step only if all that goes to the compiler has a stable key."""

    def product(weight, x):
        return torch.bmm(weight, x).tanh()

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    counters.clear()
    for rows in (8, 5):
        step, arguments = CompiledStep(product), (torch.rand(rows, 3, 3), torch.rand(rows, 3, 3))
        torch.testing.assert_close(step(*arguments), product(*arguments))
        assert all(each.record for each in step._compiled.values())
    assert counters["inductor"]["fxgraph_cache_miss"] == counters["inductor"]["fxgraph_cache_hit"] == 1


@pytest.mark.slow
@needs_compiler
def test_what_an_episode_comes_to_does_not_depend_on_how_many_cores_share_the_population():
    """To the bit; so two processes are one, and a laptop's run is that of a larger machine of its kind."""
    agent, _ = make_agent()
    rollout, one = rolled_out(agent, True, candidates=7, threads=1)
    for threads in (2, 3, 16):
        rollout.threads = threads
        assert torch.equal(rollout(population_of(agent, 7), 6, 1).returns, one.returns)
    assert torch.equal(rollout(population_of(agent, 7)[3:5], 6, 1).returns, one.returns[3:5])
    (step,) = rollout.compile._steps.values()
    assert all(each.record for each in step._compiled.values())  # recorded: else threads would wait for one another


class Returning(nn.Module):
    """A neuron whose state comes back otherwise than it went."""

    key_size = value_size = 1

    def __init__(self, change):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.change = change

    def initial_state(self, num_inputs):
        return (self.weight.new_zeros(num_inputs, 1), torch.zeros(num_inputs, dtype=torch.int64))

    def forward(self, inputs, previous_action, state):
        return inputs * self.weight, inputs, self.change(state[0] + inputs, state[1] + 1)


def test_a_state_that_comes_back_in_another_form_is_refused_by_name():
    for change, says in {
        (lambda memory, count: (memory,)): "another structure",
        (lambda memory, count: (memory[:1], count)): r"\[1, 1\] float32 in the place of \[5, 1\] float32",
        (lambda memory, count: (memory, memory[:, 0])): r"\[5\] float32 in the place of \[5\] int64",
    }.items():
        agent, _ = make_agent()
        agent.neuron = Returning(change)
        agent.pooler.query = nn.Linear(8, 1, bias=False)
        with pytest.raises(ValueError, match=f"Returning returned .*{says}"):
            rolled_out(agent, False)


@pytest.mark.slow
@needs_compiler
def test_a_state_of_counts_and_of_double_precision_is_carried_compiled_as_uncompiled():
    agent, _ = make_agent()
    agent.neuron = Returning(
        lambda memory, count: (memory * torch.ones((), dtype=torch.float64) / count[:, None], count)
    )
    agent.pooler.query = nn.Linear(8, 1, bias=False)
    ours, theirs = (rolled_out(agent, compile)[1] for compile in (True, False))
    torch.testing.assert_close(ours.returns, theirs.returns, rtol=0, atol=1e-3)
    assert ours.returns.dtype == torch.float32
