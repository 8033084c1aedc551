"""PyBullet's Ant: the observations and rewards of AntBulletEnv-v0, on few calls of the simulator."""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

from anx.envs.workers import Workers

Array = NDArray[np.float32]

TIME_STEP = 0.0165  # seconds an agent step
SUBSTEPS = 4
TORQUE = 250.0  # of an action of 1
TARGET = 1000.0  # where the ant walks to, along x
PICTURE = 360  # side of a picture, pixels
FALLEN = 0.26  # height of the torso at which an episode ends; its radius is 0.25
JOINTS = tuple(f"{joint} {leg}" for leg in range(1, 5) for joint in ("hip", "ankle"))


class Ant:
    """AntBulletEnv-v0: 28 scalars -> 8 torques (Tang & Ha 2021, section 4.2).

    The simulator is an extra: `pip install anx[ant]`.

    Args:
        max_steps: after which an episode ends.
        processes: that step the ants; 0: one a core.
    """

    overlaps = True  # steps while the policy acts for others
    observation_shape = (28,)
    action_size = 8
    discrete = False
    fps = 1 / TIME_STEP
    input_names = (
        *("height", "sin(target)", "cos(target)", "forward speed", "sideways speed", "upward speed", "roll", "pitch"),
        *(f"{joint} {what}" for joint in JOINTS for what in ("angle", "speed")),
        *(f"foot {leg} contact" for leg in range(1, 5)),
    )

    def __init__(self, max_steps: int = 1000, processes: int = 0) -> None:
        if max_steps < 1:
            raise ValueError(f"env.max_steps={max_steps} must be at least 1")
        if processes < 0:
            raise ValueError(f"env.processes={processes} must be at least 0")
        self.max_steps = max_steps
        self.processes = processes

    def make(self, slots: int, training: bool, pictures: bool = False) -> VectorEnv[Any, Any, Any]:
        """`slots` ants side by side; in training their reward leaves out the bonus for being alive, and is never
        negative. Those that draw pictures step in this process."""
        if pictures:
            return SyncVectorEnv([partial(AntEnv, training)] * slots, autoreset_mode=AutoresetMode.DISABLED)
        return Workers(partial(AntEnv, training=training), slots, self.processes or os.cpu_count() or 1)


