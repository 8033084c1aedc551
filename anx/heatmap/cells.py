"""The cells of a heat map: each student plays under each share of missing inputs, through the launchers of sweeps."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anx.experiment.config.command_line import key_of, override
from anx.experiment.evaluation import build_evaluation, play, to_json
from anx.experiment.file_base import EVALUATION, on_base
from anx.files import hash_of, write_whole
from anx.sweep.command import Flags
from anx.sweep.launch import open_launches

RATIO = "perturbations.occlude.ratio"
OWN = ("weights", "output", "hydra")  # overrides of a cell that do not say what is played


@dataclass
class Cell:
    """What a student scores where a share of its inputs is missing."""

    trained: float  # the share in its training
    tested: float
    agent: Path
    reason: str = ""  # why nothing was played
    mean: float = math.nan
    sem: float = math.nan
    seconds: float = math.nan
    environment: str = ""  # the class of the one that it was played in

    def path(self, folder: Path) -> Path:
        """Of what was played."""
        return folder / "cells" / f"{self.trained:g}_{self.tested:g}.json"

    @property
    def played(self) -> bool:
        return not math.isnan(self.mean)

    def read(self, folder: Path, asked: Sequence[str]) -> None:
        """Take what was played before, if it was this agent and just that.

        Args:
            folder: of the heat map.
            asked: the overrides of the evaluation; where files lie and how they are launched does not count.
        """
        path = self.path(folder)
        if not path.is_file() or not self.agent.is_file():
            return
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["weights"]["sha256"] == hash_of(self.agent) and of_game(said["overrides"]) == of_game(asked):
            self.mean, self.sem, self.seconds = said["mean"], said["sem"], said["seconds"]
            self.environment = said["config"]["env"]["_target_"]


def of_game(overrides: Sequence[str]) -> list[str]:
    """Those that say what is played."""
    return sorted(each for each in overrides if key_of(each).split(".")[0].split("/")[0] not in OWN)


def play_cell(config: DictConfig) -> None:
    """An evaluation that is written to `config.output`; a launcher's worker imports this by its name."""
    overrides = [str(each) for each in HydraConfig.get().overrides.task]
    config = on_base(config, overrides, EVALUATION)
    agent, rollout, perturbations = build_evaluation(config)
    played = play(config, agent, rollout, perturbations)
    write_whole(Path(config.output), json.dumps(to_json(config, overrides, played)) + "\n")


def play_cells(
    cells: Sequence[Cell], folder: Path, overrides: Sequence[str], flags: Flags, done: Callable[[Cell], None]
) -> int:
    """Play what has not been played, as many at once as the launcher takes; returns the exit code of an interruption.

    Args:
        cells: of a heat map.
        folder: of it.
        overrides: of every evaluation.
        flags: where Hydra looks for configs.
        done: told of each that has been played, or could not be.
    """
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    waiting = []
    for cell in cells:
        cell.read(folder, given(cell, folder, overrides))
        if not cell.played and not cell.reason:
            waiting.append(cell)
    if not waiting:
        return 0
    with open_launches(overrides, folder, play_cell, flags._replace(config_name=EVALUATION)) as launches:
        for first in range(0, len(waiting), launches.width):
            batch = waiting[first : first + launches.width]
            outcomes = launches([own(cell, folder) for cell in batch])
            for cell, outcome in zip(batch, outcomes, strict=True):
                cell.read(folder, given(cell, folder, overrides))
                cell.reason = cast(str, outcome.reason or "") if not cell.played else ""
                if cell.played or cell.reason:
                    done(cell)
            if stopped := max(each.interrupted for each in outcomes):
                return stopped
    return 0


def own(cell: Cell, folder: Path) -> list[str]:
    """The overrides of a cell alone."""
    return [
        override("weights", cell.agent),
        f"{RATIO}={cell.tested:g}",
        override("output", cell.path(folder)),
        "hydra.sweep.subdir=cells",
    ]


def given(cell: Cell, folder: Path, overrides: Sequence[str]) -> list[str]:
    """All overrides of a cell."""
    return [*overrides, *own(cell, folder)]
