"""One call of a rollout in torch: what its parts have in common, and where they write what became of their jobs."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic

import torch
from torch import Tensor

from anx.agent.agent import Agent
from anx.envs.base import State, TorchEnvironment
from anx.internal.pytree import tree_leaves, tree_map, tree_structure
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.population import Packed, copy_like, in_precision_of, is_like, prepare, unflatten
from anx.progress import advance
from anx.rollout.base import count_groups, episode_numbers
from anx.rollout.batch import Numbers, Running
from anx.rollout.compilation import CompiledStep
from anx.rollout.jobs import Own
from anx.rollout.loop import BatchStep, Carried, make_step, next_draw
from anx.rollout.stepping import CompiledStepping, PlainStepping, Stepping
from anx.rollout.threads import Stop, run_side_by_side

EPISODES_A_PART = 2000  # of a single candidate: fewer at once spend their time between operations


class Rolling(Generic[State]):
    """P candidates, R episodes each, on the way.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: an environment written in torch.
        population: [P, D].
        episodes: R.
        seed: of the episodes.
        perturbations: of the inputs and of the actions.
        threads: on the CPU.
        group: of each candidate [P], or None (see `Rollout.__call__`).
        groups: that there are in all, or None (see `Rollout.__call__`).
    """

    def __init__(
        self,
        agent: Agent,
        env: TorchEnvironment[State],
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation],
        threads: int,
        group: Tensor | None = None,
        groups: int | None = None,
    ) -> None:
        self._agent = agent if is_like(agent, population) else copy_like(agent, population)
        self._env = env
        self._population = population
        self._episodes = episodes
        self._seed = seed
        self._perturbations = tuple(perturbations)
        self._threads = threads
        named = unflatten(self._agent, population)
        own: Own = (named, prepare(self._agent, named))  # leaves [P, ...]
        self._parameters = Packed(own)
        self.returns = population.new_zeros(len(population) * episodes)
        self.lengths = torch.zeros_like(self.returns, dtype=torch.int32)
        numbers = episode_numbers(len(population), episodes, group)
        self._drawn = episodes * (groups or count_groups(group))  # of the seed's episodes
        candidate = torch.arange(len(population)).repeat_interleave(episodes)
        self._numbers = Numbers(candidate.to(population.device), numbers.to(population.device))
        self._start = tree_map(
            partial(in_precision_of, population), env.reset(self._drawn, torch.Generator().manual_seed(seed))
        )
        pipeline = self._pipeline()
        blank = self._agent.initial_state(pipeline.num_inputs)
        self._blank = tree_map(partial(in_precision_of, population), blank)
        # An episode's return, its length, and whether it goes on are a tensor each: which one does not matter here.
        carried: Carried[State] = (self._start, self._blank, self.returns, self.returns, self.returns)
        self._form = tree_structure((own, pipeline.drawn, carried))

    def _pipeline(self) -> Pipeline:
        """From the episodes' first step on."""
        return Pipeline(self._agent, self._perturbations, self._drawn, self._seed)

    def make_step(self) -> BatchStep[State]:
        """The step, by an agent of its own."""
        return make_step(copy.deepcopy(self._agent), self._env, self._pipeline())

    def plain(self) -> Stepping:
        """Batches are stepped by the step as it is."""
        return PlainStepping(self.make_step(), self._parameters, self._numbers, self._form)

    def compiled(self, step: CompiledStep[Carried[State]], lanes: int) -> Stepping:
        """Batches are stepped by a compiled step, in rows of so many lanes, or of a candidate's episodes if those are
        fewer: the rest of a row would be stepped for nothing."""
        lanes = min(lanes, self._episodes)
        return CompiledStepping(step, self._parameters, self._numbers, lanes, self._form)

    def parts(self) -> list[Tensor]:
        """The jobs, ordered by candidate, in parts that share no candidate, one a core; a single candidate's episodes
        in parts that do not depend on the number of cores."""
        candidates = len(self._population)
        jobs = torch.arange(candidates * self._episodes, device=self._population.device)
        if jobs.device.type != "cpu":
            return [jobs]
        if candidates == 1:
            return list(jobs.tensor_split(max(1, self._episodes // EPISODES_A_PART)))
        split = torch.arange(candidates).tensor_split(min(self._threads, candidates))
        return [jobs[int(part[0]) * self._episodes : (int(part[-1]) + 1) * self._episodes] for part in split]

    def _first(self, job: Tensor) -> Running:
        """Jobs before their first step."""
        start = [x[self._numbers.episode[job]] for x in tree_leaves(self._start)]
        blank = [x.expand(len(job), *x.shape) for x in tree_leaves(self._blank)]
        results = [self.returns.new_zeros(len(job)), self.lengths.new_zeros(len(job))]
        return Running(job, torch.arange(len(job), device=job.device), [*start, *blank, *results])

    def begin(self, stepping: Stepping) -> None:
        """Make ready for the first batch, and take no step: what has to be compiled is."""
        pipeline = self._pipeline()
        pipeline.draw(0)
        batch = stepping.batch(self._first(self.parts()[0]))
        stepping.loop(batch, pipeline.at(batch.episode))

    def play(self, stepping: Callable[[], Stepping], look_every: int) -> None:
        """Play all jobs, each part in a stepping of its own; every so many steps, episodes that have ended are looked
        for."""
        tasks = [partial(self._play, stepping, look_every, part) for part in self.parts()]
        run_side_by_side(tasks, self._threads)

    def _play(self, make_stepping: Callable[[], Stepping], look_every: int, job: Tensor, stop: Stop) -> None:
        """Play jobs, ordered by candidate, to their ends."""
        with torch.inference_mode():  # a thread's own
            stepping, pipeline, max_steps = make_stepping(), self._pipeline(), self._env.spec.max_steps
            jobs, t = self._first(job), 0
            while t < max_steps and len(jobs.job) and not stop.is_set():
                batch = stepping.batch(jobs)
                pipeline.draw(t)
                loop = stepping.loop(batch, pipeline.at(batch.episode))
                while True:
                    until, drew = next_draw(pipeline, t, min(max_steps, t - t % look_every + look_every))
                    loop.step(until - t)
                    advance(len(jobs.job) * (until - t) / max_steps)
                    t = until
                    if t == max_steps or (t % look_every == 0 and batch.thins_out(loop.carried)):
                        break
                    if drew or pipeline.draw(t):
                        loop.perturb(list(pipeline.at(batch.episode)))
                before, jobs = len(jobs.job), batch.end(loop.carried, self._write)
                advance((before - len(jobs.job)) * (max_steps - t) / max_steps)  # what they need not play any more

    def _write(self, job: Tensor, returns: Tensor, lengths: Tensor) -> None:
        """What became of jobs so far."""
        self.returns[job], self.lengths[job] = returns, lengths
