"""What is printed once a sweep has ended: its tables, where everything is, and how to have the best again."""

import logging

from rich.console import Console

from anx.experiment.config.command_line import MULTIRUN, command_line, evaluation_of, without
from anx.experiment.files.trust import trust_override
from anx.experiment.files.weights import read_weights
from anx.sweep.folder import TABLES
from anx.sweep.points import to_overrides
from anx.sweep.runner import Sweep
from anx.sweep.table import contents, means, print_tables, rank

log = logging.getLogger(__name__)


def report(sweep: Sweep, console: Console) -> None:
    """Print the tables, where everything is, and how to have the best again."""
    rows, maximize = list(sweep.rows.values()), sweep.file.maximize
    if not rows:
        return
    print_tables(console, contents(rows, sweep.file.metric, maximize))
    names = [name for name in TABLES if (sweep.folder / name).is_file()]
    log.info("%s has %s and a folder for every run", sweep.folder, ", ".join(names))
    best = means(rows, maximize)
    if best:
        given = [*sweep.flags.arguments(), *without(sweep.overrides, *MULTIRUN)]
        setting = command_line("anx.run", *given, *to_overrides(best[0].point))
        log.info("the best setting:\n  %s", setting)
        agent = rank(rows, maximize)[0].folder / "agent.safetensors"
        trusted = trust_override(read_weights(agent).config or {}) if agent.is_file() else []
        log.info("the best run's agent:\n  %s", evaluation_of(agent, *trusted))
