"""`python -m anx.record`: episodes of a teacher -> a folder of arrays, for students."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from anx.commands.output import find_folder
from anx.data.folder import Folder
from anx.data.layout import Layout, layout_for
from anx.data.lessons import RecordedLessons
from anx.data.play import Episode, play, remind
from anx.data.size import in_bytes, size_in_words
from anx.errors import ConfigError
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer
from anx.experiment.evaluation import check_playing
from anx.experiment.teaching import build_stage, notes_of, settings_of
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
        if folder and returns:
            remind(teacher, RecordedLessons(str(folder)))
        if folder:
            log.info(
                "%d more to %s: %s", len(left), folder, size_in_words(folder, layout, len(left), env.spec.max_steps)
            )
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
    check_playing(config)
    check_integer("episodes", config.episodes, least=1)
    check_integer("slots", config.slots, least=1)
    check_integer("seed", config.seed, least=0, most=LARGEST)
    if not isinstance(config.epsilon, int | float) or not 0 <= config.epsilon <= 1:
        raise ConfigError(f"epsilon={config.epsilon} must be a number from 0 to 1")
    if not config.get("teacher"):
        raise ConfigError(
            "teacher is missing; allowed: teacher=pong, teacher=pong_consistent, teacher=agent teacher.weights=PATH"
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


def main() -> None:
    run_main(record, "record")
