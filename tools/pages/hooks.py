"""What mkdocs does not know of: pages made of what lies elsewhere in the repository, in the middle of a build."""

from pathlib import Path

import configuration
import messages
import notebook
import repository
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("quickstart", "ablation")  # docs/quickstart.ipynb becomes a page, quickstart.md

# What stands in a page where the rest of it is generated.
GENERATED = {
    "<!-- configuration -->": lambda: configuration.reference(ROOT / "configs"),
    "<!-- messages -->": lambda: messages.listed(ROOT / "anx"),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The notebooks as pages, and a page for each file outside of docs/ that a page leads to."""
    for each in NOTEBOOKS:
        text, pictures = notebook.page(ROOT / "docs" / f"{each}.ipynb")
        files.append(File.generated(config, f"{each}.md", content=text))
        for name, picture in pictures.items():
            files.append(File.generated(config, name, content=picture))
    for uri, content in repository.pages(ROOT).items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to where they lead in the site, and what is generated in its place."""
    for marker, generate in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, generate())
    markdown = repository.relinked(markdown, page.file.src_uri, ROOT)
    for each in NOTEBOOKS:
        markdown = markdown.replace(f"{each}.ipynb", f"{each}.md")
    return markdown
