"""CarRacing from above, preprocessed as in the paper."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from anx.cores import count_cores
from anx.envs.extras import missing
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.workers import Workers
from anx.spec import Spec

Pixels = NDArray[np.uint8]

SIZE = 96  # side of an observation, pixels
MOST_FRAMES = 100  # stacked
INDICATORS = 12  # rows at the bottom that show speed, steering and brakes
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # of backgrounds; Pillow's others may start programs
BACKGROUNDS = Path(__file__).parent / "backgrounds"


class CarRacing:
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

    rollout = "host"
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
            raise ValueError(f"env.simulator={simulator} is not one of auto, envpool, gymnasium")
        self.frames = frames
        self.colour = colour
        self.background = read_picture(background) if background is not None else None
        self.patience = patience
        self.simulator = simulator
        self.processes = processes
        self.spec = Spec(
            observation_shape=(frames * (3 if colour else 1), SIZE, SIZE),
            actuators=("steering", "gas", "brake"),
            max_steps=max_steps,
            fps=50,
        )

    def make(self, slots: int, training: bool, pictures: bool = False) -> VectorEnv[Any, Any, Any]:
        """`slots` cars side by side, each on a track of its own; in training their patience is limited."""
        look = Look(self.frames, self.colour, self.background)
        return Cars(self._make_simulators(slots, pictures), look, self.patience if training else None)

    def _make_simulators(self, slots: int, pictures: bool) -> VectorEnv[Any, Any, Any]:
        chosen = self.simulator
        if chosen == "auto":
            chosen = "envpool" if find_spec("envpool") else "gymnasium"
        needs = {"envpool": "envpool", "gymnasium": "Box2D"}[chosen]
        if not find_spec(needs):
            raise missing("car_racing", needs, "car-racing")
        if chosen == "envpool":
            return EnvPoolCars(slots, self.spec.max_steps, pictures)
        make: Callable[[], Any] = partial(
            gymnasium.make,
            "CarRacing-v3",
            max_episode_steps=self.spec.max_steps,
            render_mode="rgb_array" if pictures else None,
        )
        if pictures:
            return SyncVectorEnv([make] * slots, autoreset_mode=AutoresetMode.DISABLED)
        return Workers(make, slots, self.processes or count_cores())


class Look:
    """What an agent gets to see of a simulator's pictures.

    Args:
        frames: S, stacked.
        colour: RGB, [3 S, 96, 96]; else gray without the indicators, [S, 96, 96].
        background: picture in the place of the grass.
    """

    def __init__(self, frames: int, colour: bool, background: Image.Image | None) -> None:
        self.frames = frames
        self.colour = colour
        self._picture = background
        self.background = None if background is None else fit(background, SIZE, SIZE)

    def frame(self, pictures: Pixels) -> Pixels:
        """Pictures [B, 96, 96, 3] -> one frame each, [B, 1 or 3, 96, 96]."""
        if self.background is not None:
            pictures = replace_grass(pictures, self.background)
        if self.colour:
            return pictures.transpose(0, 3, 1, 2)
        # ITU-R BT.601 in 14 bits, the rounding of the usual conversion
        gray = (pictures @ np.array([4899, 9617, 1868], np.uint32) + 8192) >> 14
        gray[:, -INDICATORS:] = 0
        return gray[:, None].astype(np.uint8)

    def picture(self, picture: Pixels) -> Pixels:
        """What a person sees [height, width, 3] -> the same, with the background."""
        if self._picture is None:
            return picture
        return replace_grass(picture, fit(self._picture, *picture.shape[1::-1]))


class Cars(VectorEnv[Any, Any, Any]):
    """Cars seen through a `Look`, whose training can end early.

    Args:
        simulators: give pictures [slots, 96, 96, 3].
        look: what becomes of the pictures.
        patience: steps of negative reward in a row that end an episode; None: no such end.
    """

    def __init__(self, simulators: Any, look: Look, patience: int | None) -> None:
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

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed; a first frame fills its stack."""
        mask = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        pictures, info = self.simulators.reset(seed=seed, options=options)
        self._stack[mask] = np.tile(self.look.frame(pictures[mask]), (1, self.look.frames, 1, 1))
        self._unhappy[mask] = 0
        return self._stack, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Actions [slots, 3] -> observations [slots, ...], rewards, terminated, truncated, each [slots], info."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Any) -> None:
        """Send actions [slots, 3]; `step_wait` answers."""
        if hasattr(self.simulators, "step_async"):
            self.simulators.step_async(actions)
        else:
            self._sent = actions

    def step_wait(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The answers to the actions sent; see `step`."""
        overlaps = hasattr(self.simulators, "step_async")
        pictures, reward, terminated, truncated, info = (
            self.simulators.step_wait() if overlaps else self.simulators.step(self._sent)
        )
        frame = self.look.frame(pictures)
        self._stack[:, : -frame.shape[1]] = self._stack[:, frame.shape[1] :]
        self._stack[:, -frame.shape[1] :] = frame
        if self.patience is not None:
            self._unhappy = np.where(reward < 0, self._unhappy + 1, 0)
            truncated = truncated | (self._unhappy >= self.patience)
        return self._stack, reward, terminated, truncated, info

    def render(self) -> Any:
        """For each car what a person sees, [400, 600, 3]."""
        return tuple(self.look.picture(np.asarray(picture)) for picture in self.simulators.render())

    def close(self, **kwargs: Any) -> None:
        self.simulators.close(**kwargs)


class EnvPoolCars(VectorEnv[Any, Any, Any]):
    """EnvPool's CarRacing-v3, which takes seeds only when it is made: every episode has a pool of one of its own, with
    a thread that steps it. A pool costs 2 ms. A car whose episode has ended stands still until it is reset.

    Args:
        slots: cars.
        max_steps: after which the simulator itself ends an episode.
        pictures: whether it renders.
    """

    def __init__(self, slots: int, max_steps: int, pictures: bool) -> None:
        self.num_envs = slots
        self.max_steps = max_steps
        self.render_mode = "rgb_array" if pictures else None
        self._pools: list[Any] = [None] * slots  # until the first reset
        self.single_action_space = Box(np.array([-1, 0, 0], np.float32), np.ones(3, np.float32))
        self.single_observation_space = Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.action_space = batch_space(self.single_action_space, slots)
        self.observation_space = batch_space(self.single_observation_space, slots)
        self._pictures = np.zeros((slots, SIZE, SIZE, 3), dtype=np.uint8)
        self._ended = np.ones(slots, dtype=bool)

    def _make_pool(self, seed: int) -> Any:
        import envpool

        return envpool.make(
            "CarRacing-v3",
            env_type="gymnasium",
            num_envs=1,
            num_threads=1,
            seed=seed,
            max_episode_steps=self.max_steps,
            render_mode=self.render_mode,
        )

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the slots of `options["reset_mask"]`, or all, each to its own seed."""
        mask = options["reset_mask"] if options else np.ones(self.num_envs, dtype=bool)
        chosen = np.flatnonzero(mask)
        for slot in chosen:
            if self._pools[slot] is not None:
                self._pools[slot].close()
            self._pools[slot] = self._make_pool(int(seed[slot]))
        for slot in chosen:
            self._pictures[slot] = self._pools[slot].reset()[0][0]
        self._ended[mask] = False
        return self._pictures, {}

    def step_async(self, actions: Any) -> None:
        """Send actions [slots, 3]; `step_wait` answers."""
        self._sent = np.flatnonzero(~self._ended)
        for slot in self._sent:
            self._pools[slot].send(actions[slot : slot + 1].astype(np.float32))

    def step_wait(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Pictures [slots, 96, 96, 3], rewards, terminated, truncated, each [slots], nothing."""
        reward = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=bool)
        for slot in self._sent:
            (self._pictures[slot],), (reward[slot],), (terminated[slot],), (truncated[slot],), _ = self._pools[
                slot
            ].recv()
        self._ended |= terminated | truncated
        return self._pictures, reward, terminated, truncated, {}

    def render(self) -> tuple[Any, ...]:
        """For each car what a person sees, [400, 600, 3]."""
        return tuple(pool.render()[0] for pool in self._pools)

    def close(self, **kwargs: Any) -> None:
        for pool in filter(None, self._pools):
            pool.close()


def replace_grass(pictures: Pixels, background: Pixels) -> Pixels:
    """Pictures [..., height, width, 3] with the two greens of the grass replaced by a background [height, width, 3]."""
    red, green, blue = np.moveaxis(pictures, -1, 0)
    lighter = green - red
    # (102, 204, 102) and (102, 230, 102); gymnasium draws both two levels darker
    grass = ((red == 102) | (red == 100)) & (blue == red) & ((lighter == 102) | (lighter == 128))
    return np.where(grass[..., None], background, pictures)


def fit(picture: Image.Image, width: int, height: int) -> Pixels:
    """A picture as pixels [height, width, 3]."""
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def read_picture(background: str) -> Image.Image:
    """A picture file, or one that comes along, by its name."""
    shipped = sorted(path.stem for path in BACKGROUNDS.glob("*.png"))
    path = BACKGROUNDS / f"{background}.png" if background in shipped else Path(background)
    try:
        if not path.is_file():  # a pipe would be waited for
            raise FileNotFoundError(path)
        return Image.open(path, formats=FORMATS).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        raise ValueError(
            f"env.background={background} is neither a picture file nor one of {', '.join(shipped)}"
        ) from None
