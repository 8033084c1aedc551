"""`python -m anx.zoo`: the agents that ship and what they score, as they were last played; nothing is played."""

import argparse
import textwrap

from anx.experiment.config.messages import one_line_errors
from anx.views.table import Table, make_console, print_table
from anx.zoo.shipped import PREFIX, find_shipped
from anx.zoo.table import Shipped, in_words, read_table

EPILOG = """\
Examples:
  python -m anx.zoo                            all of them
  python -m anx.zoo anx:cartpole               one, with the commands that trained it
  python -m anx.evaluate weights=anx:cartpole 'perturbations=[shuffle]'
  python -m anx.film weights=anx:cartpole
  python -m anx.reproduce zoo                  plays them again
"""


def agents_table(zoo: dict[str, Shipped]) -> Table:
    """An agent a row; a column for each of what their inputs have gone through."""
    inputs = list(dict.fromkeys(each for row in zoo.values() for each in row.scores))
    rows = [[f"{PREFIX}{name}", row.experiment, *(mean(row, each) for each in inputs)] for name, row in zoo.items()]
    return Table(["agent", "experiment", *inputs], rows, "ll" + "r" * len(inputs), "Mean return, by the inputs")


def mean(row: Shipped, inputs: str) -> str:
    """An agent's score without its error, which few terminals have room for."""
    return f"{row.scores[inputs]['mean']:.1f}" if inputs in row.scores else "-"


def describe(name: str, row: Shipped) -> str:
    """How an agent came to be, and what can be done with it."""
    scores = "\n".join(f"  {each:20}{in_words(score)}" for each, score in row.scores.items())
    hours = "" if row.core_hours is None else f", {row.core_hours:g} core-hours"
    return f"""\
{PREFIX}{name}: {row.experiment}, {row.parameters:,} parameters, seed {row.seed}{hours}
mean return ± standard error over {row.episodes:,} episodes each:
{scores}
trained by:
{textwrap.indent(row.command, "  ")}
to evaluate it:
  python -m anx.evaluate weights={PREFIX}{name} 'perturbations=[shuffle]'"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m anx.zoo",
        description="The agents that ship, and what they score.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("agent", metavar="anx:NAME", nargs="?", help="one of them: how it was trained")
    arguments = parser.parse_args()
    with one_line_errors():
        zoo = read_table()
        if arguments.agent is None:
            print_table(make_console(), agents_table(zoo))
        else:
            name = find_shipped(arguments.agent, "agent").stem
            print(describe(name, zoo[name]))
