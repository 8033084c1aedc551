"""Links out of docs/ work where the repository is read; in the site each leads to a page made of that file."""

import posixpath
import re
from pathlib import Path

FOLDER = "repository/"  # of the site, that these pages are in
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".js": "javascript", ".csv": "text"}


def pages(root: Path) -> dict[str, str]:
    """The pages that are made of files outside of docs/, by their place in the site: those that a page leads to."""
    waiting = [f"docs/{path.relative_to(root / 'docs').as_posix()}" for path in sorted((root / "docs").rglob("*.md"))]
    made: dict[str, str] = {}
    for source in ["CONTRIBUTING.md", *waiting]:
        waiting = [source]
        while waiting:
            here = waiting.pop()
            text = (root / here).read_text(encoding="utf-8")
            if not here.startswith("docs/"):
                made[place(here)] = text if here.endswith(".md") else listing(here, text)
            if here.endswith(".md"):
                found = [target(here, match[2]) for match in LINK.finditer(text)]
                waiting += [each for each in found if is_page(each, root) and place(each) not in made]
    return made


def relinked(markdown: str, uri: str, root: Path) -> str:
    """A page's text with its links to files outside of docs/ led to their pages."""
    source = f"docs/{uri}"
    if uri.startswith(FOLDER):
        source = uri.removeprefix(FOLDER)

    def led(match: re.Match[str]) -> str:
        found = target(source, match[2])
        if found.startswith("docs/") and not uri.startswith(FOLDER):
            return match[0]
        there = found.removeprefix("docs/") if found.startswith("docs/") else place(found)
        if not (found.startswith("docs/") or is_page(found, root)):
            return match[0]
        return f"{match[1]}{posixpath.relpath(there, posixpath.dirname(uri) or '.')}{match[3] or ''}{match[4]}"

    return LINK.sub(led, markdown)


def target(source: str, link: str) -> str:
    """The path in the repository that a link leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def is_page(path: str, root: Path) -> bool:
    """Whether a file gets a page of its own: it is text, outside of docs/."""
    return not path.startswith(("docs/", "..")) and (root / path).is_file()


def place(path: str) -> str:
    """Where a file's page is in the site."""
    return FOLDER + (path if path.endswith(".md") else f"{path}.md")


def listing(path: str, text: str) -> str:
    """A file's text as a page."""
    return f"# {path}\n\n````{LANGUAGES.get(posixpath.splitext(path)[1], 'text')}\n{text}````\n"
