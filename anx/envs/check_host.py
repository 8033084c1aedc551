"""Whether an environment that steps on the CPU is what a rollout needs."""

from contextlib import closing
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from anx.envs.base import HostEnvironment
from anx.envs.spaces import brief, check_bounds
from anx.envs.vector import Array, Envs, Flags, Rewards
from anx.errors import ConfigError
from anx.spec import Spec

SLOTS = 3
SEEDS = [1, 2, 1]  # two slots play the same episode
STEPS = 20
MOST_STEPS = 1000  # that are played to see an episode end


class Played(NamedTuple):
    """What some steps came to."""

    observations: list[Array]  # [slots, ...] each, the first one of the reset
    rewards: list[Rewards]  # [slots] each
    ends: list[Flags]  # [slots] each, terminated or truncated


def check_host(env: HostEnvironment) -> None:
    """Play `SLOTS` episodes side by side.

    Raises:
        ConfigError: what is wrong.
    """
    for training in (True, False):
        with closing(env.make(SLOTS, training)) as envs:
            if envs.num_envs != SLOTS:
                raise ConfigError(f"make({SLOTS}, ...) makes {envs.num_envs} environments, not {SLOTS}")
            if env.overlaps and not (hasattr(envs, "step_async") and hasattr(envs, "step_wait")):
                raise ConfigError("overlaps is true, but what make returns has no step_async and step_wait")
            check_actions(env.spec, envs)
    with closing(env.make(SLOTS, False)) as envs:
        first = play(env.spec, envs, SEEDS)
        check_seeds(first, play(env.spec, envs, SEEDS))
        check_mask(env.spec, envs)
        check_end(env.spec, envs)
    if env.has_pictures:
        check_pictures(env)


def check_actions(spec: Spec, envs: Envs) -> None:
    """Whether the space of actions is that of the spec's actuators."""
    space, count = envs.single_action_space, spec.action_size
    if spec.discrete != isinstance(space, Discrete):
        kind = "Discrete" if spec.discrete else "a Box"
        raise ConfigError(f"spec.discrete={spec.discrete}, but actions are {brief(space)}, not {kind}")
    if isinstance(space, Discrete):
        if space.n != count:
            raise ConfigError(f"spec.actuators names {count} buttons, but actions are {brief(space)}")
        return
    if not isinstance(space, Box) or space.shape != (count,):
        raise ConfigError(f"spec.actuators names {count}, but actions are {brief(space)}, not of shape ({count},)")
    try:
        check_bounds(space)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def play(spec: Spec, envs: Envs, seeds: list[int], steps: int = STEPS) -> Played:
    """Reset all slots and play up to so many steps, the same actions in all slots; each answer is checked."""
    answer = envs.reset(seed=seeds)  # type: ignore[arg-type]  # gymnasium's is said to be an int
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ConfigError("reset must return a tuple of two: observations, info")
    played = Played([check_observations(spec, "reset", answer[0])], [], [])
    for step in range(min(steps, spec.max_steps)):
        add_step(spec, envs, step, played)
    return played


def add_step(spec: Spec, envs: Envs, step: int, played: Played) -> None:
    """One more step of all slots."""
    answer = envs.step(some_actions(envs, step))
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise ConfigError("step must return a tuple of five: observations, rewards, terminated, truncated, info")
    observations, rewards, terminated, truncated, _ = answer
    played.observations.append(check_observations(spec, "step", observations))
    for name, each in (("rewards", rewards), ("terminated", terminated), ("truncated", truncated)):
        if not isinstance(each, np.ndarray) or each.shape != (SLOTS,):
            got = list(each.shape) if isinstance(each, np.ndarray) else type(each).__name__
            raise ConfigError(f"step returns {name} of shape {got} for {SLOTS} slots, not [{SLOTS}]")
    for name, each in (("terminated", terminated), ("truncated", truncated)):
        if each.dtype != np.bool_:
            raise ConfigError(f"step returns {name} of {each.dtype}, not of bool")
    if not np.isfinite(rewards.astype(np.float64)).all():
        raise ConfigError("step returns rewards that are infinite or not a number")
    played.rewards.append(rewards.astype(np.float64))
    played.ends.append(np.logical_or(terminated, truncated))