class AntEnv(gymnasium.Env[Array, Array]):
    """One ant.

    pybullet_envs asks the simulator for each body part and each field of its pose; here one call brings all joints, one
    all links and one all contacts. Every episode is what a new environment's first one would be.

    Args:
        training: the reward of training.
    """

    def __init__(self, training: bool = False) -> None:
        try:
            with no_greetings():
                import pybullet
                import pybullet_data

                client = pybullet.connect(pybullet.DIRECT)
        except ImportError:
            raise ImportError("env=ant needs PyBullet: pip install 'anx[ant]'") from None
        self.training = training
        self.observation_space = Box(-5.0, 5.0, Ant.observation_shape, np.float32)
        self.action_space = Box(-1.0, 1.0, (Ant.action_size,), np.float32)
        self._bullet = pybullet
        self._client = {"physicsClientId": client}
        pybullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1, **self._client)
        pybullet.setGravity(0, 0, -9.8, **self._client)
        pybullet.setDefaultContactERP(0.9, **self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=TIME_STEP, numSolverIterations=5, numSubSteps=SUBSTEPS, **self._client
        )
        data = pybullet_data.getDataPath()
        (self._ground,) = pybullet.loadSDF(os.path.join(data, "plane_stadium.sdf"), **self._client)
        pybullet.changeDynamics(self._ground, -1, lateralFriction=0.8, restitution=0.5, **self._client)
        flags = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_EXCLUDE_ALL_PARENTS
        (self._ant,) = pybullet.loadMJCF(os.path.join(data, "mjcf", "ant.xml"), flags=flags, **self._client)
        count = pybullet.getNumJoints(self._ant, **self._client)
        links = [pybullet.getJointInfo(self._ant, i, **self._client) for i in range(count)]
        self._links = [link[0] for link in links]
        self._feet = [link[0] for link in links if link[12].endswith(b"_foot")]
        joints = [link for link in links if not link[1].startswith((b"jointfix", b"ignore"))]
        self._joints = [joint[0] for joint in joints]
        self._ranges = [(joint[8], joint[9] - joint[8]) for joint in joints]
        for link in self._links:
            self._release(link)
        self._start = pybullet.saveState(**self._client)

    def _release(self, joint: int) -> None:
        """Switch off the motor that PyBullet gives every joint."""
        control = self._bullet.POSITION_CONTROL
        gains = {"positionGain": 0.1, "velocityGain": 0.1, "force": 0}
        self._bullet.setJointMotorControl2(self._ant, joint, control, **gains, **self._client)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self._bullet.restoreState(self._start, **self._client)
        for joint in self._joints:
            self._bullet.resetJointState(self._ant, joint, self.np_random.uniform(-0.1, 0.1), 0, **self._client)
            self._release(joint)
        self._contacts = [0.0] * len(self._feet)
        self._height = self._bullet.getBasePositionAndOrientation(self._ant, **self._client)[0][2]
        return self._observe(len(self._links) + 1), {}  # AntBulletEnv's first mean is without the floor

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Action [8] -> observation [28], reward, terminated, truncated (never), nothing."""
        # Plain floats: after a step of the simulator, every numpy call on eight numbers costs a walk through cold code.
        bullet, before = self._bullet, self._distance
        torques = action.tolist()
        bullet.setJointMotorControlArray(
            self._ant,
            self._joints,
            bullet.TORQUE_CONTROL,
            forces=[TORQUE * min(max(torque, -1.0), 1.0) for torque in torques],
            **self._client,
        )
        bullet.stepSimulation(**self._client)
        observation = self._observe(len(self._links) + 2)
        touching = {contact[3] for contact in bullet.getContactPoints(self._ant, self._ground, **self._client)}
        self._contacts = [float(foot in touching) for foot in self._feet]

        alive = float(observation[0]) + self._height > FALLEN
        reward = (before - self._distance) / TIME_STEP
        for torque, speed, angle in zip(torques, self._speeds, self._angles, strict=True):
            reward -= (2.0 * abs(torque * speed) + 0.1 * torque * torque) / len(torques)
            if abs(angle) > 0.99:
                reward -= 0.1
        reward = max(0.0, reward) if self.training else reward + (1.0 if alive else -1.0)
        return observation, reward, not alive or not math.isfinite(sum(observation.tolist())), False, {}

    def _observe(self, parts: int) -> Array:
        """What the ant senses [28]; its place is the mean of `parts` body parts, of which the floor lies at 0."""
        bullet, client = self._bullet, self._client
        states = bullet.getJointStates(self._ant, self._joints, **client)
        self._angles = [
            2 * (state[0] - low) / span - 1 for state, (low, span) in zip(states, self._ranges, strict=True)
        ]
        self._speeds = [0.1 * state[1] for state in states]
        (x, y, z), orientation = bullet.getBasePositionAndOrientation(self._ant, **client)
        (vx, vy, vz), _ = bullet.getBaseVelocity(self._ant, **client)
        for link in bullet.getLinkStates(self._ant, self._links, **client):
            x += link[0][0]
            y += link[0][1]
        dx, dy = TARGET - x / parts, -y / parts
        self._distance = math.hypot(dx, dy)
        roll, pitch, yaw = bullet.getEulerFromQuaternion(orientation)
        angle = math.atan2(dy, dx) - yaw
        sin, cos = math.sin(yaw), math.cos(yaw)
        sensed = [z - self._height, math.sin(angle), math.cos(angle)]
        sensed += [0.3 * (cos * vx + sin * vy), 0.3 * (cos * vy - sin * vx), 0.3 * vz, roll, pitch]
        for pair in zip(self._angles, self._speeds, strict=True):
            sensed += pair
        return np.array([min(max(value, -5.0), 5.0) for value in sensed] + self._contacts, dtype=np.float32)

    def render(self) -> NDArray[np.uint8]:
        """The ant from the side and above, [PICTURE, PICTURE, 3]; drawn in software."""
        bullet, client = self._bullet, self._client
        (x, y, _), _ = bullet.getBasePositionAndOrientation(self._ant, **client)
        view = bullet.computeViewMatrixFromYawPitchRoll(
            [x, y, 0.5], distance=4, yaw=20, pitch=-25, roll=0, upAxisIndex=2
        )
        projection = bullet.computeProjectionMatrixFOV(fov=45, aspect=1, nearVal=0.1, farVal=50)
        *_, colours, _, _ = bullet.getCameraImage(
            PICTURE, PICTURE, view, projection, renderer=bullet.ER_TINY_RENDERER, **client
        )
        return np.asarray(colours, dtype=np.uint8).reshape(PICTURE, PICTURE, 4)[:, :, :3]

    def close(self) -> None:
        if self._client is not None:
            self._bullet.disconnect(**self._client)
            self._client = None  # type: ignore[assignment]


@contextmanager
def no_greetings() -> Iterator[None]:
    """PyBullet, written in C, greets on the process's standard output and error."""
    streams = (1, 2)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(stream) for stream in streams]
    try:
        with open(os.devnull, "w") as nowhere:
            for stream in streams:
                os.dup2(nowhere.fileno(), stream)
        yield
    finally:
        for stream, own in zip(streams, saved, strict=True):
            os.dup2(own, stream)
            os.close(own)
