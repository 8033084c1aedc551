"""MuJoCo's Ant: gymnasium's Ant-v5 without contact forces, on few calls of the simulator."""

import math
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from anx.envs.ant_picture import draw_ant
from anx.envs.ants import Ants
from anx.envs.extras import missing
from anx.envs.vector import Info

Array = NDArray[np.float32]

SUBSTEPS = 5
TIME_STEP = 0.05  # seconds an agent step
HEIGHTS = (0.2, 1.0)  # of the torso, between which the episode goes on
NOISE = 0.1  # of a start: positions uniform within it, speeds normal
TORQUE_COST = 0.5
CONTACT_COST = 5e-4
TORSO = 1  # the body; 0 is the world
LEGS = (1, 2, 3, 4)
INPUTS = (
    *("height", "quaternion w", "quaternion x", "quaternion y", "quaternion z"),
    *(f"{joint} {leg} angle" for leg in LEGS for joint in ("hip", "ankle")),
    *(f"{kind} {axis}" for kind in ("speed", "turn") for axis in "xyz"),
    *(f"{joint} {leg} speed" for leg in LEGS for joint in ("hip", "ankle")),
)
JOINTS = tuple(f"{joint} {leg}" for leg in (4, 1, 2, 3) for joint in ("hip", "ankle"))  # in the model's order


class AntMujoco(Ants):
    """Ant-v5 of gymnasium's: 27 scalars -> 8 torques, as MuJoCo has it (Todorov et al. 2012; Schulman et al. 2016).

    It stands beside the paper's Ant, which is PyBullet's: another body, other observations, other rewards. What it
    senses is neither scaled nor clipped; the 78 contact forces that Ant-v5 adds by default are left out, as in Ant-v4
    and most of the literature: they are 0 for most of the time, and cost three neurons in four.

    The simulator is an extra with wheels for every Python: `pip install anx[mujoco]`.

    Args:
        max_steps: after which an episode ends.
        training_reward: what training is rewarded for. `progress`: the speed along x, less costs, nothing for being
            healthy, and no step's is negative. `own`: what evaluations count, Ant-v5's.
        processes: that step the ants, never more than there are; 0: one a core.
    """

    inputs, joints, time_step = INPUTS, JOINTS, TIME_STEP

    @property
    def make_one(self) -> Callable[[bool], "AntEnv"]:
        return AntEnv


class AntEnv(gymnasium.Env[Array, Array]):
    """One ant.

    Args:
        training: whether the reward is that of progress alone.
    """

    def __init__(self, training: bool = False) -> None:
        try:
            import mujoco
        except ImportError:
            raise missing("ant_mujoco", "MuJoCo", "mujoco") from None
        self.training = training
        self.observation_space = Box(-np.inf, np.inf, (len(INPUTS),), np.float32)
        self.action_space = Box(-1.0, 1.0, (len(JOINTS),), np.float32)
        model = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / "ant.xml"
        self._mujoco = mujoco
        self._model = mujoco.MjModel.from_xml_path(str(model))
        self._data = data = mujoco.MjData(self._model)
        # Views of the simulator's memory: asking it for them at every step would cost as much as a substep.
        self._position, self._speed, self._control = data.qpos, data.qvel, data.ctrl
        self._torso, self._forces = data.xpos[TORSO], data.cfrc_ext
        self._start = data.qpos.copy()

    def reset(self, *, seed: int | None = None, options: dict[str, object] | None = None) -> tuple[Array, Info]:
        super().reset(seed=seed)
        self._mujoco.mj_resetData(self._model, self._data)
        self._position[:] = self._start + self.np_random.uniform(-NOISE, NOISE, len(self._start))
        self._speed[:] = NOISE * self.np_random.standard_normal(len(self._speed))
        self._mujoco.mj_forward(self._model, self._data)
        return self._observe(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, Info]:
        """Action [8] -> observation [27], reward, terminated, truncated (never), nothing."""
        before = float(self._torso[0])
        self._control[:] = action
        self._mujoco.mj_step(self._model, self._data, SUBSTEPS)
        self._mujoco.mj_rnePostConstraint(self._model, self._data)  # which sums up the contacts' forces
        low, high = HEIGHTS
        seen = self._observe()
        healthy = low <= self._position[2] <= high and math.isfinite(float(seen.sum()))
        contacts = np.clip(self._forces, -1.0, 1.0).ravel()
        reward = (float(self._torso[0]) - before) / TIME_STEP
        reward -= TORQUE_COST * float(action @ action) + CONTACT_COST * float(contacts @ contacts)
        reward = max(0.0, reward) if self.training else reward + float(healthy)
        return seen, reward, not healthy, False, {}

    def _observe(self) -> Array:
        """What the ant senses [27]: positions but x and y, and speeds."""
        return np.concatenate((self._position[2:], self._speed)).astype(np.float32)

    def render(self) -> NDArray[np.uint8]:
        """The ant from the side and above."""
        return draw_ant(self._model, self._data)
