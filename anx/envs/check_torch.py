"""Whether an environment written in torch is what a rollout needs."""

from typing import TypeVar

import torch
from torch import Tensor

from anx.envs.base import TorchEnvironment
from anx.errors import ConfigError
from anx.internal.pytree import tree_leaves, tree_map, tree_structure

State = TypeVar("State")
Step = tuple[State, Tensor, Tensor]

EPISODES = 4
STEPS = 20
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}  # kernels for other shapes round otherwise


def check_torch(env: TorchEnvironment[State]) -> None:
    """Play `EPISODES` episodes for up to `STEPS` steps.

    Raises:
        ConfigError: what is wrong.
    """
    state = check_reset(env)
    for step in range(min(STEPS, env.spec.max_steps)):
        action = some_action(env, step)  # [EPISODES, A]
        check_observation(env, state)
        after = check_step(env, state, action)
        if step in (0, 1):  # some states are still what they were at the start
            check_axes(env, state, action, after)
            check_precision(env, state, action)
        state = after[0]
    check_picture(env, tree_map(lambda x: x[0], state))


def check_reset(env: TorchEnvironment[State]) -> State:
    """The starts: a tensor for each thing, an entry for each episode, the same ones for the same seed."""
    first, again = (env.reset(EPISODES, torch.Generator().manual_seed(1)) for _ in range(2))
    for leaf in tree_leaves(first):
        if not isinstance(leaf, Tensor):
            raise ConfigError(f"reset returns a state with a {type(leaf).__name__} in it; allowed: trees of tensors")
        if leaf.shape[:1] != (EPISODES,):
            raise ConfigError(
                f"reset({EPISODES}, ...) returns a state with a tensor of shape {list(leaf.shape)} in it; "
                f"its first axis must be the {EPISODES} episodes"
            )
        check_finite("reset returns a state", leaf)
    if not same(first, again):
        raise ConfigError("reset returns other starts for the same seed: it must draw from the generator it is given")
    return first


def check_observation(env: TorchEnvironment[State], state: State) -> None:
    """What is observed: as the spec says, and of the state as it is."""
    before = copy(state)
    observation = env.observe(state)
    if not isinstance(observation, Tensor):
        raise ConfigError(f"observe returns a {type(observation).__name__}, not a tensor")
    wanted = (EPISODES, *env.spec.observation_shape)
    if observation.shape != wanted:
        raise ConfigError(
            f"observe returns shape {list(observation.shape)} for {EPISODES} episodes; the spec says {list(wanted)}"
        )
    if not (observation.is_floating_point() or observation.dtype == torch.uint8):
        raise ConfigError(f"observe returns {observation.dtype}; allowed: floats and torch.uint8")
    check_finite("observe returns an observation", observation)
    if not same(before, state):
        raise ConfigError("observe changes its state in place: it must leave it as it is")


def check_step(env: TorchEnvironment[State], state: State, action: Tensor) -> Step:
    """A step: a state of the same form, a reward and an end for each episode; the same ones again."""
    before = copy((state, action))
    answer = env.step(state, action)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise ConfigError("step must return a tuple of three: state, reward, done")
    if not same(before, (state, action)):
        raise ConfigError("step changes its arguments in place: it must leave them as they are")
    after, reward, done = answer
    check_form(state, after)
    for name, each in (("reward", reward), ("done", done)):
        if not isinstance(each, Tensor) or each.shape != (EPISODES,):
            got = list(each.shape) if isinstance(each, Tensor) else type(each).__name__
            raise ConfigError(f"step returns a {name} of shape {got} for {EPISODES} episodes, not [{EPISODES}]")
    if not reward.is_floating_point():
        raise ConfigError(f"step returns a reward of {reward.dtype}, not of floats")
    if done.dtype != torch.bool:
        raise ConfigError(f"step returns a done of {done.dtype}, not of torch.bool")
    check_finite("step returns a reward", reward)
    if not same(answer, env.step(state, action)):
        raise ConfigError("step draws random numbers: the same step came out otherwise; reset may draw them")
    return answer


