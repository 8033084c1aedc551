"""Cars as an agent sees them, side by side."""

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from anx.envs.car_racing.look import SIZE, Look
from anx.envs.vector import Answer, Array, Info, Options, Pixels, Seeds, SplitStep, chosen


class Cars(SplitStep):
    """Cars seen through a `Look`, whose training can end early.

    Args:
        simulators: give pictures [slots, 96, 96, 3].
        look: what becomes of the pictures.
        patience: steps of negative reward in a row that end an episode; None: no such end.
    """

    def __init__(self, simulators: SplitStep, look: Look, patience: int | None) -> None:
        self.simulators = simulators
        self.look = look
        self.patience = patience
        self.num_envs = simulators.num_envs
        self.single_action_space = simulators.single_action_space
        self.action_space = simulators.action_space
        channels = look.frames * (3 if look.colour else 1)
        self.single_observation_space = Box(0, 255, (channels, SIZE, SIZE), np.uint8)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._stack = np.zeros((self.num_envs, channels, SIZE, SIZE), dtype=np.uint8)
        self._unhappy = np.zeros(self.num_envs, dtype=np.int64)  # steps of negative reward in a row

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed; a first frame fills its stack."""
        mask = chosen(options, self.num_envs)
        pictures, info = self.simulators.reset(seed=seed, options=options)
        first = self.look.frame(pictures[mask].astype(np.uint8, copy=False))
        self._stack[mask] = np.tile(first, (1, self.look.frames, 1, 1))
        self._unhappy[mask] = 0
        return self._stack, info

    def step_async(self, actions: Array) -> None:
        """Send actions [slots, 3]; `step_wait` answers."""
        self.simulators.step_async(actions)

    def step_wait(self) -> Answer:
        """The answers to the actions sent; see `step`."""
        pictures, reward, terminated, truncated, info = self.simulators.step_wait()
        frame = self.look.frame(pictures.astype(np.uint8, copy=False))
        self._stack[:, : -frame.shape[1]] = self._stack[:, frame.shape[1] :]
        self._stack[:, -frame.shape[1] :] = frame
        if self.patience is not None:
            self._unhappy = np.where(reward < 0, self._unhappy + 1, 0)
            truncated = truncated | (self._unhappy >= self.patience)
        return self._stack, reward, terminated, truncated, info

    def render(self) -> tuple[Pixels, ...] | None:
        """For each car what a person sees, [400, 600, 3]."""
        return tuple(self.look.picture(np.asarray(picture)) for picture in self.simulators.render() or ())

    def close(self, **kwargs: object) -> None:
        self.simulators.close(**kwargs)
