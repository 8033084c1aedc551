"""Tables of texts, in three forms: for a terminal, in Markdown, as csv."""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

RULES = {"l": "---", "r": "---:"}
JUSTIFIED = {"l": "left", "r": "right"}


@dataclass(frozen=True)
class Table:
    """A table as texts.

    Args:
        header: of its C columns.
        rows: of C cells each.
        alignment: a letter a column: l, left, or r, right.
        title: of the table; without: none.
        grouped: whether neighbouring rows with the same first cell belong together.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    alignment: str
    title: str = ""
    grouped: bool = False

    def __post_init__(self) -> None:
        widths = {len(self.header), len(self.alignment), *map(len, self.rows)}
        if len(widths) > 1 or not set(self.alignment) <= set(RULES):
            raise ValueError(f"a table of columns {list(self.header)} does not fit its rows or {self.alignment!r}")


def make_console() -> Console:
    """As wide as the terminal; 120 where the output is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 120)


def print_table(console: Console, table: Table) -> None:
    """For a person to read; what is too wide is folded. Of rows that belong together the first says what they are."""
    drawn = RichTable(title=escape(table.title) or None, title_justify="left")
    for header, letter in zip(table.header, table.alignment, strict=True):
        drawn.add_column(escape(header), justify="left" if letter == "l" else "right", overflow="fold")
    previous = None
    for first, *rest in table.rows:
        again = table.grouped and first == previous
        if table.grouped and not again:
            drawn.add_section()
        drawn.add_row("" if again else escape(first), *map(escape, rest))
        previous = first
    console.print(drawn)


def to_markdown(table: Table) -> str:
    """The table under its title, without a line's end at the end."""
    lines = [table.header, [RULES[letter] for letter in table.alignment], *table.rows]
    escaped = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines]
    body = "\n".join(f"| {line} |" for line in escaped)
    return f"## {table.title}\n\n{body}" if table.title else body


def to_csv(table: Table) -> str:
    """The header and the rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    return text.getvalue()
