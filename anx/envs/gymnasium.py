"""Any environment that gymnasium knows by an id."""

import importlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Discrete, flatdim
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from anx.cores import count_cores
from anx.envs.atari import FPS, FRAMES, SIZE, SKIP, Games
from anx.envs.base import HostEnvironment, without_pictures
from anx.envs.extras import missing
from anx.envs.limits import MOST_PROCESSES, MOST_STEPS, check_counts
from anx.envs.spaces import Plain, resting
from anx.envs.vector import Envs
from anx.envs.workers import Workers
from anx.spec import Spec

ATARI = "ALE/"  # what the ids of the Arcade Learning Environment begin with
ATARI_FRAMES = 108_000  # half an hour of play, after which a game is over
OPTIONS = {"repeat_action_probability": "sticky", "full_action_space": "full"}  # of a game: as `Games` has them


class GymnasiumEnv(HostEnvironment):
    """An environment of gymnasium's by its id, one's own, too: `env=gymnasium env.id=my_package:MyEnv-v0`.

    gymnasium imports what stands before the colon, and that registers the id. Observations become scalars or frames,
    actions numbers from -1 to 1 or buttons, see `anx.envs.spaces`. An Atari game, `ALE/Breakout-v5`, is seen as in most
    of the literature, as four stacked gray frames of 84x84, one in four of the console's (Machado et al. 2018).

    Args:
        id: as gymnasium has it.
        max_steps: after which an episode ends; null: the environment's own limit.
        kwargs: of the environment.
        processes: that step the environments (Atari: threads), never more than there are; 0: one a core.

    Raises:
        ValueError: there is no such environment, its spaces are not an agent's, or nothing ends its episodes.
    """

    overlaps = True  # steps while the policy acts for others

    def __init__(
        self,
        id: str,
        max_steps: int | None = None,
        kwargs: dict[str, object] | None = None,
        processes: int = 0,
    ) -> None:
        if max_steps is not None:
            check_counts(1, MOST_STEPS, max_steps=max_steps)
        check_counts(0, MOST_PROCESSES, processes=processes)
        self.id = id
        self.kwargs = {str(name): unwrapped(value) for name, value in (kwargs or {}).items()}
        self.processes = processes
        self.atari = is_atari(id)
        self.entry = find(id)
        if self.atari:
            self.spec = spec_of_game(self.entry, self.kwargs, max_steps)
        else:
            with closing(make_plain(self.entry, self.kwargs, max_steps)) as env:
                self.native = env.env.observation_space, env.env.action_space
                self.spec = spec_of(env, id)
                self.has_pictures = "rgb_array" in env.metadata.get("render_modes", ())

    def make(self, slots: int, training: bool, pictures: bool = False) -> Envs:
        """So many environments side by side. Training changes nothing; those that draw step in this process."""
        if pictures and not self.has_pictures:
            raise without_pictures(f"env.id={self.id}")
        if self.atari:
            game = self.entry.kwargs | self.kwargs
            options = {ours: game[theirs] for theirs, ours in OPTIONS.items()}
            return Games(game["game"], slots, self.processes or count_cores(), self.spec.max_steps, **options)
        make = partial(make_plain, self.entry, self.kwargs, self.spec.max_steps, "rgb_array" if pictures else None)
        if pictures:
            return SyncVectorEnv([make] * slots, autoreset_mode=AutoresetMode.DISABLED)
        return Workers(make, slots, self.processes or count_cores())


def is_atari(id: str) -> bool:
    """Whether it is a game of the Arcade Learning Environment, which registers its games when it is imported."""
    if not id.startswith(ATARI):
        return False
    try:
        import ale_py

        gymnasium.register_envs(ale_py)
    except ImportError:
        raise missing("gymnasium", f"the Arcade Learning Environment for env.id={id}", "atari") from None
    return True


def find(id: str) -> EnvSpec:
    """What is registered as an id, whose package is imported where it names one.

    Raises:
        ValueError: nothing.
    """
    module, colon, name = id.rpartition(":")
    try:
        if colon:
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (ImportError, ValueError, gymnasium.error.Error) as error:
        raise ValueError(f"id={id} is no environment that gymnasium can find ({first_line(error)})") from error


def make_env(
    entry: EnvSpec, kwargs: Mapping[str, Any], max_steps: int | None = None, render_mode: str | None = None
) -> gymnasium.Env:
    """One environment of a registered entry, which holds in every process, as gymnasium makes it.

    Raises:
        ValueError: it can't be made.
    """
    try:
        return gymnasium.make(entry, max_steps, disable_env_checker=True, render_mode=render_mode, **kwargs)
    except (ImportError, TypeError, gymnasium.error.Error) as error:
        given = f" of kwargs={dict(kwargs)}" if kwargs else ""
        raise ValueError(f"id={entry.id} can't be made{given} ({first_line(error)})") from error


def make_plain(
    entry: EnvSpec, kwargs: Mapping[str, object], max_steps: int | None, render_mode: str | None = None
) -> Plain:
    """One environment as agents need it."""
    env = make_env(entry, kwargs, max_steps, render_mode)
    try:
        return Plain(env)
    except ValueError as error:
        env.close()
        raise ValueError(f"id={entry.id}: {error}") from None


def spec_of(env: Plain, id: str) -> Spec:
    """What an environment says of itself."""
    limit = env.spec.max_episode_steps if env.spec else None
    if limit is None:
        raise ValueError(f"max_steps=null: {id} has no limit of its own; allowed: an integer, at least 1")
    actions = env.action_space
    discrete = isinstance(actions, Discrete)
    count = int(actions.n) if isinstance(actions, Discrete) else flatdim(actions)
    fps = env.metadata.get("render_fps")
    return Spec(
        observation_shape=env.observation_space.shape or (),
        actuators=names_of_actions(env, count),
        max_steps=limit,
        discrete=discrete,
        rest=resting(env.env.action_space),
        fps=float(fps) if isinstance(fps, int | float) and fps > 0 else Spec.fps,
    )


def spec_of_game(entry: EnvSpec, kwargs: Mapping[str, object], max_steps: int | None) -> Spec:
    """What a game of Atari's says of itself; its emulator's vector environment takes some of its options."""
    for name, value in kwargs.items():
        if name not in OPTIONS:
            raise ValueError(f"kwargs.{name}={value} is none of a game's; allowed: {', '.join(OPTIONS)}")
    with closing(make_env(entry, kwargs)) as env:
        assert isinstance(env.action_space, Discrete)
        names = names_of_actions(env, int(env.action_space.n))
    return Spec(
        observation_shape=(FRAMES, SIZE, SIZE),
        actuators=names,
        max_steps=max_steps or ATARI_FRAMES // SKIP,
        discrete=True,
        fps=FPS,
    )


def names_of_actions(env: gymnasium.Env, count: int) -> tuple[str, ...]:
    """What the actuators are called, where the environment says so in Atari's way; else their numbers."""
    meanings: Sequence[str] = getattr(env.unwrapped, "get_action_meanings", tuple)()
    return tuple(str(each).lower() for each in meanings) if len(meanings) == count else tuple(map(str, range(count)))


def unwrapped(value: object) -> object:
    """A value from a configuration as plain dicts and lists."""
    if isinstance(value, Mapping):
        return {str(name): unwrapped(each) for name, each in value.items()}
    return [unwrapped(each) for each in value] if hasattr(value, "__iter__") and not isinstance(value, str) else value


def first_line(error: BaseException) -> str:
    """What an error says, as far as it fits a line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
