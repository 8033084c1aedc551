"""`python -m anx.record`: episodes of a teacher -> a folder of arrays, for students."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from anx.commands.output import find_folder
from anx.data.folder import Folder
from anx.data.layout import Layout
from anx.data.play import Episode, play
from anx.errors import ConfigError
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer, check_types
from anx.experiment.teaching import build_stage, layout_for, notes_of, settings_of
from anx.progress import advance, shown
from anx.seeds import LARGEST

log = logging.getLogger(__name__)


def record(config: DictConfig) -> dict[str, float]:
    """Play what `config` asks for, and write it down, if a folder is named; returns what the returns come to.

    Interrupted, it keeps the episodes that are over; the same command goes on.
    """
    check(config)
    folder = find_folder(config.output)
    env, teacher = build_stage(config)
    layout = layout_for(env)
    wanted = range(config.episodes)
    notes = notes_of(list(HydraConfig.get().overrides.task))
    with Folder(folder, layout, settings_of(config), notes) if folder else nullcontext() as recording:
        returns = {int(each["number"]): float(each["return"]) for each in recording.episodes} if recording else {}
        left = [number for number in wanted if number not in returns]
        if folder:
            announce(folder, layout, len(left), env.spec.max_steps)
        played = play(env, teacher, config.seed, left, slots=config.slots, epsilon=config.epsilon)
        with shown("recording" if folder else "playing", len(left)) as bar:
            for episode in played if bar else told(played, layout, len(left)):
                if recording:
                    recording.append(episode)
                returns[episode.number] = float(episode.rewards.sum(dtype=float))
                advance()
    return summary([returns[number] for number in wanted])


def check(config: DictConfig) -> None:
    """ConfigError where a value is none."""
    check_types(OmegaConf.to_container(config, resolve=True))
    check_integer("episodes", config.episodes, least=1)
    check_integer("slots", config.slots, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    if not isinstance(config.epsilon, int | float) or not 0 <= config.epsilon <= 1:
        raise ConfigError(f"epsilon={config.epsilon} must be a number from 0 to 1")
    if not config.get("teacher"):
        raise ConfigError("teacher is missing; allowed: teacher=pong, teacher=agent teacher.weights=PATH")


def announce(folder: Path, layout: Layout, episodes: int, max_steps: int) -> None:
    """Say how much will be written at most, before anything is."""
    free, most = shutil.disk_usage(folder).free, episodes * max_steps * layout.bytes_a_step
    log.info(
        "%d more to %s: %s a step, at most %s (%d steps an episode); %s are free",
        *(episodes, folder, in_bytes(layout.bytes_a_step), in_bytes(most), max_steps, in_bytes(free)),
    )


def told(played: Iterator[Episode], layout: Layout, count: int) -> Iterator[Episode]:
    """The episodes, and a line for each tenth of them."""
    steps = 0
    for done, episode in enumerate(played, 1):
        yield episode
        steps += len(episode.rewards)
        if done == 1 or done == count or done % -(-count // 10) == 0:
            size = in_bytes(steps * layout.bytes_a_step)
            total = in_bytes(steps * layout.bytes_a_step * count / done)
            log.info("%d of %d: return %g, %s of about %s", done, count, episode.rewards.sum(), size, total)


def summary(returns: list[float]) -> dict[str, float]:
    """What returns come to, also for a person to read."""
    found = {"mean": float(np.mean(returns)), "least": min(returns), "most": max(returns), "episodes": len(returns)}
    log.info("the teacher's mean return: {mean:.2f} ({least:g} to {most:g}) in {episodes} episodes".format(**found))
    return found


def in_bytes(count: float) -> str:
    """A number of bytes to read: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def main() -> None:
    run_main(record, "record")
