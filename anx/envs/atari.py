"""Atari games in the Arcade Learning Environment's own vector environment."""

import numpy as np
from gymnasium.vector import AutoresetMode

from anx.envs.vector import Answer, Array, Info, Options, Pixels, Seeds, SplitStep, chosen

FRAMES, SIZE = 4, 84  # stacked gray frames, their side in pixels
SKIP = 4  # frames a step: an action is repeated, and the last two frames' maximum is seen
FPS = 60 / SKIP  # steps a second, of the console's 60 frames
RESERVE = 1000  # frames that the emulator may go on beyond `max_steps`: no-ops at the start, and fire


class Games(SplitStep):
    """Games side by side; one that has ended is reset before its next step.

    The emulator has conventions of its own: it wants the seeds of those games only that are reset, and draws nothing.

    Args:
        game: its name, as the emulator has it: pong.
        slots: of them.
        threads: of the emulator, at most as many as there are games.
        max_steps: that a game may last at least before the emulator ends it.
        fire: whether fire is pressed at the start.
        sticky: probability that an action is the one before once more.
        full: all 18 buttons, also those that the game has no use for.
        blank: rows of a frame, from the top, that are 0.
    """

    def __init__(
        self,
        game: str,
        slots: int,
        threads: int,
        max_steps: int,
        *,
        fire: bool = False,
        sticky: float = 0.0,
        full: bool = False,
        blank: int = 0,
    ) -> None:
        from ale_py.vector_env import AtariVectorEnv  # an extra; only whoever plays needs it

        self._emulator = AtariVectorEnv(
            game,
            num_envs=slots,
            num_threads=min(threads, slots),
            max_num_frames_per_episode=SKIP * max_steps + RESERVE,  # `max_steps` ends an episode, not the emulator
            autoreset_mode=AutoresetMode.NEXT_STEP,
            reward_clipping=False,
            noop_max=30,
            frameskip=SKIP,
            maxpool=True,
            stack_num=FRAMES,
            img_height=SIZE,
            img_width=SIZE,
            grayscale=True,
            use_fire_reset=fire,
            repeat_action_probability=sticky,
            full_action_space=full,
        )
        self.blank = blank
        self.num_envs = slots
        self.single_observation_space = self._emulator.single_observation_space
        self.single_action_space = self._emulator.single_action_space

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        if seed is not None:
            seed = np.asarray(seed)[chosen(options, self.num_envs)]
        seen, info = self._emulator.reset(seed=seed, options=options)
        return self._see(seen), info

    def step_async(self, actions: Array) -> None:
        """Send actions [slots]; `step_wait` answers."""
        self._emulator.send(actions)

    def step_wait(self) -> Answer:
        """The answers to the actions sent."""
        seen, reward, terminated, truncated, info = self._emulator.recv()
        return self._see(seen), reward, terminated, truncated, info

    def _see(self, frames: Pixels) -> Pixels:
        """Frames [slots, S, 84, 84], without what is blank."""
        if self.blank:
            frames = frames.copy()  # what the emulator stacks stays as it is
            frames[:, :, : self.blank] = 0
        self._seen = frames
        return self._seen

    def render(self) -> tuple[Pixels, ...]:
        """For each game its newest frame [84, 84, 3], gray."""
        return tuple(np.repeat(frames[-1, :, :, None], 3, axis=2) for frames in self._seen)

    def close(self, **kwargs: object) -> None:
        self._emulator.close(**kwargs)
