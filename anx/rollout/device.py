"""The rollout for environments written in torch: agents, environments and episodes are one batch on one device."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from anx.agent.agent import Agent
from anx.envs.perturbations import Perturbation
from anx.population import prepare, set_vector, unflatten, vectorise
from anx.rollout.base import Episodes, Moment, Rollout
from anx.rollout.compilation import CompiledStep, can_compile
from anx.rollout.sensing import Sensing

COMPILED_JOBS = 1000  # jobs (candidates times episodes) from which `compile: auto` compiles


class DeviceRollout(Rollout):
    """Steps all P x R episodes together; episodes that have ended are dropped from the batch as it goes.

    The batch is B rows of T lanes. A row belongs to one candidate, its lanes are episodes of that candidate; as
    episodes end, the others move together, so that the cost follows the episodes that still run.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: an environment written in torch (see `anx.envs.cartpole`).
        compile: true, false, or `auto`: compiled where a C++ compiler (on CUDA: Triton) is there and more than one
            candidate and a thousand jobs are: compiling takes about 15 seconds, which a training of that size gets back
            in ten generations and an evaluation never does.
        compact_every: steps between two looks for episodes that have ended.
        lanes: T of a compiled rollout. Few lanes waste little when episodes end; each row has a copy of its
            candidate's parameters.
    """

    # In single precision, chaos makes two episodes of one whose inputs are reordered; see `AttentionPooler.forward`.
    evaluation_dtype = torch.float64

    def __init__(
        self, agent: Agent, env: Any, *, compile: bool | str = "auto", compact_every: int = 25, lanes: int = 4
    ) -> None:
        if compile not in (True, False, "auto"):
            raise ValueError(f"rollout.compile={compile} is not one of auto, true, false")
        if compact_every < 1 or lanes < 1:
            raise ValueError(f"rollout.compact_every={compact_every} and rollout.lanes={lanes} must be at least 1")
        self.agent = agent
        self.env = env
        self.compile = compile
        self.compact_every = compact_every
        self.lanes = lanes
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    @torch.inference_mode()
    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
    ) -> Episodes:
        candidates = len(population)
        sensing = Sensing(self.agent, perturbations, episodes, seed)
        compiled = self._compiles(population, episodes)
        step = self._step(sensing, compiled)

        named = unflatten(self.agent, population)
        parameters = (named, prepare(self.agent, named))  # leaves [P, ...]
        returns = population.new_zeros(candidates * episodes)
        lengths = torch.zeros_like(returns, dtype=torch.int32)

        # The jobs that still run, ordered by candidate; the leaves of `state` are theirs, [jobs, ...].
        job = torch.arange(candidates * episodes, device=population.device)
        start = self.env.reset(episodes, torch.Generator().manual_seed(seed))
        blank = self.agent.initial_state(sensing.num_inputs)
        state = (
            tree_map(lambda x: x.to(population)[job % episodes], start),
            tree_map(lambda x: x.to(population).expand(len(job), *x.shape), blank),
            returns.clone(),
            lengths.clone(),
        )
        t = 0
        while t < self.env.max_steps and len(job):
            candidate, episode = job // episodes, job % episodes
            lanes = self.lanes if compiled else int(candidate.bincount().max())
            row, source, valid = arrange(candidate, lanes, multiple=2 if compiled else 1)
            own = tree_map(lambda x: x[row], parameters)  # noqa: B023 (used at once)
            batch = (*tree_map(lambda x: x[source], state), valid)  # noqa: B023
            redrawn = True
            while t < self.env.max_steps:
                redrawn |= sensing.draw(t)
                if redrawn:
                    drawn = sensing.at(episode[source])
                batch = step(own, drawn, batch)
                redrawn = False
                t += 1
                if t % self.compact_every == 0 and int(batch[-1].sum()) < 0.9 * len(job):
                    break
            *state, alive = tree_map(lambda x: x[valid], batch)  # noqa: B023 ([B, T] in this order is the jobs' order)
            returns[job], lengths[job] = state[-2], state[-1]
            job = job[alive]
            state = tree_map(lambda x: x[alive], tuple(state))  # noqa: B023
        return Episodes(returns.view(candidates, episodes), lengths.view(candidates, episodes))

    @torch.inference_mode()
    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        set_vector(self.agent, vector)
        sensing = Sensing(self.agent, perturbations, 1, seed)
        sense = sensing.batched(0)
        env_state = tree_map(lambda x: x[0].to(vector), self.env.reset(1, torch.Generator().manual_seed(seed)))
        state = self.agent.initial_state(sensing.num_inputs)
        prepared = self.agent.prepare()
        for t in range(self.env.max_steps):
            sensing.draw(t)
            observation = self.env.observe(env_state)
            drawn = sensing.at(torch.tensor(0, device=vector.device))
            inputs = sense(observation, drawn)
            picture = self.env.render(env_state) if pictures else None
            thought, state = self.agent.explain(prepared, inputs, state)
            env_state, reward, done = self.env.step(env_state, thought.action)
            yield Moment(observation, inputs, sensing.origins(drawn), *thought, reward, picture)
            if done:
                break

    def _compiles(self, population: Tensor, episodes: int) -> bool:
        if self.compile == "auto":
            worth_it = len(population) > 1 and len(population) * episodes >= COMPILED_JOBS
            return worth_it and can_compile(population.device)
        return bool(self.compile)

    def _step(self, sensing: Sensing, compiled: bool) -> Callable[..., Any]:
        """One step of a batch [B, T]: `step(parameters [B, ...], drawn [B, T, ...], batch) -> batch`."""
        sense, act = sensing.batched(2), vectorise(self.agent)

        def step(parameters: Any, drawn: tuple[Tensor, ...], batch: tuple[Any, ...]) -> tuple[Any, ...]:
            env_state, state, total, steps, alive = batch
            inputs = sense(self.env.observe(env_state), drawn)  # [B, T, N, F]
            action, state = act(*parameters, inputs, state)
            env_state, reward, done = self.env.step(env_state, action)
            total = total + torch.where(alive, reward, 0)
            return env_state, state, total, steps + alive, alive & ~done

        if not compiled:
            return step
        key = tuple(map(id, sensing.perturbations))
        return self._compiled.setdefault(key, CompiledStep(step))


def arrange(candidate: Tensor, lanes: int, multiple: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Jobs, ordered by candidate -> a batch of B rows of T lanes, each row with jobs of one candidate.

    Args:
        candidate: [jobs], ascending.
        lanes: T.
        multiple: of this B is one.

    Returns:
        Each row's candidate [B], each place's job [B, T], and whether that place counts [B, T]; those that do not fill
        up a candidate's last row, or the last rows, and repeat a job.
    """
    counts = candidate.bincount()  # [P]
    rows = (counts + lanes - 1) // lanes
    row = torch.arange(len(counts), device=candidate.device).repeat_interleave(rows)  # [B]
    within = torch.arange(len(row), device=candidate.device) - (rows.cumsum(0) - rows)[row]
    offset = within.unsqueeze(1) * lanes + torch.arange(lanes, device=candidate.device)  # [B, T]
    count = counts[row].unsqueeze(1)
    first = (counts.cumsum(0) - counts)[row].unsqueeze(1)
    source, valid = first + torch.minimum(offset, count - 1), offset < count
    if missing := -len(row) % multiple:
        row = torch.cat([row, row[-1:].expand(missing)])
        source = torch.cat([source, source[-1:].expand(missing, -1)])
        valid = torch.cat([valid, valid.new_zeros(missing, lanes)])
    return row, source, valid
