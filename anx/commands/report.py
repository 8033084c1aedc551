"""`python -m anx.report RUN_FOLDER`: what a run came to -> report.html, one file that opens anywhere."""

import argparse
import base64
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import imageio_ffmpeg
from jinja2 import Environment
from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.build import build_rollout
from anx.experiment.check import check_writable
from anx.experiment.command_line import evaluation_of
from anx.experiment.messages import one_line_errors
from anx.experiment.plain import read_yaml
from anx.experiment.trust import check_agent_config, trust_override
from anx.experiment.values import check_integer
from anx.experiment.weights import load_into, read_weights
from anx.files import write_whole
from anx.perturb.inputs import Shuffle
from anx.rollout.trace import evenly_spaced
from anx.seeds import VALIDATION, derive_seed
from anx.views import film as video
from anx.views.figures import learning_curve, read_metrics, save, study, write_study

log = logging.getLogger(__name__)

# What is in a run's folder: the first agent that there is is the one that plays.
AGENTS = ("agent.safetensors", "checkpoints/best.ckpt", "checkpoints/last.ckpt")
FILES = {
    "agent.safetensors": "the agent, the best validated one: weights and the configuration that builds it",
    "config.yaml": "the resolved configuration",
    "report.json": "the final evaluation",
    "metrics.csv": "metrics, a row a generation",
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
PICTURES = 6  # of those drawn while it learned
FILM_QUALITY = 4.0  # of 10: the film is inside the file


class Picture(NamedTuple):
    """A picture inside the report."""

    name: str
    caption: str
    data: str  # URI


def write_report(run_dir: Path, *, figures: bool = True, film: bool = True, trust: Sequence[str] = ()) -> Path:
    """Write report.html from what lies in a run's folder; returns its path.

    Without the agent's figures or its film, those that are already there are shown.

    Args:
        run_dir: a run's folder, also of one that goes on or was interrupted.
        figures: play episodes with shuffled inputs, and draw figures of them.
        film: film one.
        trust: packages whose components its config.yaml may name; the folder may be somebody else's.

    Raises:
        ConfigError: it is no run's folder, or can't be written, or names what is not trusted.
    """
    config = read_config(run_dir, trust)
    check_writable(run_dir)
    if (run_dir / "metrics.csv").is_file():
        save(learning_curve(run_dir / "metrics.csv"), run_dir / "curve.png")
    if (figures or film) and (rollout := read_rollout(run_dir, config)):
        seed = derive_seed(config.seed, VALIDATION)  # the episode of the pictures that were drawn while it learned
        with closing(rollout):
            if film and can_film(rollout.env.has_pictures):
                caption = f"{config.name}: shuffled"
                video.film(run_dir / "film.mp4", rollout, seed, [Shuffle()], caption, quality=FILM_QUALITY)
            if figures:
                write_study(study(rollout, seed, [Shuffle()]), run_dir / "figures")
    path = run_dir / "report.html"
    write_whole(path, render(run_dir, config))
    return path


def read_config(run_dir: Path, trust: Sequence[str] = ()) -> DictConfig:
    """A run's resolved configuration, whose agent and environment can be built: nothing else of it ever is."""
    path = run_dir / "config.yaml"
    config = read_yaml(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
    if not isinstance(config, dict) or not {"name", "seed", "env", "trainer"} <= set(config):
        raise ConfigError(f"RUN_FOLDER={run_dir} is no run's folder: it must hold a run's resolved config.yaml")
    check_agent_config(config, str(path), trust, option="--trust {}")
    check_integer("seed", config["seed"], least=0)
    return OmegaConf.create(config)


def read_rollout(run_dir: Path, config: DictConfig) -> Any:
    """A rollout of a run's agent; None where the run has not left one yet."""
    for name in AGENTS:
        if (run_dir / name).is_file():
            agent, rollout = build_rollout(config)
            load_into(agent, read_weights(run_dir / name), run_dir / name)
            return rollout
    return None


def can_film(has_pictures: bool) -> bool:
    """Whether there is an ffmpeg, and an environment that draws pictures; else a report has no film."""
    if not has_pictures:
        log.warning("the report has no film: the environment draws no pictures")
        return False
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        log.warning("the report has no film: %s", error)
        return False
    return True


def render(run_dir: Path, config: DictConfig) -> str:
    """The report's HTML, from the files in a run's folder."""
    template = (Path(__file__).parents[1] / "views" / "report.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    report, metrics = read_json(run_dir / "report.json"), run_dir / "metrics.csv"
    rows = read_metrics(metrics) if metrics.is_file() else []
    return page.render(
        config=config,
        config_text=OmegaConf.to_yaml(config),
        results={name: report[name] for name in ("plain", "shuffled")} if report else {},
        agent=report.get("agent") if report else None,
        generations=report["generations"] if report else int(rows[-1]["step"]) + 1 if rows else 0,
        validated=next((row for row in reversed(rows) if row.get("validation/plain_mean")), None),
        curve=data_uri(run_dir / "curve.png"),
        film=data_uri(run_dir / "film.mp4"),
        figures=read_figures(run_dir),
        pictures=read_pictures(run_dir),
        identity=list(flatten(read_json(run_dir / "identity.json") or {})),
        folder=run_dir.resolve(),
        evaluation=evaluation_of(run_dir.resolve() / "agent.safetensors", *trust_override(config)),
        files=[(name, text) for name, text in FILES.items() if (run_dir / name).exists()],
    )


def read_json(path: Path) -> Any:
    """What a file holds; None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def data_uri(path: Path) -> str | None:
    """A file as a data URI; None where there is none."""
    if not path.is_file():
        return None
    kind = {".png": "image/png", ".mp4": "video/mp4"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def read_figures(run_dir: Path) -> list[Picture]:
    """The figures of a run's agent."""
    uris = {name: data_uri(run_dir / "figures" / f"{name}.png") for name in CAPTIONS}
    return [Picture(name, CAPTIONS[name], uri) for name, uri in uris.items() if uri]


def read_pictures(run_dir: Path) -> list[Picture]:
    """Some of the pictures that a run drew while it learned, evenly spaced, with their generations."""
    paths = sorted((run_dir / "pictures").glob("attention_*.png"))
    chosen = [paths[i] for i in evenly_spaced(len(paths), PICTURES)]
    return [Picture(each.stem, f"generation {int(each.stem.split('_')[1]):,}", data_uri(each) or "") for each in chosen]


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """A nested value as pairs of a dotted key and a plain value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield key, "-" if value is None else value
        return
    for name, child in children:
        yield from flatten(child, f"{key}.{name}" if key else str(name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m anx.report", description="Write a run's report.html anew.")
    parser.add_argument("folder", metavar="RUN_FOLDER", type=Path, help="runs/NAME/DATE; the run may be interrupted")
    parser.add_argument(
        "--trust", metavar="PACKAGE", action="append", default=[], help="whose components config.yaml may name"
    )
    arguments = parser.parse_args()
    with one_line_errors():
        print(write_report(arguments.folder, trust=arguments.trust))
