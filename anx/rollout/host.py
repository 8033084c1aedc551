"""The rollout for environments that step on the CPU: slots that take one (candidate, episode) job after the other."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import cast

import numpy as np
import torch
from gymnasium.spaces import Space
from torch import Tensor

from anx.agent.agent import Agent, AgentState
from anx.agent.still import in_two, merged, merges, still_inputs
from anx.envs.base import HostEnvironment
from anx.envs.spaces import observed, plain_observation, taken
from anx.envs.vector import Array, AtOnce, SplitStep
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.population import copy_like, vectorise
from anx.rollout.base import Episodes, Rollout
from anx.rollout.compilation import CannotCompileError, CompiledStep
from anx.rollout.compile_option import Compile, CompileOption
from anx.rollout.jobs import Jobs, Own
from anx.rollout.slots import Drawn, Slots, Step, to_space
from anx.rollout.threads import Stop, check_threads, count_threads, run_side_by_side
from anx.rollout.trace import Moment
from anx.rollout.world import HostWorld, watch

COMPILED_JOBS = 16  # jobs (candidates times episodes) from which `compile: auto` compiles

Acted = tuple[Tensor, AgentState]


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
        compile: true, false, or `auto`: the agent's step is compiled where at least 16 jobs are (those of all processes
            counted) and a C++ compiler (on CUDA: Triton) works: compiling takes 8 seconds, which a training gets back
            in a few generations. Not where still inputs are merged instead (see `anx.agent.still`): then most of the
            work is not there.
        threads: of the policy on the CPU, each with slots of its own; null: one a core. One is best where the time goes
            into environments that step in processes of their own.
    """

    takes = "host"

    def __init__(
        self,
        agent: Agent,
        env: HostEnvironment,
        *,
        slots: int = 32,
        compile: Compile = "auto",
        threads: int | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"rollout.slots={slots} must be at least 1")
        self.compile: CompileOption[Acted] = CompileOption(compile)
        check_threads(threads)
        self.threads = threads
        self.agent = agent
        self.env: HostEnvironment = env
        self.slots = slots
        self._groups: list[list[SplitStep]] = []
        self._opened: tuple[int, int, bool] | None = None
        self._space: Space[Array] | None = None  # of actions, once it was asked for

    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
        repeated: bool = False,
        candidates: int | None = None,
        group: Tensor | None = None,
        groups: int | None = None,
    ) -> Episodes:
        with torch.inference_mode():
            jobs = Jobs(copy_like(self.agent, population), population, episodes, seed, group)
            parts = self._open(min(self.slots, jobs.count), training)
            compiled = self._compiled_step(jobs, perturbations, (candidates or len(population)) * episodes)
            tasks = [partial(self._play, jobs, perturbations, compiled, part) for part in parts]
            try:
                run_side_by_side(tasks, len(parts))
            except BaseException:
                self.close()  # some of them wait for an answer that nobody reads
                raise
        return Episodes(jobs.returns.view(-1, episodes), jobs.lengths.view(-1, episodes))

    def _play(
        self,
        jobs: Jobs,
        perturbations: Sequence[Perturbation],
        compiled: CompiledStep[Acted] | None,
        group: Sequence[SplitStep],
        stop: Stop,
    ) -> None:
        """Play jobs on some vector environments, until none is left."""
        with torch.inference_mode():  # a thread's own
            agent = copy_like(self.agent, jobs.population)
            step = self._step(agent, perturbations, jobs.population.dtype, compiled)
            playing = [Slots(agent, step, self.env.spec, envs, jobs, perturbations) for envs in group]
            for slots in playing:
                slots.act()
            while playing and not stop.is_set():
                playing = [slots for slots in playing if slots.advance()]

    def _compiled_step(
        self, jobs: Jobs, perturbations: Sequence[Perturbation], count: int
    ) -> CompiledStep[Acted] | None:
        """The compiled step, where a generation has `count` jobs."""
        if not self.compile.applies(count >= COMPILED_JOBS and not merges(self.agent)):
            return None
        population = jobs.population

        def make() -> Step:
            return plain_step(copy_like(self.agent, population), perturbations, population.dtype)

        return self.compile.step_for(population, perturbations, make)

    def _step(
        self,
        agent: Agent,
        perturbations: Sequence[Perturbation],
        dtype: torch.dtype,
        compiled: CompiledStep[Acted] | None,
    ) -> Step:
        """`step(parameters [B, ...], drawn, observation, state)`, each [B, 1, ...], -> action, state."""
        plain = (merging_step if merges(agent) else plain_step)(agent, perturbations, dtype)
        if compiled is None:
            return plain

        def step(parameters: Own, drawn: Drawn, observation: Tensor, state: AgentState) -> Acted:
            if not self.compile.given_up:
                try:
                    return compiled(parameters, drawn, observation, state)
                except CannotCompileError as error:
                    self.compile.give_up(error)
            return plain(parameters, drawn, observation, state)

        return step

    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        opened = partial(HostWorld, self.env, vector, pictures)
        return watch(opened, self.agent, vector, seed, perturbations, pictures)

    def _open(self, slots: int, training: bool) -> list[list[SplitStep]]:
        """The slots, a group for each thread; in two halves where environments can step while the policy acts for the
        others."""
        groups = min(count_threads(self.threads), slots)
        if self._opened != (slots, groups, training):
            self.close()
            halves = 2 if self.env.overlaps else 1
            for group in np.array_split(np.arange(slots), groups):
                sizes = [len(half) for half in np.array_split(group, min(halves, len(group)))]
                self._groups.append([self._make(size, training) for size in sizes])
            self._opened = slots, groups, training
        return self._groups

    def _make(self, slots: int, training: bool) -> SplitStep:
        envs = self.env.make(slots, training)
        return cast(SplitStep, envs) if self.env.overlaps else AtOnce(envs)

    def from_env(self, observation: Array) -> Array:
        if self.env.native is None:
            return observation
        space, _ = self.env.native
        return observed(observation, space, plain_observation(space))

    def for_env(self, action: Tensor) -> Array:
        if self._space is None:
            with closing(self.env.make(1, training=False)) as envs:
                self._space = envs.single_action_space
        done = to_space(action.unsqueeze(0), self._space)[0]
        return done if self.env.native is None else taken(done, self.env.native[1])

    def close(self) -> None:
        for envs in (each for group in self._groups for each in group):
            envs.close()
        self._groups, self._opened = [], None


def plain_step(agent: Agent, perturbations: Sequence[Perturbation], dtype: torch.dtype) -> Step:
    """The agent's step as it is."""
    sense, act = Pipeline(agent, perturbations, 1, 0).batched(2), vectorise(agent)

    def step(parameters: Own, drawn: Drawn, observation: Tensor, state: AgentState) -> Acted:
        return act(*parameters, sense(observation, drawn).to(dtype), state)

    return step


def merging_step(agent: Agent, perturbations: Sequence[Perturbation], dtype: torch.dtype) -> Step:
    """The same up to rounding, with still inputs merged into one (see `anx.agent.still`)."""
    sense, still = Pipeline(agent, perturbations, 1, 0).batched(2), still_inputs(agent)
    whole, fewer = vectorise(agent), vectorise(agent, merged)
    assert still is not None

    def step(parameters: Own, drawn: Drawn, observation: Tensor, state: AgentState) -> Acted:
        inputs = sense(observation, drawn).to(dtype)
        rows, few = still.divide(inputs)
        return in_two(few[:, 0], whole, fewer, (*parameters, inputs, state), rows)

    return step
