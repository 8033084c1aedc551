"""`python -m anx.sweep`: a sweep file -> runs, tables, a picture, without an account."""

import logging
import sys
from pathlib import Path

from anx.commands.run import run
from anx.errors import ConfigError
from anx.experiment.config.command_line import command_line
from anx.experiment.config.messages import one_line_errors
from anx.signals import interruptible
from anx.sweep.command import split_flags
from anx.sweep.file import read_sweep_file
from anx.sweep.report import report
from anx.sweep.runner import Sweep
from anx.views.table import make_console

log = logging.getLogger(__name__)

HELP = """\
Run a Weights & Biases sweep file here, without an account.

  python -m anx.sweep FILE [folder=PATH] [count=N] [--config-dir PATH] [OVERRIDE ...]

  FILE      what `wandb sweep` takes: method grid, random or bayes (Optuna's TPE, here)
  folder    of the runs, table.csv, table.md and sweep.png; runs/sweeps/NAME if not given
  count     runs at most; random and bayes need it where the file has no run_cap
  OVERRIDE  as of anx.run, given to every run; it replaces the file's own with the same key
  --config-dir, --config-name   as of anx.run; configs of your own in ./configs are found without

Distributions: constant, categorical, int_uniform, uniform, q_uniform, log_uniform_values. Probabilities of values are
for random only, ranges without steps are not for a grid.

Started again, a sweep goes on: finished runs are kept, one that was cut off is resumed, failed ones are tried again.
The runs go through Hydra's launcher: one after another, or several at once where one is installed that can.

Examples:
  python -m anx.sweep sweeps/cartpole_num_queries.yaml
  python -m anx.sweep sweeps/cartpole_num_queries.yaml +budget=smoke folder=runs/try logger=csv
  python -m anx.sweep sweeps/pong_queries_and_patches_bayes.yaml count=10
  python -m anx.sweep sweeps/cartpole_num_queries.yaml hydra/launcher=joblib hydra.launcher.n_jobs=2
"""


def read_arguments(arguments: list[str]) -> Sweep:
    """The sweep that a command line asks for."""
    flags, arguments = split_flags(arguments)
    if not arguments or "=" in arguments[0]:
        raise ConfigError(
            "the sweep file must come first: python -m anx.sweep FILE [folder=PATH] [count=N] [OVERRIDE ...]"
        )
    path, *rest = arguments
    own = {"folder": f"runs/sweeps/{Path(path).stem}", "count": ""}
    overrides = []
    for argument in rest:
        key, _, value = argument.partition("=")
        if key in own:
            own[key] = value
        else:
            overrides.append(argument)
    file = read_sweep_file(path)
    if own["count"] and not (own["count"].isdecimal() and int(own["count"]) > 0):
        raise ConfigError(f"count={own['count']} must be an integer, at least 1")
    count = int(own["count"]) if own["count"] else None
    return Sweep(file, Path(own["folder"]), count, overrides, run, flags=flags)


def main() -> None:
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        return
    with one_line_errors(), interruptible():
        sweep = read_arguments(arguments)
        finished = sweep.run()
    report(sweep, make_console())
    if not finished:
        log.info("interrupted; to go on:\n  %s", command_line("anx.sweep", *arguments))
        raise SystemExit(sweep.interrupted)
    if all(row.value is None for row in sweep.rows.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
