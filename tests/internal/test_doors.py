"""What libraries keep private is used behind a door, and every door is listed."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
DOORS = ROOT / "anx" / "internal"
BY_NAME = {"delattr", "getattr", "hasattr", "setattr"}
OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def own_names(tree: ast.AST) -> Iterator[str]:
    """Private names that code defines: functions, classes, and what it assigns to itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_uses(tree: ast.AST, own: set[str]) -> Iterator[str]:
    """What code uses that is private and none of its `own` names."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [part for each in node.names for part in each.name.split(".")]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(each.name for each in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
            names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        yield from (f"{name} (line {node.lineno})" for name in names if is_private(name) and name not in own)


def uses_of(sources: dict[str, str]) -> list[str]:
    trees = {name: ast.parse(source) for name, source in sources.items()}
    own = {name for tree in trees.values() for name in own_names(tree)} | OF_NAMED_TUPLES
    return [f"{name}: {use}" for name, tree in trees.items() for use in private_uses(tree, own)]


def test_what_libraries_keep_private_is_used_in_internal_and_nowhere_else():
    files = [path for path in (ROOT / "anx").rglob("*.py") if DOORS not in path.parents]
    assert uses_of({str(path.relative_to(ROOT)): path.read_text() for path in files}) == []


@pytest.mark.parametrize(
    "code",
    [
        "from torch._inductor.compile_fx import compile_fx",
        "import torch.utils._pytree as pytree",
        "from torch.utils import _pytree",
        "import torch\ntorch._dynamo.reset()",
        "from hydra._internal.hydra import Hydra",
        "trainer.fit_loop.epoch_loop._batches_that_stepped = 3",
        "setattr(loop, '_batches_that_stepped', 3)",
        "def tell(solver):\n    return solver.popsize._loss_record",
    ],
)
def test_a_private_use_is_found(code):
    assert uses_of({"own.py": "class Own:\n    def _mine(self):\n        self._x = self._mine()", "theirs.py": code})


def test_every_door_is_listed_with_the_test_that_would_notice():
    text = (DOORS / "README.md").read_text()
    doors = {path.name for path in DOORS.glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"^\| `(\w+\.py)`", text, flags=re.MULTILINE)) == doors
    tests = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert tests
    assert [each for each in tests if not (ROOT / each).is_file()] == []


def test_the_installed_torch_is_one_that_the_project_allows_and_that_its_doors_know():
    stated = re.findall(r'"(torch\b[^"]*)"', (ROOT / "pyproject.toml").read_text())
    (torch,) = map(Requirement, stated)
    assert torch.specifier.contains(version("torch").split("+")[0])
    assert torch.specifier == SpecifierSet(">=2.13,<2.14")  # a wider range needs compiled contracts run at both ends
