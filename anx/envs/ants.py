"""What the Ants of all simulators have in common: many of them side by side, in processes of their own."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from anx.cores import count_cores
from anx.envs.base import HostEnvironment
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.vector import Envs
from anx.envs.workers import Workers
from anx.errors import check_choice
from anx.spec import Spec

Array = NDArray[np.float32]
Reward = Literal["progress", "own"]


class Ants(HostEnvironment):
    """Ants: scalars -> torques.

    Args:
        max_steps: after which an episode ends.
        training_reward: what training is rewarded for; `own` is what evaluations count.
        processes: that step the ants, never more than there are; 0: one a core.
    """

    overlaps = True  # steps while the policy acts for others
    inputs: ClassVar[tuple[str, ...]]
    joints: ClassVar[tuple[str, ...]]
    time_step: ClassVar[float]  # seconds an agent step

    def __init__(self, max_steps: int = 1000, *, training_reward: Reward = "progress", processes: int = 0) -> None:
        check_counts(1, MOST_STEPS, max_steps=max_steps)
        check_counts(0, MOST_PROCESSES, processes=processes)
        self.spec = Spec(
            observation_shape=(len(self.inputs),),
            inputs=self.inputs,
            actuators=self.joints,
            max_steps=max_steps,
            fps=1 / self.time_step,
        )
        check_choice("training_reward", training_reward, get_args(Reward))
        self.training_reward = training_reward
        self.processes = processes

    @property
    @abstractmethod
    def make_one(self) -> Callable[[bool], gymnasium.Env[Array, Array]]:
        """Whether its reward is that of progress alone -> one ant."""

    def make(self, slots: int, training: bool, pictures: bool = False) -> Envs:
        """`slots` ants side by side. Those that draw pictures step in this process."""
        one = partial(self.make_one, training and self.training_reward == "progress")
        if pictures:
            return SyncVectorEnv([one] * slots, autoreset_mode=AutoresetMode.DISABLED)
        return Workers(one, slots, self.processes or count_cores())
