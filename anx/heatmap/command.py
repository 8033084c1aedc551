"""`python -m anx.heatmap`: students trained and tested under occlusion -> a picture, a table, what it has cost."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from anx.commands.run import run
from anx.commands.scores import AGENT
from anx.errors import ConfigError
from anx.experiment.config.command_line import command_line, key_of
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.values import check_integer
from anx.heatmap.cells import RATIO, Cell, play_cells
from anx.heatmap.views import write
from anx.signals import interruptible
from anx.sweep.command import Flags, is_of_hydra, split_flags
from anx.sweep.distribution import Choice
from anx.sweep.file import SweepFile
from anx.sweep.points import name_of
from anx.sweep.runner import Sweep

log = logging.getLogger(__name__)

TENTHS = [each / 10 for each in range(10)]  # the paper's grid
HELP = """\
The paper's heat map: students trained with a share of their inputs missing, each tested with each share.

  python -m anx.heatmap folder=PATH [train=[0,...,0.9]] [test=[0,...,0.9]] [episodes=100] [--config-dir PATH]
      [OVERRIDE ...]

  folder    of the runs, the cells, heatmap.png, heatmap.md and heatmap.csv
  train     shares of the inputs that are missing in training, a run each
  test      shares that are missing in an episode; which ones, is drawn once for it
  episodes  of a cell
  OVERRIDE  as of anx.run, given to every run; perturbations of one's own, with occlude among them, to the tests, too

Started again, it goes on: finished runs and cells are kept, a run that was cut off is resumed. Runs and cells go
through Hydra's launcher, as a sweep's. A further share is a further row or column.

Examples:
  python -m anx.heatmap folder=runs/heatmap +experiment=pong +ablation=puzzle_pong optimizer=adam data.path=data/pong \
      learner.loss=cross_entropy learner.batch_size=256 learner.draws=batch
  python -m anx.heatmap folder=runs/heatmap 'train=[0,0.3,0.6,0.8]' 'test=[0,0.3,0.6,0.8]' episodes=10 ... \
      weights=base/agent.safetensors trainer.max_steps=2000     fine-tuned from one student each
"""


class Asked(NamedTuple):
    """What a command line asks for."""

    folder: Path
    train: list[float]
    test: list[float]
    episodes: int
    overrides: list[str]  # of the runs
    flags: Flags


def read_arguments(arguments: Sequence[str]) -> Asked:
    """What a command line asks for; ConfigError names what is none."""
    flags, arguments = split_flags(arguments)
    own: dict[str, object] = {"folder": None, "train": TENTHS, "test": TENTHS, "episodes": 100}
    overrides = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key in own and equals:
            own[key] = value if key == "folder" else yaml.safe_load(value)
        else:
            overrides.append(argument)
    if not own["folder"]:
        raise ConfigError("folder is missing: where the heat map and its runs go, folder=runs/heatmap")
    train, test = (shares(key, own[key]) for key in ("train", "test"))
    episodes = own["episodes"]
    check_integer("episodes", episodes, least=1)
    assert isinstance(episodes, int)
    if not any(key_of(each) == "perturbations" for each in overrides):
        overrides.append("perturbations=[occlude]")
    return Asked(Path(str(own["folder"])), train, test, episodes, overrides, flags.or_found())


def shares(key: str, value: object) -> list[float]:
    """Shares of inputs, in their order; each once."""
    values = value if isinstance(value, list) else [value]
    numbers = {float(f"{each:g}") for each in values if isinstance(each, int | float) and 0 <= each < 1}
    if not values or len(numbers) != len(values):
        raise ConfigError(f"{key}={value} must be a list of shares, each once, at least 0 and less than 1")
    return sorted(numbers)


def students(asked: Asked) -> Sweep:
    """The runs, as a sweep over the share in training."""
    points = {RATIO: Choice(asked.train)}
    file = SweepFile(
        path=Path("anx.heatmap"),
        method="grid",
        metric="validation/shuffled_mean",
        maximize=True,
        parameters=dict(points),
        flags=Flags(),
        overrides=[],
        run_cap=None,
        early_terminate=False,
    )
    return Sweep(file, asked.folder, None, asked.overrides, run, flags=asked.flags)


def cells_of(asked: Asked, sweep: Sweep) -> list[Cell]:
    """Every student with every share of the tests, row by row."""
    cells = []
    for trained in asked.train:
        row = sweep.rows.get(name_of({RATIO: trained}))
        folder = asked.folder / name_of({RATIO: trained})
        missing = "" if (folder / AGENT).is_file() else (row.reason if row else "") or "there is no student"
        cells += [Cell(trained, tested, folder / AGENT, missing) for tested in asked.test]
    return cells


def of_tests(asked: Asked) -> list[str]:
    """The overrides of every test: how it is launched, and what befalls the inputs besides."""
    shared = ("perturbations", "trust", "device")
    kept = [each for each in asked.overrides if is_of_hydra(each) or key_of(each).split(".")[0] in shared]
    return [*kept, f"episodes={asked.episodes}"]


def heatmap(asked: Asked) -> int:
    """Train the students, let them play, and write the heat map after every cell; the exit code of an interruption."""
    sweep = students(asked)
    if not sweep.run():
        return sweep.interrupted
    cells = cells_of(asked, sweep)
    count = len(cells)

    def done(cell: Cell) -> None:
        found = f"{cell.mean:.1f} ± {cell.sem:.1f}, {cell.seconds:.0f} s" if cell.played else cell.reason
        number = sum(each.played or bool(each.reason) for each in cells)
        log.info("cell %d of %d: trained at %g, tested at %g: %s", number, count, cell.trained, cell.tested, found)
        write(asked.folder, cells, asked.train, asked.test, asked.episodes)

    stopped = play_cells(cells, asked.folder, of_tests(asked), asked.flags, done)
    write(asked.folder, cells, asked.train, asked.test, asked.episodes, printed=True)
    if not stopped and not any(cell.played for cell in cells):
        return 1
    return stopped


def main() -> None:
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        return
    with one_line_errors(), interruptible():
        stopped = heatmap(read_arguments(arguments))
    if stopped >= 128:
        log.info("interrupted; to go on:\n  %s", command_line("anx.heatmap", *arguments))
    if stopped:
        raise SystemExit(stopped)
