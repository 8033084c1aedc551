"""PyBullet's Ant: the observations and rewards of AntBulletEnv-v0, on few calls of the simulator."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from anx.envs.ants import Ants
from anx.envs.extras import without_pybullet
from anx.envs.vector import Info

Array = NDArray[np.float32]

TIME_STEP = 0.0165  # seconds an agent step
SUBSTEPS = 4
TORQUE = 250.0  # of an action of 1
TARGET = 1000.0  # where the ant walks to, along x
PICTURE = 360  # side of a picture, pixels
FALLEN = 0.26  # height of the torso at which an episode ends; its radius is 0.25
JOINTS = tuple(f"{joint} {leg}" for leg in range(1, 5) for joint in ("hip", "ankle"))
INPUTS = (
    *("height", "sin(target)", "cos(target)", "forward speed", "sideways speed", "upward speed", "roll", "pitch"),
    *(f"{joint} {what}" for joint in JOINTS for what in ("angle", "speed")),
    *(f"foot {leg} contact" for leg in range(1, 5)),
)


class Ant(Ants):
    """AntBulletEnv-v0: 28 scalars -> 8 torques (Tang & Ha 2021, section 4.2).

    The simulator is an extra: `pip install anx[ant]`.

    Args:
        max_steps: after which an episode ends.
        training_reward: what training is rewarded for. `progress`, as the authors did: towards the target, less costs,
            nothing for being alive, and no step's is negative. `own`: what evaluations count, AntBulletEnv's.
        processes: that step the ants, never more than there are; 0: one a core.
    """

    inputs, joints, time_step = INPUTS, JOINTS, TIME_STEP

    @property
    def make_one(self) -> Callable[[bool], "AntEnv"]:
        return AntEnv


class AntEnv(gymnasium.Env[Array, Array]):
    """One ant.

    pybullet_envs asks the simulator for each body part and each field of its pose; here one call brings all joints, one
    the links that tell where all others are, and one all contacts. Every episode is what a new environment's first one
    would be.

    Args:
        training: whether the reward is that of progress alone.
    """

    def __init__(self, training: bool = False) -> None:
        try:
            with no_greetings():
                import pybullet
                import pybullet_data

                client = pybullet.connect(pybullet.DIRECT)
        except ImportError:
            raise without_pybullet() from None
        self.training = training
        self.observation_space = Box(-5.0, 5.0, (len(INPUTS),), np.float32)
        self.action_space = Box(-1.0, 1.0, (len(JOINTS),), np.float32)
        self._bullet = pybullet
        self._client = client
        # An ant meets nothing but the boundless floor: a tree that finds who is near whom costs more than it saves.
        pybullet.resetSimulation(pybullet.RESET_USE_SIMPLE_BROADPHASE, client)
        pybullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1, physicsClientId=client)
        pybullet.setGravity(0, 0, -9.8, physicsClientId=client)
        pybullet.setDefaultContactERP(0.9, physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=TIME_STEP, numSolverIterations=5, numSubSteps=SUBSTEPS, physicsClientId=client
        )
        data = pybullet_data.getDataPath()
        (self._ground,) = pybullet.loadSDF(os.path.join(data, "plane_stadium.sdf"), physicsClientId=client)
        pybullet.changeDynamics(self._ground, -1, lateralFriction=0.8, restitution=0.5, physicsClientId=client)
        flags = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_EXCLUDE_ALL_PARENTS
        (self._ant,) = pybullet.loadMJCF(os.path.join(data, "mjcf", "ant.xml"), flags=flags, physicsClientId=client)
        count = pybullet.getNumJoints(self._ant, physicsClientId=client)
        links = [pybullet.getJointInfo(self._ant, i, physicsClientId=client) for i in range(count)]
        self._parts = count + 1
        self._feet = [link[0] for link in links if link[12].endswith(b"_foot")]
        joints = [link for link in links if not link[1].startswith((b"jointfix", b"ignore"))]
        self._joints = [joint[0] for joint in joints]
        self._ends = self._joints[1::2] + self._feet
        self._weights = [1.5] * 4 + [1.0] * 4  # of ankles and feet among a leg's parts
        self._ranges = [(joint[8], 2 / (joint[9] - joint[8])) for joint in joints]
        for link in range(count):
            self._release(link)
        for link in self._joints:  # a frame without a shape touches nothing, but would be tested for it
            pybullet.setCollisionFilterGroupMask(self._ant, link, 0, 0, physicsClientId=client)
        self._start = pybullet.saveState(physicsClientId=client)

    def _release(self, joint: int) -> None:
        """Switch off the motor that PyBullet gives every joint."""
        control = self._bullet.POSITION_CONTROL
        gains = {"positionGain": 0.1, "velocityGain": 0.1, "force": 0}
        self._bullet.setJointMotorControl2(self._ant, joint, control, **gains, physicsClientId=self._client)

    def reset(self, *, seed: int | None = None, options: dict[str, object] | None = None) -> tuple[Array, Info]:
        super().reset(seed=seed)
        bullet, client = self._bullet, self._client
        bullet.restoreState(self._start, physicsClientId=client)
        for joint in self._joints:
            bullet.resetJointState(self._ant, joint, self.np_random.uniform(-0.1, 0.1), 0, physicsClientId=client)
            self._release(joint)
        self._contacts = [0.0] * len(self._feet)
        self._height = bullet.getBasePositionAndOrientation(self._ant, client)[0][2]
        return np.array(self._observe(self._parts), np.float32), {}  # AntBulletEnv's first mean is without the floor

    def step(self, action: Array) -> tuple[Array, float, bool, bool, Info]:
        """Action [8] -> observation [28], reward, terminated, truncated (never), nothing."""
        # Plain floats: after a step of the simulator, every numpy call on eight numbers costs a walk through cold code.
        bullet, client, before = self._bullet, self._client, self._distance
        torques = action.tolist()
        # Most numbers are within bounds, and comparing costs less than two calls; here and in _observe.
        forces = [TORQUE * (value if -1.0 <= value <= 1.0 else min(max(value, -1.0), 1.0)) for value in torques]
        bullet.setJointMotorControlArray(
            self._ant, self._joints, bullet.TORQUE_CONTROL, forces=forces, physicsClientId=client
        )
        bullet.stepSimulation(client)
        sensed = self._observe(self._parts + 1)
        touching = {contact[3] for contact in bullet.getContactPoints(self._ant, self._ground, physicsClientId=client)}
        self._contacts = [float(foot in touching) for foot in self._feet]

        observation = np.array(sensed, np.float32)
        alive = float(observation[0]) + self._height > FALLEN
        reward = (before - self._distance) / TIME_STEP
        for torque, speed, angle in zip(torques, self._speeds, self._angles, strict=True):
            reward -= 0.25 * abs(torque * speed) + 0.0125 * torque * torque
            if not -0.99 <= angle <= 0.99:
                reward -= 0.1
        reward = max(0.0, reward) if self.training else reward + (1.0 if alive else -1.0)
        return observation, reward, not alive or not math.isfinite(sum(sensed)), False, {}

    def _observe(self, parts: int) -> list[float]:
        """What the ant senses [28]; its place is the mean of `parts` body parts, of which the floor lies at 0."""
        bullet, client = self._bullet, self._client
        states = bullet.getJointStates(self._ant, self._joints, client)
        self._angles = [(state[0] - low) * scale - 1 for state, (low, scale) in zip(states, self._ranges, strict=True)]
        self._speeds = [0.1 * state[1] for state in states]
        (x, y, z), orientation = bullet.getBasePositionAndOrientation(self._ant, client)
        (vx, vy, vz), _ = bullet.getBaseVelocity(self._ant, client)
        x, y = self._sum_parts(x, y, vx, vy)
        dx, dy = TARGET - x / parts, -y / parts
        self._distance = math.hypot(dx, dy)
        roll, pitch, yaw = bullet.getEulerFromQuaternion(orientation)
        angle = math.atan2(dy, dx) - yaw
        sin, cos = math.sin(yaw), math.cos(yaw)
        sensed = [z - self._height, math.sin(angle), math.cos(angle)]
        sensed += [0.3 * (cos * vx + sin * vy), 0.3 * (cos * vy - sin * vx), 0.3 * vz, roll, pitch]
        joints = [0.0] * (2 * len(states))
        joints[::2], joints[1::2] = self._angles, self._speeds
        sensed += joints
        return [value if -5.0 <= value <= 5.0 else min(max(value, -5.0), 5.0) for value in sensed] + self._contacts

    def _sum_parts(self, x: float, y: float, vx: float, vy: float) -> tuple[float, float]:
        """The sums of all parts' x and y, by the torso's place and velocity and where the ankles and feet are.

        A part is where its centre of mass is: the five of a leg amid torso and hip, at the hip, amid hip and ankle, at
        the ankle, and in the foot. The torso is amid the four hips, so that legs add up to 10 torsos, 1.5 times the
        ankles, and the feet. PyBullet says where links were before the last substep's move; there goes the torso too.
        """
        back = TIME_STEP / SUBSTEPS
        x, y = x + 10 * (x - back * vx), y + 10 * (y - back * vy)
        links = self._bullet.getLinkStates(self._ant, self._ends, 0, 0, self._client)
        for link, weight in zip(links, self._weights, strict=True):
            x += weight * link[0][0]
            y += weight * link[0][1]
        return x, y

    def render(self) -> NDArray[np.uint8]:
        """The ant from the side and above, [PICTURE, PICTURE, 3]; drawn in software."""
        bullet, client = self._bullet, self._client
        (x, y, _), _ = bullet.getBasePositionAndOrientation(self._ant, client)
        view = bullet.computeViewMatrixFromYawPitchRoll(
            [x, y, 0.5], distance=4, yaw=20, pitch=-25, roll=0, upAxisIndex=2
        )
        projection = bullet.computeProjectionMatrixFOV(fov=45, aspect=1, nearVal=0.1, farVal=50)
        *_, colours, _, _ = bullet.getCameraImage(
            PICTURE, PICTURE, view, projection, renderer=bullet.ER_TINY_RENDERER, physicsClientId=client
        )
        return np.asarray(colours, dtype=np.uint8).reshape(PICTURE, PICTURE, 4)[:, :, :3]

    def close(self) -> None:
        if self._client >= 0:
            self._bullet.disconnect(self._client)
            self._client = -1


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
