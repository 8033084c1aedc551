"""The rollout for environments written in torch: agents, environments and episodes are one batch on one device."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic

import torch
from torch import Tensor

from anx.agent.agent import Agent
from anx.envs.base import State, TorchEnvironment
from anx.perturb.base import Perturbation
from anx.rollout.base import Episodes, Rollout
from anx.rollout.compilation import CannotCompileError
from anx.rollout.compile_option import Compile, CompileOption
from anx.rollout.loop import Carried
from anx.rollout.rolling import Rolling
from anx.rollout.stepping import Stepping
from anx.rollout.threads import check_threads, count_threads
from anx.rollout.trace import Moment
from anx.rollout.world import TorchWorld, watch

COMPILED_JOBS = 100  # jobs (candidates times episodes) from which `compile: auto` compiles


class DeviceRollout(Rollout, Generic[State]):
    """Steps all P x R episodes together; episodes that have ended are dropped from the batch as it goes.

    On the CPU each core has candidates of its own and waits for no other core before it is through with them. What an
    episode comes to does not depend on how the others are shared out.

    A batch is B rows of T lanes. A row belongs to one candidate, its lanes are episodes of that candidate; as
    episodes end, the others move together, so that the cost follows the episodes that still run.

    Args:
        agent: the module whose parameters the population's vectors are.
        env: an environment written in torch (see `anx.envs.cartpole`).
        compile: true, false, or `auto`: compiled where a hundred jobs are (those of all processes counted), of several
            candidates or played time and again, and a C++ compiler (on CUDA: Triton) works: compiling takes about 10
            seconds, which a training gets back in ten generations or four validations and an evaluation never does.
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
        env: TorchEnvironment[State],
        *,
        compile: Compile = "auto",
        compact_every: int = 50,
        lanes: int = 4,
        threads: int | None = None,
    ) -> None:
        self.compile: CompileOption[Carried[State]] = CompileOption(compile)
        if compact_every < 1 or lanes < 1:
            raise ValueError(f"rollout.compact_every={compact_every} and rollout.lanes={lanes} must be at least 1")
        check_threads(threads)
        self.agent = agent
        self.env: TorchEnvironment[State] = env
        self.compact_every = compact_every
        self.lanes = lanes
        self.threads = threads

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
            threads = count_threads(self.threads)
            rolling = Rolling(self.agent, self.env, population, episodes, seed, perturbations, threads, group, groups)
            compiles = self.compiles(candidates or len(population), episodes, repeated)
            compiled = self._compiled(rolling, population, perturbations) if compiles else None
            rolling.play(compiled or rolling.plain, self.compact_every)
        returns, lengths = rolling.returns, rolling.lengths
        return Episodes(returns.view(len(population), episodes), lengths.view(len(population), episodes))

    def compiles(self, candidates: int, episodes: int, repeated: bool = False) -> bool:
        """Whether a generation of so many candidates, each with so many episodes, is compiled."""
        return self.compile.applies((repeated or candidates > 1) and candidates * episodes >= COMPILED_JOBS)

    def _compiled(
        self, rolling: Rolling[State], population: Tensor, perturbations: Sequence[Perturbation]
    ) -> Callable[[], Stepping] | None:
        """How a rollout is stepped by its compiled step, if that can be had."""
        step = self.compile.step_for(population, perturbations, rolling.make_step)
        stepping = rolling.compiled(step, self.lanes)
        try:
            if not step.ready:  # else every batch for it has the form that it was compiled for
                rolling.begin(stepping)
        except CannotCompileError as error:
            self.compile.give_up(error)
            return None
        return lambda: stepping

    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        opened = partial(TorchWorld, self.env, vector, pictures)
        return watch(opened, self.agent, vector, seed, perturbations, pictures)
