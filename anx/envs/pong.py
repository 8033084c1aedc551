"""Atari Pong in the Arcade Learning Environment, preprocessed as in the paper."""

import numpy as np

from anx.cores import count_cores
from anx.envs.atari import FPS, FRAMES, SIZE, Games
from anx.envs.base import HostEnvironment
from anx.envs.consoles import ReadableGames
from anx.envs.extras import missing
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.vector import Answer, Info, Options, Pixels, Seeds, chosen
from anx.spec import Spec

SCORE = 10  # rows of a frame in which the score stands
WON = 21  # points at which the console ends a game


class GamesTo(Games):
    """Games of Pong that end when one side has so many points.

    The console begins anew by itself only after 21: who asks for fewer resets a game that has ended.

    Args:
        points: at most the console's own 21.
        slots: games side by side.
        threads, max_steps, blank: as `Games` has them.
    """

    def __init__(self, points: int, slots: int, threads: int, max_steps: int, blank: int) -> None:
        super().__init__("pong", slots, threads, max_steps, fire=True, blank=blank)
        self.points = points
        self._made = np.zeros((2, slots), dtype=np.int64)  # points, by the agent and by the enemy

    def reset(self, *, seed: Seeds = None, options: Options = None) -> tuple[Pixels, Info]:
        self._made[:, chosen(options, self.num_envs)] = 0
        return super().reset(seed=seed, options=options)

    def step_wait(self) -> Answer:
        seen, reward, terminated, truncated, info = super().step_wait()
        self._made += np.stack([reward > 0, reward < 0])  # a point at a time
        over = terminated | (self._made >= self.points).any(axis=0)
        self._made[:, terminated | truncated] = 0  # the console begins that one anew
        return seen, reward, over, truncated, info


class Pong(HostEnvironment):
    """PongNoFrameskip-v4: up to 30 no-ops and fire at reset, frame skip 4 with a maximum over the last two frames, four
    84x84 gray frames stacked (Tang & Ha 2021, section 4.3).

    The emulator is an extra: `pip install anx[atari]`.

    Args:
        max_steps: agent steps of four frames after which an episode ends.
        threads: of the emulator, never more than there are games; 0: one a core.
        score: whether the score is seen; else the 10 rows in which it stands are 0.
        points: of one side, at which an episode ends. Fewer than the console's 21 are a fitness for less: who makes
            points by one stroke again and again has shown so soon.
    """

    overlaps = True  # steps while the policy acts for others
    stacks = True

    def __init__(self, max_steps: int = 27000, threads: int = 0, *, score: bool = True, points: int = WON) -> None:
        check_counts(1, MOST_STEPS, max_steps=max_steps)
        check_counts(0, MOST_PROCESSES, threads=threads)
        check_counts(1, WON, points=points)
        self.spec = Spec(
            observation_shape=(FRAMES, SIZE, SIZE),
            actuators=("noop", "fire", "right", "left", "right and fire", "left and fire"),
            discrete=True,
            max_steps=max_steps,
            fps=FPS,
        )
        self.threads = threads
        self.blank = 0 if score else SCORE
        self.points = points

    def make(self, slots: int, training: bool = False, pictures: bool = False) -> Games:
        """`slots` games side by side; a game that has ended is reset before its next step. Training changes nothing;
        pictures are the newest of the frames that the agent sees."""
        threads = self.threads or count_cores()  # the emulator's own 0 is every core of the machine
        try:
            return GamesTo(self.points, slots, threads, self.spec.max_steps, self.blank)
        except ImportError:
            raise missing("pong", "the Arcade Learning Environment", "atari") from None

    def make_readable(self, slots: int) -> ReadableGames:
        return ReadableGames(self.make(slots), "pong")
