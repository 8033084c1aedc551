"""The house as its files make it: which rooms may know which, how long a file is, and what nobody asks."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "anx"

# From the ground up: a room may import from rooms beside it and below it. What is not named here is a door on top of
# all rooms, which none of them may use.
FLOORS = (
    {"spec", "errors", "seeds", "files", "cores", "progress", "signals", "terminal", "internal", "zoo"},
    {"agent"},
    {"population", "perturb", "envs"},
    {"rollout", "solvers", "teachers", "data", "cluster"},
    {"learners", "views"},
    {"experiment"},
    {"sweep", "demo", "portable"},
    {"commands"},
    {"heatmap"},  # a command of several parts
)
LONGEST = 250  # lines of a file

# Files that know rooms above theirs, and why.
UPWARDS = {
    "sweep/__main__.py": {"commands"},  # the door of a room: it hands anx.run's task in
    "zoo/__main__.py": {"commands"},  # the door of a room
}

# Who may ask what something is, and why.
MAY_ASK = {
    "api.py": "takes an agent as the file of one, or as one that is loaded",
    "envs/check.py": "says what is wrong with somebody else's class",
    "envs/check_host.py": "says what is wrong with somebody else's class",
    "envs/gymnasium.py": "asks whether a value is one or several",
    "experiment/build.py": "says what is wrong with somebody else's class",
    "experiment/config/check.py": "says what is wrong with somebody else's class",
    "experiment/loggers/base.py": "finds anx's own among Lightning's loggers",
    "experiment/memory.py": "asks what the platform has",
}


def modules() -> dict[str, Path]:
    """Every module of anx by its dotted name."""
    files = {path: path.relative_to(ROOT).with_suffix("").parts for path in sorted(HOUSE.rglob("*.py"))}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in files.items()}


MODULES = modules()
FILES = {module: path.relative_to(HOUSE).as_posix() for module, path in MODULES.items()}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}
CLASSES = {
    module: {each.name for each in tree.body if isinstance(each, ast.ClassDef)} for module, tree in TREES.items()
}


class Imports(ast.NodeVisitor):
    """What a file imports of anx, also within functions; what only a type checker sees is left out."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def visit_If(self, node: ast.If) -> None:
        runs = node.orelse if "TYPE_CHECKING" in ast.unparse(node.test) else [*node.body, *node.orelse]
        for each in runs:
            self.visit(each)

    def visit_Import(self, node: ast.Import) -> None:
        self.names += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, "imports are absolute"
        self.names += [f"{node.module}.{alias.name}" for alias in node.names]


def imports_of(tree: ast.Module) -> set[str]:
    """The modules of anx that a file imports, or imports something from."""
    found = Imports()
    found.visit(tree)
    return {module_of(name) for name in found.names if name.split(".")[0] == "anx"}


def module_of(name: str) -> str:
    """The module that a dotted name is, or is in."""
    return name if name in MODULES else module_of(name.rpartition(".")[0])


ARROWS = {module: imports_of(tree) for module, tree in TREES.items()}


def room_of(module: str) -> str:
    """agent of anx.agent.pooler, seeds of anx.seeds."""
    return f"{module}.".split(".")[1]


def floor_of(room: str) -> int:
    return next((floor for floor, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """One that goes round, if there is any."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def classes_known_to(module: str) -> set[str]:
    """The names in a file of classes of anx's own, but for errors: what those are is what they say."""
    imports = [each for each in ast.walk(TREES[module]) if isinstance(each, ast.ImportFrom) and each.module in CLASSES]
    known = {
        alias.asname or alias.name for each in imports for alias in each.names if alias.name in CLASSES[each.module]
    }
    return {name for name in known | CLASSES[module] if not name.endswith(("Error", "Interrupted"))}


def questions(module: str) -> Iterator[str]:
    """Where a file asks whether something is of one of anx's classes, has an attribute, or how its class is called."""
    own = classes_known_to(module)
    for node in ast.walk(TREES[module]):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        if function in ("isinstance", "issubclass"):
            if {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)} & own:
                yield ast.unparse(node)
        elif function == "hasattr" or function.endswith(
            ("_target_.split", "_target_.rsplit", "_target_.rpartition", "_target_.endswith", "_target_.startswith")
        ):
            yield ast.unparse(node)


def test_files_import_from_rooms_beside_them_and_below_them():
    above = {}
    for module, file in FILES.items():
        floor, rooms = floor_of(room_of(module)), {room_of(other) for other in ARROWS[module]}
        above[file] = {room for room in rooms if floor_of(room) > floor} - UPWARDS.get(file, set())
    assert {file: rooms for file, rooms in above.items() if rooms} == {}


def test_no_files_import_one_another_in_a_circle():
    assert circle(ARROWS) == []


def test_no_rooms_import_one_another_in_a_circle():
    rooms: dict[str, set[str]] = {}
    for module, others in ARROWS.items():
        room = room_of(module)
        if module == f"anx.{room}.__main__":
            continue  # a door, which nobody imports
        rooms.setdefault(room, set()).update({room_of(other) for other in others} - {room})
    assert circle(rooms) == []


def test_every_room_has_its_floor():
    """One that is on none would be a door, and could import everything."""
    rooms = {room_of(module) for module, path in MODULES.items() if path.parent != HOUSE}
    assert rooms <= set().union(*FLOORS)


def test_a_file_is_read_at_a_sitting():
    lengths = {FILES[module]: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {file: length for file, length in lengths.items() if length > LONGEST} == {}


def test_nobody_asks_what_another_is():
    """Contracts say what something does, and attributes with a default what differs; the doors to libraries may ask."""
    asked = {file: list(questions(module)) for module, file in FILES.items() if room_of(module) != "internal"}
    assert {file: found for file, found in asked.items() if found and file not in MAY_ASK} == {}


def test_what_leads_upwards_goes_round_or_asks_is_found():
    source = "import anx.commands.run\n\ndef f():\n    from anx.agent.agent import Agent\n    return hasattr(f, 'x')\n"
    assert imports_of(ast.parse(source)) == {"anx.commands.run", "anx.agent.agent"}
    assert imports_of(ast.parse("if TYPE_CHECKING:\n    import anx.commands.run\nelse:\n    import anx.spec")) == {
        "anx.spec"
    }
    assert imports_of(ast.parse("from anx import seeds, __version__")) == {"anx.seeds", "anx"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert floor_of("agent") < floor_of("rollout") < floor_of("commands") < floor_of("somewhere")
