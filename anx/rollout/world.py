"""An environment in which one agent plays one episode at a time, step by step, of whatever kind it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from anx.agent.agent import Agent
from anx.envs.base import HostEnvironment, State, TorchEnvironment
from anx.envs.vector import Array, Pixels
from anx.internal.pytree import tree_map
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.population import in_precision_of, with_vector
from anx.rollout.jobs import seeds_of
from anx.rollout.slots import to_space
from anx.rollout.trace import Moment, on_cpu
from anx.spec import Spec, Specified


class World(ABC):
    """One environment, as a single agent meets it."""

    spec: Spec  # what the environment says of itself
    one_sided: tuple[bool, ...] = ()  # which actuators, of those that have bounds, push in one direction only

    @abstractmethod
    def reset(self, seed: int, episode: int = 0, of: int = 1) -> tuple[Tensor, int]:
        """Start the first episode of a rollout's seed, or another one of so many.

        Returns:
            The observation, and the seed of what the perturbations draw in that episode.
        """

    @abstractmethod
    def step(self, action: Tensor) -> tuple[Tensor, Tensor, bool]:
        """Action [A] -> observation, reward [], whether the episode is over; the step limit apart."""

    @abstractmethod
    def picture(self) -> Pixels:
        """What a person sees now, [height, width, 3]."""

    def change_background(self, background: str | None) -> None:
        """Put one of the environment's `backgrounds` behind, None: the one that it came with."""
        raise ValueError(f"background={background} can't be had here: this world has no other")

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Give back what it holds."""


class TorchWorld(World, Generic[State]):
    """An environment written in torch.

    Args:
        env: that environment.
        like: the agent's numbers: it computes on their device and in their precision.
        pictures: it draws when asked, in any case.
    """

    def __init__(self, env: TorchEnvironment[State], like: Tensor, pictures: bool = False) -> None:
        self.env = env
        self.spec = env.spec
        self.like = like

    def reset(self, seed: int, episode: int = 0, of: int = 1) -> tuple[Tensor, int]:
        start = self.env.reset(of, torch.Generator().manual_seed(seed))
        self.state: State = tree_map(lambda x: in_precision_of(self.like, x[episode]), start)
        return self.env.observe(self.state), seed

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, bool]:
        self.state, reward, done = self.env.step(self.state, action)
        return self.env.observe(self.state), reward, bool(done)

    def picture(self) -> Pixels:
        return self.env.render(self.state)


class HostWorld(World):
    """An environment that steps on the CPU.

    Args:
        env: that environment.
        like: the agent's numbers: what is observed goes to their device.
        pictures: whether it draws.
    """

    def __init__(self, env: HostEnvironment, like: Tensor, pictures: bool = False) -> None:
        self.env = env
        self.spec = env.spec
        self.like = like
        self.envs = env.make(1, training=False, pictures=pictures)
        low = np.asarray(getattr(self.envs.single_action_space, "low", ()), dtype=float)  # buttons have none
        self.one_sided = tuple((low.flatten() >= 0).tolist())

    def reset(self, seed: int, episode: int = 0, of: int = 1) -> tuple[Tensor, int]:
        own = seeds_of(seed, [episode])
        answer, _ = self.envs.reset(seed=own.tolist())
        return self._observed(answer), int(own[0])

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, bool]:
        taken = to_space(action.unsqueeze(0), self.envs.single_action_space)
        answer, reward, terminated, truncated, _ = self.envs.step(taken)
        return self._observed(answer), torch.tensor(float(reward[0])), bool(terminated[0] or truncated[0])

    def _observed(self, answer: Array) -> Tensor:
        return torch.from_numpy(answer[0].copy()).to(self.like.device)

    def picture(self) -> Pixels:
        pictures = self.envs.render()
        assert pictures is not None, "environments that are made for pictures render"
        return np.asarray(pictures[0], dtype=np.uint8)

    def change_background(self, background: str | None) -> None:
        self.env.change_background(self.envs, background)

    def close(self) -> None:
        self.envs.close()


def open_world(env: Specified, like: Tensor, pictures: bool = False) -> World:
    """The world of an environment of either kind, which says what plays it."""
    world: Callable[..., World] = {"device": TorchWorld, "host": HostWorld}[env.rollout]
    return world(env, like, pictures)


@torch.inference_mode()
def watch(
    opened: Callable[[], World],
    agent: Agent,
    vector: Tensor,
    seed: int,
    perturbations: Sequence[Perturbation],
    pictures: bool,
) -> Iterator[Moment]:
    """Parameters [D] -> the first episode of `seed` (see `Rollout.watch`), in the world that is opened for it."""
    agent = with_vector(agent, vector)
    with closing(opened()) as world:
        observation, own_seed = world.reset(seed)
        pipeline = Pipeline(agent, perturbations, 1, own_seed)
        sense, reach, prepared = pipeline.batched(0), pipeline.reaching(0, world.spec), agent.prepare()
        state = tree_map(partial(in_precision_of, vector), agent.initial_state(pipeline.num_inputs))
        for t in range(world.spec.max_steps):
            pipeline.draw(t)
            drawn = pipeline.at(torch.tensor(0, device=vector.device))
            inputs = sense(observation, drawn)
            picture = world.picture() if pictures else None
            thought, state = agent.explain(prepared, inputs.to(vector.dtype), state)
            seen, (observation, reward, over) = observation, world.step(reach(thought.action, drawn))
            yield on_cpu(Moment(seen, inputs, pipeline.origins(drawn), *thought, reward, picture))
            if over:
                break
