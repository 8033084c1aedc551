"""How little has to be imported before an agent plays: Lightning and CMA-ES take seconds each, and train."""

import subprocess
import sys

import pytest

HEAVY = ("lightning", "nevergrad", "scipy", "pandas", "wandb")
# Each leaves an agent that is ready to act, or is what a program imports before it reads its configuration.
STARTS = {
    "a library's user loads an agent": "import anx; anx.load('anx:cartpole')",
    "an agent of an experiment whose optimizer is CMA-ES": "import anx; anx.load('anx:ant', 'optimizer=cmaes')",
    "anx.evaluate": "import anx.commands.evaluate",
    "anx.film": "import anx.commands.film",
    "anx.record": "import anx.commands.record",
    "anx.export": "import anx.commands.export",
    "anx.demo": "import anx.demo.command",
}


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_what_plays_imports_nothing_that_trains(start):
    code = f"import sys\n{start}\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
