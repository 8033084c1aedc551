"""What is driven, and by which simulator."""

from functools import partial
from importlib.util import find_spec
from typing import Literal, cast

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from PIL import Image

from anx.cores import count_cores
from anx.envs.base import HostEnvironment
from anx.envs.car_racing.cars import Cars
from anx.envs.car_racing.envpool import EnvPoolCars
from anx.envs.car_racing.look import SIZE, Look, read_picture, shipped_backgrounds
from anx.envs.extras import missing
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.vector import AtOnce, Envs, SplitStep
from anx.envs.workers import Make, Workers
from anx.spec import Spec

MOST_FRAMES = 100  # stacked


class CarRacing(HostEnvironment):
    """CarRacing-v3: four gray frames of 96x96 without the indicators -> steering, gas, brake (Tang & Ha 2021, section
    4.3). EnvPool's reproduces the authors' agents and is fast; gymnasium's takes its place where EnvPool has no wheel.

    The simulators are an extra: `pip install anx[car-racing]`.

    Args:
        max_steps: after which an episode ends.
        frames: stacked, the oldest first.
        colour: frames in colour, with the indicators: what AttentionAgent sees (Tang, Nguyen & Ha 2020).
        background: a picture that takes the place of the grass: a file, or the name of one that comes along (clouds,
            hills, mosaic, stripes); null: grass.
        patience: in training, steps of negative reward in a row that end an episode.
        simulator: `envpool`, `gymnasium`, or `auto`: the first that is installed.
        processes: that step gymnasium's cars, never more than there are; 0: one a core.
    """

    overlaps = True  # steps while the policy acts for others

    def __init__(
        self,
        max_steps: int = 1000,
        *,
        frames: int = 4,
        colour: bool = False,
        background: str | None = None,
        patience: int = 20,
        simulator: Literal["auto", "envpool", "gymnasium"] = "auto",
        processes: int = 0,
    ) -> None:
        check_counts(1, MOST_STEPS, max_steps=max_steps, patience=patience)
        check_counts(1, MOST_FRAMES, frames=frames)
        check_counts(0, MOST_PROCESSES, processes=processes)
        if simulator not in ("auto", "envpool", "gymnasium"):
            raise ValueError(f"simulator={simulator} is not one of auto, envpool, gymnasium")
        self.frames = frames
        self.colour = colour
        self.background = read_picture(background) if background is not None else None
        self.backgrounds = shipped_backgrounds()
        self.patience = patience
        self.simulator = simulator
        self.processes = processes
        self.spec = Spec(
            observation_shape=(frames * (3 if colour else 1), SIZE, SIZE),
            actuators=("steering", "gas", "brake"),
            max_steps=max_steps,
            fps=50,
            rest=(0.0, -1.0, -1.0),
        )

    def make(self, slots: int, training: bool, pictures: bool = False) -> Cars:
        """`slots` cars side by side, each on a track of its own; in training their patience is limited."""
        patience = self.patience if training else None
        return Cars(self._make_simulators(slots, pictures), self._look(self.background), patience)

    def change_background(self, envs: Envs, background: str | None) -> None:
        cast(Cars, envs).look = self._look(self.background if background is None else read_picture(background))

    def _look(self, background: Image.Image | None) -> Look:
        return Look(self.frames, self.colour, background)

    def _make_simulators(self, slots: int, pictures: bool) -> SplitStep:
        chosen = self.simulator
        if chosen == "auto":
            chosen = "envpool" if find_spec("envpool") else "gymnasium"
        needs = {"envpool": "envpool", "gymnasium": "Box2D"}[chosen]
        if not find_spec(needs):
            raise missing("car_racing", needs, "car-racing")
        if chosen == "envpool":
            return EnvPoolCars(slots, self.spec.max_steps, pictures)
        make: Make = partial(
            gymnasium.make,
            "CarRacing-v3",
            max_episode_steps=self.spec.max_steps,
            render_mode="rgb_array" if pictures else None,
        )
        if pictures:
            return AtOnce(SyncVectorEnv([make] * slots, autoreset_mode=AutoresetMode.DISABLED))
        return Workers(make, slots, self.processes or count_cores())
