"""The rollout for environments written in torch: agents, environments and episodes are one batch on one device."""

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from anx.agent.agent import Agent
from anx.internal.pytree import tree_leaves, tree_map, tree_structure, tree_unflatten
from anx.perturb.inputs import Perturbation
from anx.perturb.pipeline import Sensing
from anx.population import Packed, copy_like, in_precision_of, is_like, prepare, unflatten, with_vector
from anx.rollout.base import Episodes, Moment, Rollout
from anx.rollout.batch import Batch, Running
from anx.rollout.compilation import CannotCompileError, CompiledStep, give_up_compiling
from anx.rollout.loop import CompiledLoop, Loop, PlainLoop, make_step, next_draw
from anx.rollout.threads import Stop, check_threads, count_threads, run_side_by_side

COMPILED_JOBS = 1000  # jobs (candidates times episodes) from which `compile: auto` compiles
EPISODES_A_PART = 2000  # of a single candidate: fewer at once spend their time between operations


class DeviceRollout(Rollout):
    """Steps all P x R episodes together; episodes that have ended are dropped from the batch as it goes.

    On the CPU each core has candidates of its own and waits for no other core before it is through with them. What an
    episode comes to does not depend on how the others are shared out.

    A batch is B rows of T lanes. A row belongs to one candidate, its lanes are episodes of that candidate; as
    episodes end, the others move together, so that the cost follows the episodes that still run.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: an environment written in torch (see `anx.envs.cartpole`).
        compile: true, false, or `auto`: compiled where more than one candidate and a thousand jobs are (those of all
            processes counted) and a C++ compiler (on CUDA: Triton) works: compiling takes about 10 seconds, which a
            training of that size gets back in tens of generations and an evaluation never does.
        compact_every: steps between two looks for episodes that have ended.
        lanes: T of a compiled rollout. Few lanes waste little when episodes end; each row has a copy of its
            candidate's parameters.
        threads: on the CPU; null: one a core.
    """

    takes = "device"
    # In single precision, chaos makes two episodes of one whose inputs are reordered; see `AttentionPooler.forward`.
    evaluation_dtype = torch.float64

    def __init__(
        self,
        agent: Agent,
        env: Any,
        *,
        compile: bool | Literal["auto"] = "auto",
        compact_every: int = 50,
        lanes: int = 4,
        threads: int | None = None,
    ) -> None:
        if compile not in (True, False, "auto"):
            raise ValueError(f"rollout.compile={compile} is not one of auto, true, false")
        if compact_every < 1 or lanes < 1:
            raise ValueError(f"rollout.compact_every={compact_every} and rollout.lanes={lanes} must be at least 1")
        check_threads(threads)
        self.agent = agent
        self.env: Any = env
        self.compile = compile
        self.compact_every = compact_every
        self.lanes = lanes
        self.threads = threads
        self._compiled: dict[tuple[Any, ...], CompiledStep] = {}

    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
        candidates: int | None = None,
    ) -> Episodes:
        with torch.inference_mode():
            rolling = _Rolling(self, population, episodes, seed, perturbations)
            rolling.run(self._compiled_step(rolling, candidates or len(population)))
        returns, lengths = rolling.returns, rolling.lengths
        return Episodes(returns.view(len(population), episodes), lengths.view(len(population), episodes))

    @torch.inference_mode()
    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        agent = with_vector(self.agent, vector)
        sensing = Sensing(agent, perturbations, 1, seed)
        sense = sensing.batched(0)
        start = self.env.reset(1, torch.Generator().manual_seed(seed))
        env_state = tree_map(lambda x: in_precision_of(vector, x[0]), start)
        state = tree_map(partial(in_precision_of, vector), agent.initial_state(sensing.num_inputs))
        prepared = agent.prepare()
        for t in range(self.env.spec.max_steps):
            sensing.draw(t)
            observation = self.env.observe(env_state)
            drawn = sensing.at(torch.tensor(0, device=vector.device))
            inputs = sense(observation, drawn)
            picture = self.env.render(env_state) if pictures else None
            thought, state = agent.explain(prepared, inputs, state)
            env_state, reward, done = self.env.step(env_state, thought.action)
            yield Moment(observation, inputs, sensing.origins(drawn), *thought, reward, picture)
            if done:
                break

    def _compiled_step(self, rolling: "_Rolling", candidates: int) -> CompiledStep | None:
        """The compiled step of a rollout, where it is to be compiled and can be."""
        population, perturbations = rolling.population, rolling.perturbations
        if not self._compiles(candidates, rolling.episodes):
            return None
        key = (population.dtype, population.device, *map(id, perturbations))  # the compiled step keeps them alive
        if key not in self._compiled:
            self._compiled[key] = CompiledStep(make_step(copy.deepcopy(rolling.agent), self.env, rolling.sensing()))
        compiled = self._compiled[key]
        try:
            if not compiled.ready:  # else every batch of this key has the form that it was compiled for
                rolling.compile(compiled)
        except CannotCompileError as error:
            give_up_compiling(self, error)
            return None
        return compiled

    def _compiles(self, candidates: int, episodes: int) -> bool:
        if self.compile == "auto":
            return candidates > 1 and candidates * episodes >= COMPILED_JOBS
        return bool(self.compile)