def check_form(state: State, after: State) -> None:
    """Whether the state after a step is made as the one before it."""
    if tree_structure(after) != tree_structure(state):
        raise ConfigError("step returns a state of another structure than it was given")
    for old, new in zip(tree_leaves(state), tree_leaves(after), strict=True):
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            raise ConfigError(
                f"step returns a state with a tensor of shape {list(new.shape)} and {new.dtype} where it "
                f"was given {list(old.shape)} and {old.dtype}"
            )


def check_axes(env: TorchEnvironment[State], state: State, action: Tensor, after: Step) -> None:
    """Whether a batch of two axes [2, 2], and of none [], is stepped and observed as one of one."""
    expected = (env.observe(state), after)
    for episode in range(EPISODES):
        own, taken = tree_map(lambda x: x[episode], (state, action))  # noqa: B023 (used at once)
        found = in_batch(env, own, taken, "no axis")
        check_alike(tree_map(lambda x: x[episode], expected), found, "no axis")  # noqa: B023
    own, taken = tree_map(lambda x: x.unflatten(0, (2, EPISODES // 2)), (state, action))
    found = in_batch(env, own, taken, "two axes")
    check_alike(tree_map(lambda x: x.unflatten(0, (2, EPISODES // 2)), expected), found, "two axes")


def in_batch(env: TorchEnvironment[State], state: State, action: Tensor, axes: str) -> tuple[Tensor, Step]:
    """What is observed and what a step comes to; ConfigError where that fails."""
    try:
        return env.observe(state), env.step(state, action)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"a batch of {axes} can't be stepped ({line}): index from the last axis") from error


def check_alike(expected: object, found: object, axes: str) -> None:
    """Whether episodes come out as they do in a batch of one axis."""
    for one, other in zip(tree_leaves(expected), tree_leaves(found), strict=True):
        if one.shape != other.shape or not torch.allclose(one.double(), other.double(), **TOLERANCE, equal_nan=True):
            raise ConfigError(
                f"an episode comes out otherwise in a batch of {axes}: no episode may hang on another, "
                "and axes are counted from the last one"
            )


def check_precision(env: TorchEnvironment[State], state: State, action: Tensor) -> None:
    """Whether a state in double precision stays one: agents are evaluated in it."""
    if not any(leaf.is_floating_point() for leaf in tree_leaves(state)):
        return
    own, taken = tree_map(lambda x: x.double() if x.is_floating_point() else x, (state, action))
    observation, (after, reward, _) = in_batch(env, own, taken, "float64")
    check_form(own, after)
    for name, each in (("observe returns", observation), ("step returns a reward of", reward)):
        if each.is_floating_point() and each.dtype != torch.float64:
            raise ConfigError(f"{name} {each.dtype} for a state in torch.float64: it must stay in its precision")


def check_picture(env: TorchEnvironment[State], state: State) -> None:
    """Whether a picture is one."""
    if env.has_pictures:
        picture = env.render(state)
        if picture.dtype != "uint8" or picture.ndim != 3 or picture.shape[2] != 3:
            raise ConfigError(
                f"render returns {picture.dtype} of shape {list(picture.shape)}; wanted is uint8 of shape "
                "[height, width, 3]"
            )


def check_finite(what: str, values: Tensor) -> None:
    """Whether all are numbers."""
    if values.is_floating_point() and not values.isfinite().all():
        raise ConfigError(f"{what} that holds infinite values, or none at all (NaN)")


def some_action(env: TorchEnvironment[State], step: int) -> Tensor:
    """Actions of agents that do anything [EPISODES, A]."""
    generator = torch.Generator().manual_seed(step)
    count = env.spec.action_size
    if env.spec.discrete:
        return torch.eye(count)[torch.randint(count, (EPISODES,), generator=generator)]
    return 2 * torch.rand(EPISODES, count, generator=generator) - 1


def copy(tree: State) -> State:
    """The same in memory of its own."""
    copied: State = tree_map(lambda x: x.clone(), tree)
    return copied


def same(one: object, other: object) -> bool:
    """Whether two trees hold the same numbers."""
    pairs = zip(tree_leaves(one), tree_leaves(other), strict=True)
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)
