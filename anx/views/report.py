"""What a run came to in one page: rendered from the files of its folder, which it also adds pictures to."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

from jinja2 import Environment

from anx.errors import ConfigError
from anx.files import write_whole
from anx.perturb.inputs import Shuffle
from anx.rollout.base import Rollout
from anx.rollout.evaluation import Statistics
from anx.rollout.trace import evenly_spaced
from anx.views import film as films
from anx.views.figures import learning_curve, read_metrics, save, study, write_study
from anx.views.figures.learning import of_population, validations
from anx.views.figures.logged import STEPS, Row

FILES = {
    "agent.safetensors": "the agent, the best validated one: weights and the configuration that builds it",
    "config.yaml": "the resolved configuration",
    "report.json": "the final evaluation",
    "metrics.csv": "metrics, a row a {step}",
    "identity.json": "what was run, and on what",
    "curve.png": "the learning curve",
    "film.mp4": "an episode with shuffled inputs",
    "figures": "the figures, and the regression as numbers",
    "pictures": "attention while it learned",
    "checkpoints/best.ckpt": "the same as a checkpoint",
    "checkpoints/last.ckpt": "the newest state: a run goes on from it",
}
CAPTIONS = {
    "attention": "What the agent attends to in one episode with shuffled inputs, in their true order.",
    "queries": "The same, query by query.",
    "latent": "The latent code in the same episode with plain and with shuffled inputs, in double precision.",
    "regression": "Each input and what a linear regression on the latent code makes of it, on held-out episodes.",
    "embedding": "Codes that are alike lie together: the latent code of one episode by t-SNE.",
}
STATISTICS = frozenset(Statistics.__annotations__)
PICTURES = 6  # of those drawn while it learned
FILM_QUALITY = 4.0  # of 10: the film is inside the file


class Run(NamedTuple):
    """What a report says of a run besides what lies in its folder as a file of its own."""

    name: str
    seed: int
    max_steps: int  # that it is to take; -1: as many as there is time for
    config: str  # resolved, as YAML
    evaluation: str  # the command line that evaluates its agent
    step: str = "generation"  # what a step of its training is called
    steps: str = "generations"


class KeptAgent(TypedDict):
    """Which of a run's agents its folder holds."""

    step: int
    chosen_by: str | None  # the metric that has decided; None: it is the last one
    score: float | None


class Final(NamedTuple):
    """What report.json says."""

    steps: int
    agent: KeptAgent | None
    results: dict[str, Statistics]  # of the final evaluation, by name


class Picture(NamedTuple):
    """A picture inside the report."""

    name: str
    caption: str
    data: str  # URI


def draw_run(folder: Path, run: Run, x: str = STEPS) -> None:
    """Draw how a run learned, if its folder says so, over `generations`, `env_steps` or `core_hours`."""
    if (folder / "metrics.csv").is_file():
        save(learning_curve(folder / "metrics.csv", step=run.step, x=x), folder / "curve.png")


def draw_agent(folder: Path, run: Run, rollout: Rollout, seed: int, *, figures: bool, film: bool) -> None:
    """Film a rollout's agent with shuffled inputs in the first episode of `seed`, and draw figures of it."""
    if film:
        caption = f"{run.name}: shuffled"
        films.film(folder / "film.mp4", rollout, seed, [Shuffle()], caption, quality=FILM_QUALITY)
    if figures:
        write_study(study(rollout, seed, [Shuffle()]), folder / "figures")


def write_page(folder: Path, run: Run) -> Path:
    """Write report.html from what lies in a run's folder; returns its path."""
    path = folder / "report.html"
    write_whole(path, render(folder, run))
    return path


def render(folder: Path, run: Run) -> str:
    """The report's HTML, from the files in a run's folder."""
    template = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    final, metrics = read_final(folder, run), folder / "metrics.csv"
    rows: Sequence[Row] = read_metrics(metrics) if metrics.is_file() else []
    return page.render(
        run=run,
        finished=final is not None,
        results=final.results if final else {},
        agent=final.agent if final else None,
        steps=final.steps if final else int(rows[-1]["step"]) + 1 if rows else 0,
        validated=last_validation(rows),
        of_population=of_population(rows),
        curve=data_uri(folder / "curve.png"),
        film=data_uri(folder / "film.mp4"),
        figures=read_figures(folder),
        pictures=read_pictures(folder, run.step),
        identity=list(flatten(read_json(folder / "identity.json") or {})),
        folder=folder.resolve(),
        files=[(name, text.format(step=run.step)) for name, text in FILES.items() if (folder / name).exists()],
    )


def words_in(folder: Path) -> tuple[str | None, str | None]:
    """What a run's report.json calls a step of the training, and several; None where it does not say it."""
    report = read_report(folder) or {}
    agent = cast(Mapping[str, object], report.get("agent") or {})
    step = next((key for key in agent if key not in ("chosen_by", "score")), None)
    steps = next((key for key, value in report.items() if isinstance(value, int) and key != "seed"), None)
    return step, steps


def read_final(folder: Path, run: Run) -> Final | None:
    """What a run's report.json says, whatever names its learner has; None before the run has ended."""
    report = read_report(folder)
    if report is None:
        return None
    agent = cast(Mapping[str, object] | None, report.get("agent"))
    results = {name: each for name, each in report.items() if isinstance(each, dict) and each.keys() >= STATISTICS}
    return Final(
        steps=cast(int, report.get(run.steps, 0)),
        agent=cast(KeptAgent, {**agent, "step": agent.get(run.step, 0)}) if agent else None,
        results=cast(dict[str, Statistics], results),
    )


def last_validation(rows: Sequence[Row]) -> dict[str, float]:
    """The mean returns of a run's last validation, by name; nothing before the first one."""
    metrics = validations(rows)
    for row in reversed(rows):
        if found := {name: float(row[metric]) for name, metric in metrics.items() if row.get(metric)}:
            return found
    return {}


def read_report(folder: Path) -> Mapping[str, object] | None:
    """What a run's report.json holds; None where there is none."""
    report = read_json(folder / "report.json")
    if not (report is None or isinstance(report, dict)):
        raise ConfigError(f"{folder / 'report.json'} is no run's: it must hold an object")
    return report


def read_json(path: Path) -> object:
    """What a file holds; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read as JSON ({error})") from None


def data_uri(path: Path) -> str | None:
    """A file as a data URI; None where there is none."""
    if not path.is_file():
        return None
    kind = {".png": "image/png", ".mp4": "video/mp4"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def read_figures(folder: Path) -> list[Picture]:
    """The figures of a run's agent."""
    uris = {name: data_uri(folder / "figures" / f"{name}.png") for name in CAPTIONS}
    return [Picture(name, CAPTIONS[name], uri) for name, uri in uris.items() if uri]


def read_pictures(folder: Path, step: str) -> list[Picture]:
    """Some of the pictures that a run drew while it learned, evenly spaced, with the steps that they were drawn at."""
    paths = sorted((folder / "pictures").glob("attention_*.png"))
    chosen = [paths[i] for i in evenly_spaced(len(paths), PICTURES)]
    return [Picture(each.stem, f"{step} {int(each.stem.split('_')[1]):,}", data_uri(each) or "") for each in chosen]


def flatten(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """A nested value as pairs of a dotted key and a plain value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield key, "-" if value is None else value
        return
    for name, child in children:
        yield from flatten(child, f"{key}.{name}" if key else str(name))