class _Rolling:
    """One call of a rollout: what its parts share, and where they write what became of their jobs."""

    def __init__(
        self,
        rollout: DeviceRollout,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation],
    ) -> None:
        self.rollout = rollout
        self.population = population
        self.episodes = episodes
        self.perturbations = tuple(perturbations)
        self.seed = seed
        self.agent = rollout.agent if is_like(rollout.agent, population) else copy_like(rollout.agent, population)
        named = unflatten(self.agent, population)
        self.parameters = Packed((named, prepare(self.agent, named)))  # leaves [P, ...]
        self.returns = population.new_zeros(len(population) * episodes)
        self.lengths = torch.zeros_like(self.returns, dtype=torch.int32)
        self.start = tree_map(
            partial(in_precision_of, population), rollout.env.reset(episodes, torch.Generator().manual_seed(seed))
        )
        blank = self.agent.initial_state(self.sensing().num_inputs)
        self.blank = tree_map(partial(in_precision_of, population), blank)

        state = (self.start, self.blank, 0, 0, False)  # and an episode's return, length, and whether it goes on
        self.form = tree_structure(state)
        own = tree_unflatten([0] * self.parameters.form.num_leaves, self.parameters.form)
        self.all_forms = tree_structure((own, (0,) * len(self.perturbations), state))

    def sensing(self) -> Sensing:
        """From the episodes' first step on."""
        return Sensing(self.agent, self.perturbations, self.episodes, self.seed)

    def parts(self) -> list[Tensor]:
        """The jobs, ordered by candidate, in parts that share no candidate, one a core; a single candidate's episodes
        in parts that do not depend on the number of cores."""
        candidates = len(self.population)
        jobs = torch.arange(candidates * self.episodes, device=self.population.device)
        if jobs.device.type != "cpu":
            return [jobs]
        if candidates == 1:
            return list(jobs.tensor_split(max(1, self.episodes // EPISODES_A_PART)))
        split = torch.arange(candidates).tensor_split(min(count_threads(self.rollout), candidates))
        return [jobs[int(part[0]) * self.episodes : (int(part[-1]) + 1) * self.episodes] for part in split]

    def first(self, job: Tensor) -> Running:
        """Jobs before their first step."""
        start = [x[job % self.episodes] for x in tree_leaves(self.start)]
        blank = [x.expand(len(job), *x.shape) for x in tree_leaves(self.blank)]
        results = [self.returns.new_zeros(len(job)), self.lengths.new_zeros(len(job))]
        return Running(job, torch.arange(len(job), device=job.device), [*start, *blank, *results])

    def compile(self, step: CompiledStep) -> None:
        """Let the step be compiled from what the first batch would be."""
        sensing = self.sensing()
        sensing.draw(0)
        self._loop(step, sensing, self._batch(step, self.first(self.parts()[0])))

    def run(self, compiled: CompiledStep | None) -> None:
        """Play all jobs."""
        tasks = [partial(self._play, compiled, part) for part in self.parts()]
        run_side_by_side(tasks, count_threads(self.rollout))

    def _play(self, compiled: CompiledStep | None, job: Tensor, stop: Stop) -> None:
        """Play jobs, ordered by candidate, to their ends."""
        with torch.inference_mode():  # a thread's own
            env, sensing = self.rollout.env, self.sensing()
            step = compiled or make_step(copy.deepcopy(self.agent), env, sensing)
            jobs, t, every = self.first(job), 0, self.rollout.compact_every
            while t < env.spec.max_steps and len(jobs.job) and not stop.is_set():
                batch = self._batch(step, jobs)
                sensing.draw(t)
                loop = self._loop(step, sensing, batch)
                while True:
                    until, redrawn = next_draw(sensing, t, min(env.spec.max_steps, t - t % every + every))
                    loop.step(until - t)
                    t = until
                    if t == env.spec.max_steps or (t % every == 0 and batch.thins_out(loop.carried)):
                        break
                    if redrawn or sensing.draw(t):
                        loop.redraw(list(sensing.at(batch.episode)))
                jobs = batch.end(loop.carried, self.write)

    def _batch(self, step: Any, jobs: Running) -> Batch:
        if isinstance(step, CompiledStep):
            return Batch(jobs, self.episodes, self.parameters, self.rollout.lanes, multiple=2)
        lanes = int((jobs.job // self.episodes).bincount().max())
        return Batch(jobs, self.episodes, self.parameters, lanes, multiple=1)

    def _loop(self, step: Any, sensing: Sensing, batch: Batch) -> Loop:
        drawn = list(sensing.at(batch.episode))
        if isinstance(step, CompiledStep):
            return CompiledLoop(step, batch.own, drawn, batch.carried, self.all_forms)
        return PlainLoop(step, tree_unflatten(batch.own, self.parameters.form), drawn, batch.carried, self.form)

    def write(self, job: Tensor, returns: Tensor, lengths: Tensor) -> None:
        """What became of jobs so far."""
        self.returns[job], self.lengths[job] = returns, lengths
