"""`anx NAME ...` and `python -m anx NAME ...`: what `python -m anx.NAME ...` does."""

import runpy
import sys

from anx import __version__

# A command is a line here, in the order of the help, and a program: anx/NAME.py, or anx/NAME/__main__.py.
COMMANDS = {
    "run": "train an agent, evaluate it and report",
    "evaluate": "an agent under perturbations of its inputs: a table, json, a film, figures",
    "film": "an episode of an agent's: what it gets, what it attends to",
    "zoo": "the agents that ship, and what they score",
    "record": "episodes of a teacher, to clone it",
    "sweep": "many runs from a file, without an account: tables and a picture",
    "heatmap": "students trained and tested with inputs missing: a picture and a table",
    "report": "write a run's report.html again",
    "curves": "what several runs logged, in one picture",
    "reproduce": "the paper's tables beside what given weights score; reproduce zoo; reproduce ablations",
}
HELP = f"""\
Permutation-invariant agents: train, evaluate, watch, sweep, report.

  anx COMMAND [ARGUMENT ...]      the same as python -m anx.COMMAND [ARGUMENT ...]

{chr(10).join(f"  {name:12}{text}" for name, text in COMMANDS.items())}

  anx COMMAND --help    what a command takes, with examples
  anx --version

Examples:
  anx run                                      trains cart-pole swing-up, about five minutes
  anx zoo                                      the agents that are there already
  anx evaluate weights=anx:cartpole 'perturbations=[shuffle]'
  anx film weights=anx:cartpole output=film.mp4
"""


def main() -> None:
    """Run the command that the command line names, as a program of its own: what it starts in turn finds it so."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(HELP, end="")
    elif name == "--version":
        print(f"anx {__version__}")
    elif name in COMMANDS:
        sys.argv[1:] = arguments
        if "" not in sys.path[:1]:  # the user's own code lies where they are, as for python -m
            sys.path.insert(0, "")
        runpy.run_module(f"anx.{name}", run_name="__main__", alter_sys=True)
    else:
        print(f"error: {name} is no command of anx; allowed: {', '.join(COMMANDS)}", file=sys.stderr)
        raise SystemExit(2)


if __name__ == "__main__":
    main()
