"""Atari Pong in the Arcade Learning Environment, preprocessed as in the paper."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from anx.cores import count_cores
from anx.envs.base import HostEnvironment
from anx.envs.extras import missing
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.vector import Answer, Array, Info, Options, Pixels, Seeds, SplitStep, chosen
from anx.spec import Spec


class Pong(HostEnvironment):
    """PongNoFrameskip-v4: up to 30 no-ops and fire at reset, frame skip 4 with a maximum over the last two frames, four
    84x84 gray frames stacked (Tang & Ha 2021, section 4.3).

    The emulator is an extra: `pip install anx[atari]`.

    Args:
        max_steps: agent steps of four frames after which an episode ends.
        threads: of the emulator, never more than there are games; 0: one a core.
    """

    overlaps = True  # steps while the policy acts for others

    def __init__(self, max_steps: int = 27000, threads: int = 0) -> None:
        check_counts(1, MOST_STEPS, max_steps=max_steps)
        check_counts(0, MOST_PROCESSES, threads=threads)
        self.spec = Spec(
            observation_shape=(4, 84, 84),
            actuators=("noop", "fire", "right", "left", "right and fire", "left and fire"),
            discrete=True,
            max_steps=max_steps,
            fps=15,  # steps of four of the console's 60 frames a second
        )
        self.threads = threads

    def make(self, slots: int, training: bool = False, pictures: bool = False) -> "Games":
        """`slots` games side by side; a game that has ended is reset before its next step. Training changes nothing;
        pictures are the newest of the frames that the agent sees."""
        try:
            from ale_py.vector_env import AtariVectorEnv  # an extra; only whoever plays needs it
        except ImportError:
            raise missing("pong", "the Arcade Learning Environment", "atari") from None
        games = AtariVectorEnv(
            "pong",
            num_envs=slots,
            num_threads=min(self.threads or count_cores(), slots),  # its own 0 is every core of the machine
            max_num_frames_per_episode=4 * self.spec.max_steps + 1000,  # `max_steps` ends an episode, not the emulator
            autoreset_mode=AutoresetMode.NEXT_STEP,
            reward_clipping=False,
            noop_max=30,
            use_fire_reset=True,
            frameskip=4,
            maxpool=True,
            stack_num=4,
            img_height=84,
            img_width=84,
            grayscale=True,
        )
        return Games(games)


class Games(SplitStep):
    """The emulator's vector environment with gymnasium's conventions: it wants the seeds of those games only that are
    reset, and draws nothing."""

    def __init__(self, emulator: Any) -> None:
        self.emulator = emulator
        self.num_envs = emulator.num_envs
        self.single_observation_space = emulator.single_observation_space
        self.single_action_space = emulator.single_action_space

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        if seed is not None:
            seed = np.asarray(seed)[chosen(options, self.num_envs)]
        self._seen, info = self.emulator.reset(seed=seed, options=options)
        return self._seen, info

    def step_async(self, actions: Array) -> None:
        """Send actions [slots]; `step_wait` answers."""
        self.emulator.send(actions)

    def step_wait(self) -> Answer:
        """The answers to the actions sent."""
        self._seen, *rest = self.emulator.recv()
        return self._seen, *rest

    def render(self) -> tuple[Pixels, ...]:
        """For each game its newest frame [84, 84, 3], gray."""
        return tuple(np.repeat(frames[-1, :, :, None], 3, axis=2) for frames in self._seen)

    def close(self, **kwargs: object) -> None:
        self.emulator.close(**kwargs)
