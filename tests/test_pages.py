"""What the README and the pages of docs/ show, works: commands, files, links, keys, messages."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from conftest import compose

import anx.heatmap.command as heatmap
from anx.__main__ import COMMANDS
from anx.commands.reproduce import OTHERS, chosen_tables
from anx.experiment.build import build_rollout
from anx.experiment.config.check import check
from anx.experiment.teaching import build_stage
from anx.sweep.__main__ import read_arguments

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = {page.relative_to(ROOT).as_posix(): page.read_text().replace("\\\n", "") for page in PAGES}
ALL = "\n".join(SHOWN.values())
SHELL = "".join(re.findall(r"```sh\n(.*?)```", ALL, re.DOTALL))
# What is the reader's own, and stands beside their code: the pages on it are executed in tests/test_own_pages.py.
OWN = ("my_", "=average", "=mine", "=constant", "=gated", "=small_queries", " sweep.yaml")
OWN_FILES = ("configs/ablation/small_queries.yaml",)
NOT_OVERRIDES = ("-m", "--help")


def commands(*programs: str) -> list[tuple[str, str]]:
    """The lines that run one of these programs, each once however often it is shown."""
    found = re.findall(rf"^(?:.*; )?(?:python -m anx\.|anx )({'|'.join(programs)})( .*)?$", SHELL, re.MULTILINE)
    lines = {(name, " ".join(shlex.split(arguments, comments=True))): arguments for name, arguments in found}
    return [(name, arguments) for (name, _), arguments in lines.items() if not any(own in arguments for own in OWN)]


COMPOSED = commands("run", "evaluate", "film", "export", "reproduce", "record", "demo")
PARTS = ("agent", "env", "splitter", "neuron", "pooler", "policy", "head", "rollout")
BUILT: set[str] = set()  # the agents that were built in a test before


def test_the_commands_are_found():
    assert len(COMPOSED) > 80
    assert {name for name, _ in COMPOSED} >= {"run", "evaluate", "film", "export", "reproduce", "record", "demo"}


def test_every_program_shown_is_one():
    shown = set(re.findall(r"python -m anx\.(\w+)", ALL))
    assert shown - set(COMMANDS) == set()


@pytest.mark.parametrize(("program", "arguments"), COMPOSED, ids=lambda part: part.strip())
def test_every_command_composes(program, arguments):
    overrides = [part for part in shlex.split(arguments, comments=True) if part not in NOT_OVERRIDES]
    if arguments.startswith(" -m "):  # a multirun: its first job
        overrides = [part.split(",")[0] for part in overrides]
    overrides = [part for part in overrides if not part.startswith("hydra.")]
    name = {"run": "config", "film": "evaluate"}.get(program, program)
    if program == "reproduce" and overrides and overrides[0] in OTHERS:
        name = overrides.pop(0)
    config = compose(*overrides, config_name=name)
    if name in OTHERS:
        assert config.inputs
        return
    if program == "reproduce":
        assert set(chosen_tables(config)) <= set(config.definitions)
        return
    if program == "run":
        check(config)
    if program == "record":
        if config.teacher.get("weights") is None:  # that needs a file
            build_stage(config)
    elif (parts := str({key: config[key] for key in PARTS})) not in BUILT:
        BUILT.add(parts)  # building takes ten times as long as composing
        build_rollout(config)[1].close()


@pytest.mark.parametrize("arguments", dict.fromkeys(arguments for _, arguments in commands("heatmap")))
def test_every_heat_map_composes(arguments):
    asked = heatmap.read_arguments(shlex.split(arguments))
    check(compose(*asked.overrides, f"perturbations.occlude.ratio={asked.train[-1]}"))


@pytest.mark.parametrize("arguments", dict.fromkeys(arguments for _, arguments in commands("sweep")))
def test_every_sweep_is_read(monkeypatch, arguments):
    monkeypatch.chdir(ROOT)
    sweep = read_arguments(shlex.split(arguments, comments=True))
    assert sweep.file.method in ("grid", "random", "bayes")


@pytest.mark.parametrize("page", SHOWN)
def test_what_a_page_links_to_exists(page):
    links = re.findall(r"\]\(([^)\s]+)\)", SHOWN[page])
    local = [link.partition("#")[0] for link in links if not link.startswith(("http", "#"))]
    missing = [link for link in local if not ((ROOT / page).parent / link).is_file()]
    assert [link for link in missing if link != "../quickstart.md"] == []


@pytest.mark.parametrize("page", SHOWN)
def test_the_headings_that_a_page_links_to_exist(page):
    """Those of pages that are made in a build are checked there, by `make docs`."""
    for link in re.findall(r"\]\(([^)\s:]*#[^)\s]+)\)", SHOWN[page]):
        path, _, anchor = link.partition("#")
        there = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        if "<!--" in there.read_text() or "::: anx" in there.read_text():
            continue
        headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings], link


def test_the_files_and_folders_of_the_repository_that_are_named_exist():
    named = set(re.findall(r"`((?:anx|benchmarks|configs|docs|sweeps|tests|tools)/[\w./]*)`", ALL))
    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).exists() and name not in OWN_FILES] == []


def test_every_page_is_in_the_navigation():
    shown = re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    written = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]]
    assert sorted(set(written) - set(shown)) == []


def test_every_message_that_is_explained_can_still_be_said():
    said = re.findall(r"^\| `(.+?)` \|", SHOWN["docs/troubleshooting.md"], re.MULTILINE)
    forms = [form for path in (ROOT / "anx").rglob("*.py") for form in forms_of(path)]
    assert len(said) > 35
    others = ("Could not override",)  # Hydra's own
    assert [line for line in said if not line.startswith(others) and not any(form.search(line) for form in forms)] == []


def forms_of(path: Path) -> list[re.Pattern[str]]:
    """What a file's texts, with their blanks filled in, can become: those with enough words to know them by."""
    forms = []
    for node in ast.walk(ast.parse(path.read_text())):
        values = node.values if isinstance(node, ast.JoinedStr) else [node]
        parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in values]
        if sum(len(part) for part in parts if part) >= 10:
            text = "".join(".*" if part is None else re.escape(part.replace("`", "'")) for part in parts)
            forms.append(re.compile(text + "$"))
    return forms
