"""What a folder of recorded episodes holds: one array a file, and how long a row of each is.

data.yaml          what was recorded, and with which settings
episodes.npy       of each episode its number, where it begins in the others, how many steps it has, its return
observations.npy   frames once: where each step brings a new one, T steps have T + S - 1 frames for stacks of S
actions.npy        what was done: the index of a button, or numbers [A]
scores.npy         the teacher's [A]
rewards.npy
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from anx.envs.base import HostEnvironment
from anx.errors import ConfigError

DESCRIPTION, EPISODES = "data.yaml", "episodes.npy"
STEPS = ("actions", "scores", "rewards")  # arrays with a row a step
EPISODE = np.dtype([("number", "<i8"), ("frame", "<i8"), ("step", "<i8"), ("steps", "<i8"), ("return", "<f8")])


class Layout(NamedTuple):
    """The form of what is recorded."""

    observation_shape: tuple[int, ...]
    action_size: int
    discrete: bool
    stacks: bool  # whether a step brings one frame, and the oldest of the stack goes

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Of what a step brings."""
        return self.observation_shape[1:] if self.stacks else self.observation_shape

    @property
    def frames(self) -> int:
        """That make an observation."""
        return self.observation_shape[0] if self.stacks else 1

    @property
    def rows(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """For each array the shape of a row, and the type of its numbers."""
        return {
            "observations": (self.frame_shape, "<f4" if len(self.observation_shape) == 1 else "|u1"),
            "actions": ((), "|u1") if self.discrete else ((self.action_size,), "<f4"),
            "scores": ((self.action_size,), "<f4"),
            "rewards": ((), "<f4"),
        }

    @property
    def bytes_a_step(self) -> int:
        """On disk."""
        return sum(int(np.prod(row)) * np.dtype(dtype).itemsize for row, dtype in self.rows.values())


def layout_for(env: HostEnvironment) -> Layout:
    """The form of what is recorded in an environment."""
    spec = env.spec
    return Layout(spec.observation_shape, spec.action_size, spec.discrete, env.stacks)


def read_description(folder: Path) -> dict[str, object]:
    """What a folder's recording says of itself.

    Raises:
        ConfigError: there is none.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ConfigError(f"{folder} holds no recorded episodes; python -m anx.record output={folder} records some")
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict) or not isinstance(said.get("layout"), dict):
        raise ConfigError(f"{path} does not say what was recorded")
    return said


def layout_of(description: dict[str, object]) -> Layout:
    """The form of a recording that says so of itself."""
    said = description["layout"]
    assert isinstance(said, dict)
    return Layout(tuple(said["observation_shape"]), said["action_size"], said["discrete"], said["stacks"])
