"""What the documentation's site is made of beside docs/: the configuration, the messages, files, the notebook."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def made(monkeypatch):
    """Imports a module of tools/pages."""
    monkeypatch.syspath_prepend(ROOT / "tools" / "pages")

    def load(name):
        return importlib.import_module(name)

    return load


def test_the_configuration_has_every_choice_and_every_key(made):
    pytest.importorskip("griffe")
    reference = made("configuration").reference(ROOT / "configs")
    for path in (ROOT / "configs").rglob("*.yaml"):
        if "hydra" in path.parts:
            continue
        if path.parent.name != "configs":
            heading = rf"^### `\+?{path.parent.name}=\[?{path.stem}\]?`$"
            (found,) = re.finditer(heading + r"\n(?P<text>.*?)(?=^##)", reference + "\n##", re.M | re.S)
            keys = [key for key in yaml.safe_load(path.read_text()) or {} if key[0] != "_" and key != "defaults"]
            shown = [row.split("`")[1].split(".") for row in found["text"].splitlines() if row.startswith("| `")]
            assert [key for key in keys if not any(key in parts for parts in shown)] == []


def test_a_key_means_what_its_comment_says_or_else_the_docstring(made):
    pytest.importorskip("griffe")
    reference = made("configuration").reference(ROOT / "configs")
    assert "| `pooler.num_queries` | `16` | the paper's M |" in reference
    assert "| `rollout.compact_every` | `50` | steps between two looks for episodes that have ended. |" in reference
    assert re.search(r"\| `learner.validation_episodes` \| `\S+` \| held-out episodes of a validation. \|", reference)


def test_messages_are_those_that_the_code_raises(made, tmp_path):
    (tmp_path / "code.py").write_text(
        'raise ConfigError(f"size={size} must be at least {1 + 1}: `a` is") from error\nraise KeyError("another one")\n'
    )
    assert made("messages").listed(tmp_path).splitlines()[-1] == "- `size={size} must be at least {…}: 'a' is`"


def test_links_out_of_docs_lead_to_pages_of_these_files(made, tmp_path):
    repository = made("repository")
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "CONTRIBUTING.md").write_text("[start](docs/start.md)")
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "docs" / "start.md").write_text("")
    (tmp_path / "docs" / "deep" / "page.md").write_text("[code](../../code.py) [start](../start.md#a) [x](https://x.y)")
    pages = repository.pages(tmp_path)
    assert pages == {
        "repository/CONTRIBUTING.md": "[start](docs/start.md)",
        "repository/code.py.md": "# code.py\n\n````python\nx = 1\n````\n",
    }
    text = (tmp_path / "docs" / "deep" / "page.md").read_text()
    relinked = repository.relinked(text, "deep/page.md", tmp_path)
    assert relinked == "[code](../repository/code.py.md) [start](../start.md#a) [x](https://x.y)"
    theirs = repository.relinked("[start](docs/start.md)", "repository/CONTRIBUTING.md", tmp_path)
    assert theirs == "[start](../start.md)"


def test_the_notebook_is_a_page_with_its_pictures(made):
    text, pictures = made("notebook").page(ROOT / "docs" / "quickstart.ipynb")
    assert text.startswith("# anx in a notebook")
    assert "```python\n" in text
    assert all(f"]({name})" in text and picture[:4] == b"\x89PNG" for name, picture in pictures.items())
    assert pictures