def check_observations(spec: Spec, method: str, observations: object) -> Array:
    """Whether they are as the spec says; returns a copy."""
    wanted = (SLOTS, *spec.observation_shape)
    if not isinstance(observations, np.ndarray):
        raise ConfigError(f"{method} returns observations in a {type(observations).__name__}, not in an array")
    if observations.shape != wanted:
        raise ConfigError(
            f"{method} returns observations of shape {list(observations.shape)}; the spec says {list(wanted)}"
        )
    if observations.dtype not in (np.uint8, np.float32, np.float64):
        raise ConfigError(f"{method} returns observations of {observations.dtype}; allowed: float32, float64 and uint8")
    if not np.isfinite(observations).all():
        raise ConfigError(f"{method} returns observations that are infinite or not a number")
    return observations.copy()


def check_seeds(one: Played, other: Played) -> None:
    """Whether the same seed is the same episode, in whatever slot, and again."""
    running = np.ones(SLOTS, dtype=bool)
    for step, (seen, again) in enumerate(zip(one.observations, other.observations, strict=True)):
        where = f"at step {step}" if step else "at its start"
        if not np.array_equal(seen[running], again[running]):
            raise ConfigError(f"the same seed is another episode when it is played again, {where}")
        if running[0] and running[2] and not np.array_equal(seen[0], seen[2]):
            raise ConfigError(f"the same seed is another episode in another slot, {where}")
        if step and not np.array_equal(one.rewards[step - 1][running], other.rewards[step - 1][running]):
            raise ConfigError(f"the same seed pays another reward when it is played again, {where}")
        if step:
            running &= ~one.ends[step - 1]


def check_mask(spec: Spec, envs: Envs) -> None:
    """Whether only the slots of a `reset_mask` are reset."""
    before = play(spec, envs, SEEDS, steps=1)
    if np.any(before.ends):
        return  # what has ended may look like anything
    mask = np.array([False, True, False])
    observations, _ = envs.reset(seed=[7, 1, 7], options={"reset_mask": mask})  # type: ignore[arg-type]
    after = check_observations(spec, "reset", observations)
    if not np.array_equal(after[~mask], before.observations[-1][~mask]):
        raise ConfigError('reset(options={"reset_mask": ...}) changes slots that are not in its mask')
    if not np.array_equal(after[1], before.observations[0][0]):
        raise ConfigError('reset(options={"reset_mask": ...}) does not start the chosen slot from its own seed')


def check_end(spec: Spec, envs: Envs) -> None:
    """Whether a slot whose episode has ended plays the one that it is reset to, and no other."""
    played = play(spec, envs, SEEDS, steps=1)
    step = 1
    while not played.ends[-1].any() and step < min(spec.max_steps, MOST_STEPS):
        add_step(spec, envs, step, played)
        step += 1
    if not played.ends[-1].any():
        return
    envs.reset(seed=SEEDS, options={"reset_mask": np.ones(SLOTS, dtype=bool)})  # type: ignore[arg-type]
    again = Played([], [], [])
    add_step(spec, envs, 0, again)
    if not np.array_equal(again.observations[0], played.observations[1]):
        raise ConfigError(
            "after an episode's end, the first step after its reset is not that of a new episode: it must "
            "not reset itself"
        )


def check_pictures(env: HostEnvironment) -> None:
    """Whether a person can see something."""
    with closing(env.make(1, False, pictures=True)) as envs:
        envs.reset(seed=[1])  # type: ignore[arg-type]
        pictures = envs.render()
        picture = np.asarray(pictures[0]) if pictures else None
    if picture is None or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        got = "nothing" if picture is None else f"{picture.dtype} of shape {list(picture.shape)}"
        raise ConfigError(
            f"render returns {got}; wanted is uint8 [height, width, 3] for each slot; where there are no "
            "pictures, say has_pictures = False"
        )


def some_actions(envs: Envs, step: int) -> Array:
    """The same action, of an agent that does anything, in every slot [SLOTS, ...]."""
    envs.single_action_space.seed(step)
    return np.stack([envs.single_action_space.sample()] * SLOTS)
