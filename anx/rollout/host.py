"""The rollout for environments that step on the CPU: slots that take one (candidate, episode) job after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor
from torch.utils._pytree import tree_map

from anx.agent.agent import Agent
from anx.envs.perturbations import Perturbation
from anx.population import prepare, set_vector, unflatten, vectorise
from anx.rollout.base import Episodes, Rollout, Trace
from anx.rollout.sensing import Sensing


class HostRollout(Rollout):
    """Plays P x R episodes on a fixed number of slots of a gymnasium vector environment.

    A slot whose episode ends takes the next job at once. The policy acts for all slots in one batch, each slot with its
    own candidate's parameters. What a job achieves does not depend on the number of slots.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: says what the environment is and makes it: `env.make(slots, training)` is a gymnasium vector environment
            that resets the slots of a `reset_mask`, each to its own seed.
        slots: environments side by side.
        threads: of the policy on the CPU, null: torch's own number. Between two steps torch's threads wait busily and
            take the cores from environments that step in processes of their own.
    """

    def __init__(self, agent: Agent, env: Any, *, slots: int = 32, threads: int | None = None) -> None:
        if slots < 1:
            raise ValueError(f"rollout.slots={slots} must be at least 1")
        if threads is not None and threads < 1:
            raise ValueError(f"rollout.threads={threads} must be at least 1")
        self.threads = threads
        self.agent = agent
        self.env = env
        self.slots = slots
        self._vector_env: Any = None
        self._opened: tuple[int, bool] | None = None

    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
    ) -> Episodes:
        with torch.inference_mode(), torch_threads(self.threads):
            return self._roll_out(population, episodes, seed, perturbations, training)

    def _roll_out(
        self, population: Tensor, episodes: int, seed: int, perturbations: Sequence[Perturbation], training: bool
    ) -> Episodes:
        device, jobs = population.device, len(population) * episodes
        envs = self._open(min(self.slots, jobs), training)
        slots = envs.num_envs
        seeds = episode_seeds(seed, episodes)
        named = unflatten(self.agent, population)
        parameters = (named, prepare(self.agent, named))  # leaves [P, ...]
        act = vectorise(self.agent)
        sensing = [Sensing(self.agent, perturbations, 1, int(seeds[0])) for _ in range(slots)]
        sense = sensing[0].batched(2)
        blank = tree_map(lambda x: x.to(population), self.agent.initial_state(sensing[0].num_inputs))

        returns = population.new_zeros(jobs)
        lengths = torch.zeros(jobs, dtype=torch.int32, device=device)
        job = np.arange(slots)  # what each slot plays; -1: nothing is left
        waiting = slots  # the next job
        start = np.ones(slots, dtype=bool)
        own = tree_map(lambda x: x[torch.from_numpy(job // episodes).to(device)], parameters)  # leaves [slots, ...]
        state = tree_map(lambda x: x.expand(slots, 1, *x.shape).clone(), blank)
        step = np.zeros(slots, dtype=np.int64)
        drawn: tuple[Tensor, ...] = ()
        while True:
            if start.any():
                for slot in np.flatnonzero(start):
                    candidate, episode = divmod(int(job[slot]), episodes)
                    sensing[slot] = Sensing(self.agent, perturbations, 1, int(seeds[episode]))
                    tree_map(lambda x, every: x[slot].copy_(every[candidate]), own, parameters)  # noqa: B023
                    tree_map(lambda x, fresh: x[slot, 0].copy_(fresh), state, blank)  # noqa: B023
                step[start] = 0
                options = None if start.all() else {"reset_mask": start}
                observation, _ = envs.reset(seed=seeds[job % episodes].tolist(), options=options)
            if any([sensing[slot].draw(int(step[slot])) for slot in np.flatnonzero(job >= 0)] if perturbations else ()):
                drawn = tuple(torch.stack(each).to(device) for each in zip(*(s.drawn for s in sensing), strict=True))
            inputs = sense(torch.from_numpy(observation).to(device).unsqueeze(1), drawn)  # [slots, 1, N, F]
            action, state = act(*own, inputs.to(population.dtype), state)  # [slots, 1, A]
            observation, reward, terminated, truncated, _ = envs.step(to_space(action[:, 0], envs.single_action_space))
            step += 1
            playing = job >= 0
            place = torch.from_numpy(job[playing]).to(device)
            returns[place] += torch.from_numpy(reward[playing]).to(returns)
            lengths[place] += 1
            ended = playing & (terminated | truncated | (step >= self.env.max_steps))
            start = np.zeros(slots, dtype=bool)
            for slot in np.flatnonzero(ended):
                job[slot] = waiting if waiting < jobs else -1
                start[slot] = waiting < jobs
                waiting += 1
            if (job < 0).all():
                break
        return Episodes(returns.view(-1, episodes), lengths.view(-1, episodes))

    def trace(self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = ()) -> Trace:
        set_vector(self.agent, vector)
        with torch.inference_mode():
            envs = self.env.make(1, training=False)
            first = episode_seeds(seed, 1)
            sensing = Sensing(self.agent, perturbations, 1, int(first[0]))
            sense, prepared = sensing.batched(0), self.agent.prepare()
            state = self.agent.initial_state(sensing.num_inputs)
            observation, _ = envs.reset(seed=first.tolist())
            steps = []
            for t in range(self.env.max_steps):
                sensing.draw(t)
                seen = torch.from_numpy(observation[0].copy()).to(vector.device)
                drawn = sensing.at(torch.tensor(0, device=vector.device))
                inputs = sense(seen, drawn)
                thought, state = self.agent.explain(prepared, inputs.to(vector.dtype), state)
                action = to_space(thought.action.unsqueeze(0), envs.single_action_space)
                observation, reward, terminated, truncated, _ = envs.step(action)
                steps.append((seen, inputs, sensing.origins(drawn), *thought, torch.tensor(float(reward[0]))))
                if terminated[0] or truncated[0]:
                    break
            envs.close()
        return Trace(*map(torch.stack, zip(*steps, strict=True)))

    def _open(self, slots: int, training: bool) -> Any:
        if self._opened != (slots, training):
            self.close()
            self._vector_env = self.env.make(slots, training)
            self._opened = slots, training
        return self._vector_env

    def close(self) -> None:
        if self._vector_env is not None:
            self._vector_env.close()
            self._vector_env = self._opened = None


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` threads, null: as many as it does."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def to_space(action: Tensor, space: Any) -> np.ndarray:
    """Actions [slots, A] -> what the environments take: the greatest's index, or [-1, 1] stretched to their bounds."""
    if isinstance(space, Discrete):
        return action.argmax(-1).cpu().numpy()
    centre, reach = (space.high + space.low) / 2, (space.high - space.low) / 2  # Tang & Ha 2021's CarRacing
    return action.float().cpu().numpy() * reach + centre


def episode_seeds(seed: int, episodes: int) -> np.ndarray:
    """The environment's seed for each episode; more episodes leave the first ones' as they were."""
    seeds = [np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1 for episode in range(episodes)]
    return np.array(seeds, dtype=np.int64)
