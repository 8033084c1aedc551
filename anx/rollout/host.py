"""The rollout for environments that step on the CPU: slots that take one (candidate, episode) job after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor
from torch.utils._pytree import tree_map

from anx.agent.agent import Agent
from anx.agent.merging import apart
from anx.envs.perturbations import Perturbation
from anx.population import prepare, set_vector, unflatten, vectorise
from anx.rollout.base import Episodes, Moment, Rollout
from anx.rollout.compilation import CompiledStep, can_compile
from anx.rollout.sensing import Sensing

Step = Callable[..., Any]

COMPILED_JOBS = 16  # jobs (candidates times episodes) from which `compile: auto` compiles
DEATHS = 3  # of one job's process, that end a rollout


class HostRollout(Rollout):
    """Plays P x R episodes on a fixed number of slots of a gymnasium vector environment.

    A slot whose episode ends takes the next job at once. The policy acts for many slots in one batch, each slot with
    its own candidate's parameters; where environments step in processes of their own, one half of the slots steps while
    the policy acts for the other. Jobs whose process dies begin again with the same seed. What a job achieves does not
    depend on the number of slots.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: says what the environment is and makes it: `env.make(slots, training, pictures)` is a gymnasium vector
            environment that resets the slots of a `reset_mask`, each to its own seed, and, with `pictures`, renders.
        slots: environments side by side.
        compile: true, false, or `auto`: the agent's step is compiled where a C++ compiler (on CUDA: Triton) is there
            and at least 16 jobs are: compiling takes 8 seconds, which a training gets back in a few generations. Not
            where still inputs are merged instead (see `anx.agent.merging`): then most of the work is not there.
        threads: of the policy on the CPU, null: torch's own number. Between two steps torch's threads wait busily and
            take the cores from environments that step in processes of their own.
    """

    def __init__(
        self,
        agent: Agent,
        env: Any,
        *,
        slots: int = 32,
        compile: bool | Literal["auto"] = "auto",
        threads: int | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"rollout.slots={slots} must be at least 1")
        if compile not in (True, False, "auto"):
            raise ValueError(f"rollout.compile={compile} is not one of auto, true, false")
        if threads is not None and threads < 1:
            raise ValueError(f"rollout.threads={threads} must be at least 1")
        self.threads = threads
        self.agent = agent
        self.env = env
        self.slots = slots
        self.compile = compile
        self._compiled: dict[tuple[Any, ...], Step] = {}
        self._vector_envs: list[Any] = []
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
        jobs = Jobs(self.agent, population, episodes, seed)
        step = self._step(jobs, perturbations)
        shares = [
            Share(self.agent, step, self.env.max_steps, envs, jobs, perturbations)
            for envs in self._open(min(self.slots, jobs.count), training)
        ]
        playing = shares
        for share in shares:
            share.act()
        while playing := [share for share in playing if share.advance()]:
            pass
        return Episodes(jobs.returns.view(-1, episodes), jobs.lengths.view(-1, episodes))

    def _step(self, jobs: "Jobs", perturbations: Sequence[Perturbation]) -> Step:
        """`step(parameters [B, ...], drawn, observation, state)`, each [B, 1, ...], -> action, state."""
        dtype, device = jobs.population.dtype, jobs.population.device
        sense = Sensing(self.agent, perturbations, 1, 0).batched(2)
        act = vectorise(self.agent)

        def step(parameters: Any, drawn: tuple[Tensor, ...], observation: Tensor, state: Any) -> tuple[Tensor, Any]:
            return act(*parameters, sense(observation, drawn).to(dtype), state)

        def merging_step(parameters: Any, drawn: tuple[Tensor, ...], observation: Tensor, state: Any) -> Any:
            inputs = sense(observation, drawn).to(dtype)
            places, few = apart(self.agent.neuron.still(inputs))
            return in_two(few[:, 0], act, (*parameters, inputs, state), places)

        compiles = self.compile
        if compiles == "auto":
            compiles = jobs.count >= COMPILED_JOBS and not self.agent.merges and can_compile(device)
        if not compiles:
            return merging_step if self.agent.merges else step
        return self._compiled.setdefault((dtype, device, *map(id, perturbations)), CompiledStep(step))

    @torch.inference_mode()
    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        set_vector(self.agent, vector)
        envs = self.env.make(1, training=False, pictures=pictures)
        with closing(envs):
            first = episode_seeds(seed, 1)
            sensing = Sensing(self.agent, perturbations, 1, int(first[0]))
            sense, prepared = sensing.batched(0), self.agent.prepare()
            state = self.agent.initial_state(sensing.num_inputs)
            observation, _ = envs.reset(seed=first.tolist())
            for t in range(self.env.max_steps):
                sensing.draw(t)
                seen = torch.from_numpy(observation[0].copy()).to(vector.device)
                drawn = sensing.at(torch.tensor(0, device=vector.device))
                inputs = sense(seen, drawn)
                picture = envs.render()[0] if pictures else None
                thought, state = self.agent.explain(prepared, inputs.to(vector.dtype), state)
                action = to_space(thought.action.unsqueeze(0), envs.single_action_space)
                observation, reward, terminated, truncated, _ = envs.step(action)
                paid = torch.tensor(float(reward[0]))
                yield Moment(seen, inputs, sensing.origins(drawn), *thought, paid, picture)
                if terminated[0] or truncated[0]:
                    break

    def _open(self, slots: int, training: bool) -> list[Any]:
        """The slots, in two halves where environments can step while the policy acts for the others."""
        if self._opened != (slots, training):
            self.close()
            halves = [slots - slots // 2, slots // 2] if getattr(self.env, "overlaps", False) and slots > 1 else [slots]
            self._vector_envs = [self.env.make(half, training) for half in halves]
            self._opened = slots, training
        return self._vector_envs

    def close(self) -> None:
        for envs in self._vector_envs:
            envs.close()
        self._vector_envs, self._opened = [], None


class Jobs:
    """P x R episodes: what is still to play, and what those that were played came to."""

    def __init__(self, agent: Agent, population: Tensor, episodes: int, seed: int) -> None:
        self.population = population
        named = unflatten(agent, population)
        self.parameters = (named, prepare(agent, named))  # leaves [P, ...]
        self.episodes = episodes
        self.count = len(population) * episodes
        self.seeds = episode_seeds(seed, episodes)
        self.returns = population.new_zeros(self.count)
        self.lengths = torch.zeros(self.count, dtype=torch.int32, device=population.device)
        self.deaths = np.zeros(self.count, dtype=np.int64)
        self._next = 0

    def take(self) -> int:
        """The next job; -1: nothing is left."""
        job = self._next if self._next < self.count else -1
        self._next += 1
        return job

    def forget(self, jobs: np.ndarray, died: np.ndarray) -> None:
        """Begin `jobs` again, since a process of the environment is gone; raise where `died`, jobs that may be the
        cause, did that before and before."""
        self.returns[torch.from_numpy(jobs)] = 0
        self.lengths[torch.from_numpy(jobs)] = 0
        self.deaths[died] += 1
        for job in died[self.deaths[died] == DEATHS]:
            candidate, episode = divmod(int(job), self.episodes)
            raise RuntimeError(
                f"the environment's process died {DEATHS} times while it played candidate {candidate}, episode "
                f"{episode} (the environment's seed {self.seeds[episode]})"
            )


class Share:
    """The slots of one vector environment, and the jobs that they play."""

    def __init__(
        self,
        agent: Agent,
        agent_step: Step,
        max_steps: int,
        envs: Any,
        jobs: Jobs,
        perturbations: Sequence[Perturbation],
    ) -> None:
        self.agent = agent
        self.agent_step = agent_step
        self.max_steps = max_steps
        self.envs = envs
        self.jobs = jobs
        self.perturbations = perturbations
        slots = envs.num_envs
        self.job = np.array([jobs.take() for _ in range(slots)])
        self.start = np.ones(slots, dtype=bool)  # slots whose job is new
        self.step = np.zeros(slots, dtype=np.int64)
        self.sensing = [self._sensing(0) for _ in range(slots)]
        self.drawn: tuple[Tensor, ...] = ()  # [slots, 1, ...] each
        self.blank = tree_map(lambda x: x.to(jobs.population), agent.initial_state(self.sensing[0].num_inputs))
        self.own = tree_map(lambda x: x[:1].expand(slots, *x.shape[1:]).clone(), jobs.parameters)  # leaves [slots, ...]
        self.state = tree_map(lambda x: x.expand(slots, 1, *x.shape).clone(), self.blank)
        self.observation: Any = None

    def _sensing(self, episode: int) -> Sensing:
        return Sensing(self.agent, self.perturbations, 1, int(self.jobs.seeds[episode]))

    def act(self) -> None:
        """Start the new jobs and let the agents act on what they observe; the environments may step meanwhile."""
        jobs = self.jobs
        while self.start.any():
            self._start()
        playing = np.flatnonzero(self.job >= 0)
        drawn = [self.sensing[slot].draw(int(self.step[slot])) for slot in playing] if self.perturbations else []
        if any(drawn) or not self.drawn:
            every = zip(*(sensing.drawn for sensing in self.sensing), strict=True)
            self.drawn = tuple(torch.stack(each).to(jobs.population.device) for each in every)
        observation = torch.from_numpy(self.observation).to(jobs.population.device).unsqueeze(1)
        action, self.state = self.agent_step(self.own, self.drawn, observation, self.state)  # [slots, 1, A]
        self.action = to_space(action[:, 0], self.envs.single_action_space)
        if hasattr(self.envs, "step_async"):
            self.envs.step_async(self.action)

    def _start(self) -> None:
        for slot in np.flatnonzero(self.start):
            candidate, episode = divmod(int(self.job[slot]), self.jobs.episodes)
            self.sensing[slot] = self._sensing(episode)
            tree_map(lambda x, every: x[slot].copy_(every[candidate]), self.own, self.jobs.parameters)  # noqa: B023
            tree_map(lambda x, fresh: x[slot, 0].copy_(fresh), self.state, self.blank)  # noqa: B023
        self.step[self.start] = 0
        options = None if self.start.all() else {"reset_mask": self.start}
        seeds = self.jobs.seeds[self.job % self.jobs.episodes].tolist()
        self.observation, info = self.envs.reset(seed=seeds, options=options)
        self.start = self._lost(info)

    def _lost(self, info: dict[str, Any]) -> np.ndarray:
        """The slots whose job has to begin again."""
        playing = self.job >= 0
        if "lost" not in info:
            return np.zeros_like(playing)
        lost, died = info["lost"] & playing, info["died"] & playing
        self.jobs.forget(self.job[lost], self.job[died])
        return lost

    def advance(self) -> bool:
        """Take what the environments answered, and act again; returns False where nothing is left to play."""
        answer = self.envs.step_wait() if hasattr(self.envs, "step_async") else self.envs.step(self.action)
        self.observation, reward, terminated, truncated, info = answer
        lost = self._lost(info)
        self.step += 1
        playing = (self.job >= 0) & ~lost
        place = torch.from_numpy(self.job[playing]).to(self.jobs.returns.device)
        self.jobs.returns[place] += torch.from_numpy(reward[playing]).to(self.jobs.returns)
        self.jobs.lengths[place] += 1
        ended = playing & (terminated | truncated | (self.step >= self.max_steps))
        for slot in np.flatnonzero(ended):
            self.job[slot] = self.jobs.take()
        self.start = lost | (ended & (self.job >= 0))
        if (self.job < 0).all():
            return False
        self.act()
        return True


def in_two(few: Tensor, act: Step, batch: tuple[Any, ...], places: Tensor) -> Any:
    """`act` for a batch [B, ...], with `places` for the rows that are `few` [B]: what a row gets hangs on no other."""
    if few.all():
        return act(*batch, places)
    if not few.any():
        return act(*batch)
    rows = [few.nonzero()[:, 0], (~few).nonzero()[:, 0]]
    one, other = (tree_map(lambda x: x[own], batch) for own in rows)  # noqa: B023 (used at once)
    answers = act(*one, places[rows[0]]), act(*other)
    order = torch.cat(rows).argsort()
    return tree_map(lambda x, y: torch.cat([x, y])[order], *answers)


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
