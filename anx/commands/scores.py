"""What the agents of a sweep's runs score: kept in the sweep's folder, and as tables over seeds."""

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import torch
import yaml

from anx.errors import ConfigError
from anx.files import write_whole
from anx.rollout.evaluation import summarise
from anx.views.figures import read_metrics
from anx.views.table import Table

SCORES = "scores.yaml"  # in a sweep's folder
AGENT, METRICS = "agent.safetensors", "metrics.csv"  # in a run's
UNCHANGED = "none"  # the ablation that is none: what the others are compared with
TOTALS = ("parameters", "env_steps", "core_hours")  # of a run


class Asked(TypedDict):
    """An agent, and its episodes."""

    sha256: str  # of the agent's file
    overrides: list[str]  # what befalls the inputs
    seed: int
    episodes: int


class Played(Asked):
    """What an agent's returns come to."""

    mean: float
    sem: float  # the mean's standard error
    parameters: int  # D, of the agent


@dataclass(eq=False)
class Run:
    """A run of a sweep, and what it has left."""

    setting: dict[str, str]  # the swept keys but for the seed
    seed: str  # empty, where seeds are not swept
    folder: Path
    reason: str  # why there is no agent; empty, where there is
    env_steps: float | None = None  # simulated in training; None: not logged
    core_hours: float | None = None
    scores: dict[str, Played] = field(default_factory=dict)  # by what befalls the inputs

    @property
    def agent(self) -> Path:
        return self.folder / AGENT

    @property
    def parameters(self) -> int | None:
        """D; None before the agent has played."""
        return next((score["parameters"] for score in self.scores.values()), None)


def read_runs(folder: Path) -> list[Run]:
    """The runs of a sweep in the order of its table, those without an ablation first; also where it has moved since."""
    path = folder / "table.csv"
    if not path.is_file():
        raise ConfigError(f"sweep={folder} must be the folder of a sweep that has run, with its table.csv in it")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or ())
        if header[-2:] != ["folder", "failed"]:
            raise ConfigError(f"sweep={folder}: table.csv is none of anx.sweep's")
        runs = [read_run(folder, line, header[:-3]) for line in reader]
    if not runs:
        raise ConfigError(f"sweep={folder}: table.csv has no run")
    return sorted(runs, key=lambda run: UNCHANGED not in run.setting.values())


def read_run(sweep: Path, line: dict[str, str], keys: Sequence[str]) -> Run:
    """A run, from its line in the table and from its folder."""
    folder = sweep / Path(line["folder"]).name
    setting = {key.lstrip("+"): line[key] for key in keys if key != "seed"}
    run = Run(setting, line.get("seed", ""), folder, "")
    if not run.agent.is_file():
        run.reason = line["failed"] or f"there is no {AGENT}"
        return run
    rows = read_metrics(folder / METRICS) if (folder / METRICS).is_file() else []
    run.env_steps, run.core_hours = (last(rows, each) for each in ("train/env_steps", "perf/core_hours"))
    return run


def last(rows: Iterable[Mapping[str, str]], metric: str) -> float | None:
    """What a run logged last of a metric, if it did."""
    values = [row[metric] for row in rows if row.get(metric)]
    return float(values[-1]) if values else None


def read_scores(folder: Path) -> dict[str, list[Played]]:
    """All that has been played, by the name of the run's folder."""
    path = folder / SCORES
    scores: dict[str, list[Played]] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return scores


def write_scores(folder: Path, scores: dict[str, list[Played]]) -> None:
    """What `read_scores` reads."""
    text = yaml.safe_dump(scores, sort_keys=False, default_flow_style=None, width=1000, allow_unicode=True)
    write_whole(folder / SCORES, text)


def settings(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that differ in nothing but their seed, together."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.setting.values()), []).append(run)
    return list(groups.values())


def over_seeds(runs: Sequence[Run], inputs: str) -> str:
    """The mean over seeds and its standard error; of some agents only, where the others have not played."""
    values = [run.scores[inputs]["mean"] for run in runs if inputs in run.scores]
    if not values:
        return "-"
    mean, error = mean_and_error(values)
    agents = sum(not run.reason for run in runs)
    text = f"{mean:.1f}" if math.isnan(error) else f"{mean:.1f} ± {error:.1f}"
    return text if len(values) == agents else f"{text} ({len(values)} of {agents})"


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean of at least one value, and its standard error; nan for a single one."""
    found = summarise(torch.tensor(values, dtype=torch.float64))
    return found["mean"], found["sem"] if len(values) > 1 else math.nan


def average(values: Iterable[float | None], form: str) -> str:
    """The mean of what is known."""
    known = [each for each in values if each is not None]
    return form.format(statistics.fmean(known)) if known else "-"


def of_settings(runs: Sequence[Run], inputs: Iterable[str]) -> Table:
    """A setting a row, a column for what befalls the inputs."""
    rows = [
        [
            *same[0].setting.values(),
            *(over_seeds(same, each) for each in inputs),
            average((run.parameters for run in same), "{:,.0f}"),
            average((run.env_steps for run in same), "{:,.0f}"),
            average((run.core_hours for run in same), "{:.2f}"),
            str(sum(not run.reason for run in same)),
        ]
        for same in settings(runs)
    ]
    keys = list(runs[0].setting)
    header = [*keys, *inputs, "parameters", "environment steps", "core-hours", "agents"]
    return Table(header, rows, "l" * len(keys) + "r" * (len(header) - len(keys)))


def of_failed(runs: Sequence[Run]) -> list[Table]:
    """The runs that have left no agent, and why; no table, where there are none."""
    rows = [[*run.setting.values(), run.seed, run.reason] for run in runs if run.reason]
    header = [*runs[0].setting, "seed", "why"]
    return [Table(header, rows, "l" * len(header), "Runs without an agent")] if rows else []


def of_values(runs: Sequence[Run], inputs: Iterable[str]) -> Table:
    """For a csv: a setting a row; of its inputs mean, standard error over seeds, and the value of each seed."""
    seeds = sorted({run.seed for run in runs}, key=lambda seed: (len(seed), seed))
    rows = []
    for same in settings(runs):
        row, by_seed = list(same[0].setting.values()), {run.seed: run for run in same}
        for each in inputs:
            values = [by_seed[seed].scores.get(each) if seed in by_seed else None for seed in seeds]
            known = [value["mean"] for value in values if value]
            mean, error = mean_and_error(known) if known else (math.nan, math.nan)
            row += ["" if math.isnan(value) else f"{value:.6g}" for value in (mean, error)]
            row += ["" if value is None else f"{value['mean']:.6g}" for value in values]
        row += [average((getattr(run, key) for run in same), "{:.6g}").strip("-") for key in TOTALS]
        rows.append([*row, "; ".join(f"seed {run.seed}: {run.reason}" for run in same if run.reason)])
    columns = [[each, f"{each} sem", *(f"{each} seed {seed}" for seed in seeds)] for each in inputs]
    header = [*runs[0].setting, *(name for names in columns for name in names), *TOTALS, "failed"]
    return Table(header, rows, "l" * len(header))
