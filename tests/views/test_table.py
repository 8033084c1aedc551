import csv
import io

import pytest
from rich.console import Console

from anx.views.table import Table, print_table, to_csv, to_markdown

TABLE = Table(["name", "score"], [["a|b", "1"], ['[bold]c, "d"', "-2.5"]], "lr", "which [x] is best")


def printed(table, width=40):
    text = io.StringIO()
    print_table(Console(file=text, width=width), table)
    return text.getvalue()


def test_in_markdown_numbers_are_aligned_to_the_right_and_no_cell_ends_early():
    assert to_markdown(TABLE).splitlines() == [
        "## which [x] is best",
        "",
        "| name | score |",
        "| --- | ---: |",
        "| a\\|b | 1 |",
        '| [bold]c, "d" | -2.5 |',
    ]


def test_a_table_without_a_title_has_none():
    table = Table(["name"], [["a"]], "l")
    assert to_markdown(table) == "| name |\n| --- |\n| a |"
    assert printed(table).splitlines()[0].strip("┏━┓") == ""


def test_csv_is_read_back_as_it_was_written():
    assert list(csv.reader(io.StringIO(to_csv(TABLE)))) == [[*TABLE.header], *TABLE.rows]


def test_a_terminal_shows_texts_as_they_are():
    lines = printed(TABLE).splitlines()
    assert lines[0].strip() == "which [x] is best"
    assert lines[-3:-1] == ["│ a|b          │     1 │", '│ [bold]c, "d" │  -2.5 │']


def test_what_is_too_wide_for_a_terminal_is_folded_and_not_cut_off():
    letters = [each for each in printed(Table(["name"], [["abcdefghij"]], "l"), width=8) if each.isalpha()]
    assert "".join(letters) == "name" + "abcdefghij"


def test_of_neighbouring_rows_that_belong_together_the_first_says_what_they_are():
    rows = [["a", "1"], ["a", "2"], ["b", "3"], ["a", "4"]]
    lines = printed(Table(["x", "y"], rows, "lr", grouped=True)).splitlines()
    assert [line[2] for line in lines[3:-1]] == ["a", " ", "─", "b", "─", "a"]
    assert to_markdown(Table(["x", "y"], rows, "lr", grouped=True)).count("| a |") == 3


@pytest.mark.parametrize(
    ("header", "rows", "alignment"),
    [(["a", "b"], [["1", "2"], ["3"]], "ll"), (["a", "b"], [["1", "2"]], "l"), (["a", "b"], [["1", "2"]], "lc")],
)
def test_a_table_that_does_not_fit_together_is_refused(header, rows, alignment):
    with pytest.raises(ValueError, match="does not fit"):
        Table(header, rows, alignment)
