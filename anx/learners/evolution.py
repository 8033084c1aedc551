"""Evolution: one training step is one generation, ask -> rollout -> tell -> log.

There is no loss and no gradient: `training_step` optimises by hand, as Lightning calls that. What is measured in steps
(`trainer.max_steps`, validation, logging, `every_n_train_steps`) counts generations, since the optimizer steps once in
each. Only ModelCheckpoint's `train_time_interval` has no effect; `callbacks.last` saves by time.
"""

import math
import time
from collections.abc import Mapping
from typing import ClassVar, Literal, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import DataLoader

from anx.agent.agent import Agent, start_search
from anx.cores import count_cores
from anx.errors import ConfigError
from anx.internal.lightning import count_steps_by_hand
from anx.learners.average import RunningAverage
from anx.learners.base import Learner, Metric, Need, Parts, Words, check_counts
from anx.learners.data import check_generations, generation_seeds
from anx.learners.diagnostics import OF_CLUSTERS, Totals, rank_correlation
from anx.learners.optimizer import SolverOptimizer
from anx.learners.sharing import Sharing, check_sharing, group_of, rank_within
from anx.learners.spare import Spare, check_spare
from anx.population import in_order
from anx.rollout.base import Episodes
from anx.rollout.sharded import PopulationsDifferError, Sharded


class Evolution(Learner):
    """Trains an agent as a black box: the population's fitness is its mean return over the generation's episodes.

    Every process asks for the same population, plays some of its candidates and tells the fitness of all: solvers on
    all processes stay equal, and equal to a single process's. Between generations the agent's parameters are the
    distribution's mean; that is what is validated, saved and shipped.

    Args:
        parts: the agent, its rollout, D -> the solver that searches over its parameters as optimizer, and perturbations
            of the inputs in training; validation is plain and shuffled whatever they are.
        rollouts: R, episodes a candidate.
        episodes: which candidates of a generation play the same ones, at the same cost: all (`common`), both ends of a
            pair (`pairs`), groups, which are then ranked within themselves (`groups`), or none (`independent`).
        group_size: candidates in a group, with `groups`.
        fresh: whether each generation plays new episodes; else all of them play the first one's.
        start: without `weights`: at `zeros` (Tang & Ha 2021, appendix A), or there but with `open_gates`, where an
            LSTM's forget gates let 88% through; where torch starts `layers`, at random; or with a `population`, each
            candidate drawn like that (Such et al. 2017): for `genetic`.
        mean_decay: of a running average of the mean (`anx.learners.average`), from 0 (there is none) to less than 1. It
            is validated, too, which takes as long as the mean's validation, and shipped where it is better.
        spare: the directions that mutants don't take; null: they take all. For `genetic`.
        max_env_steps: of the environment; the generation that reaches them is the run's last; null: others end it.
        validation_episodes: held-out episodes on which the mean is validated, plain and shuffled.
        test_episodes: held-out episodes of the final evaluation.
    """

    words = Words("generation", "generations", "the mean")
    shown: ClassVar = (
        Metric("best", "train/fitness_max"),
        Metric("mean", "train/fitness_mean"),
        Metric("shuffled", "validation/shuffled_mean"),
        Metric("average", "validation/average_shuffled_mean"),
        Metric("sigma", "train/sigma", "{:.3g}"),
        Metric("steps/s", "perf/steps_per_second", "{:,.0f}"),
        *OF_CLUSTERS,
        Metric("plain", "validation/plain_mean"),
    )
    free = Learner.free | {"max_env_steps", "start"}

    def __init__(
        self,
        parts: Parts,
        *,
        rollouts: int = 16,
        episodes: Sharing = "common",
        group_size: int = 16,
        fresh: bool = True,
        start: Literal["zeros", "open_gates", "layers", "population"] = "zeros",
        mean_decay: float = 0.0,
        spare: Spare | None = None,
        max_env_steps: int | None = None,
        validation_episodes: int = 500,
        test_episodes: int = 1000,
    ) -> None:
        super().__init__(parts, validation_episodes=validation_episodes, test_episodes=test_episodes)
        check_counts(rollouts=rollouts, max_env_steps=max_env_steps)
        if not 0 <= mean_decay < 1:
            raise ConfigError(f"learner.mean_decay={mean_decay} must be at least 0 and less than 1")
        self.automatic_optimization = False
        self.rollouts = rollouts
        self.spare = spare
        self.fresh = fresh
        self.max_env_steps = math.inf if max_env_steps is None else max_env_steps
        self.totals = Totals()
        self.running_average = RunningAverage(mean_decay) if mean_decay else None
        self.cores = count_cores()  # that the run may keep busy
        try:
            self.optimizer = SolverOptimizer(in_order(self.agent).values(), parts.optimizer)
            if start == "population" and parts.draw:
                self.optimizer.begin(parts.draw)
        except ConfigError as error:  # a solver knows its arguments, not where they come from
            raise ConfigError(f"optimizer.{error}") from None
        solver = self.optimizer.solver
        if spare:
            spare.check(self.agent, solver)
        check_sharing(episodes, group_size, solver)
        self.group = group_of(episodes, group_size, solver.popsize)
        self.ranked = self.group if episodes == "groups" else None  # within which fitness is ranked

    @classmethod
    def check(cls, config: DictConfig, processes: int) -> None:
        if "popsize" not in config.optimizer:
            raise ConfigError(
                f"optimizer={config.optimizer._target_} is no search, which learner={cls.__name__} needs; "
                "optimizer=adam is for learner=cloning"
            )
        check_generations(config.trainer)
        check_spare(config.learner)
        if 1 < config.optimizer.popsize < processes:
            raise ConfigError(
                f"optimizer.popsize={config.optimizer.popsize} must be at least {processes}: a candidate for each of "
                "the processes (trainer.devices times trainer.num_nodes) that share a generation"
            )

    @classmethod
    def needs(cls, config: DictConfig, parameters: int) -> list[Need]:
        popsize, rollouts = config.optimizer.popsize, config.learner.get("rollouts", 1)
        return [
            Need("optimizer.popsize", popsize, popsize * parameters),
            Need("learner.rollouts", rollouts, popsize * rollouts),
            *super().needs(config, parameters),
        ]

    @classmethod
    def start(cls, agent: Agent, config: DictConfig) -> None:
        start = config.learner.get("start", "zeros")
        if start in ("zeros", "open_gates"):
            start_search(agent, open_gates=start == "open_gates")

    def check_resumable(self, checkpoint: Mapping[str, object]) -> None:
        (state,) = cast(list[dict[str, object]], checkpoint["optimizer_states"])
        self.optimizer.check_resumable(state)

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        count_steps_by_hand(checkpoint)  # one of an older version was not optimised by hand
        self.totals = Totals.from_data(cast(dict[str, float], checkpoint.get("totals") or {}))
        if self.running_average:
            self.running_average.state = cast(dict[str, object], checkpoint["average"])

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["totals"] = self.totals.to_data()
        if self.running_average:
            checkpoint["average"] = self.running_average.state

    def average(self) -> Tensor | None:
        """Of the means so far, [D]."""
        return self.running_average.value if self.running_average else None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer

    def train_dataloader(self) -> DataLoader[int]:
        return generation_seeds(self.parts.seed, first=self.trainer.global_step, fresh=self.fresh)

    def on_fit_start(self) -> None:
        self._stop_if_done()  # a run that goes on may have its steps already

    def on_train_start(self) -> None:
        self.cores = int(self._gather(torch.tensor(count_cores(), device=self.device)).sum())  # of all processes

    def training_step(self, seed: int, batch_idx: int) -> None:
        """One generation."""
        start = time.perf_counter()
        if self.spare:
            self.optimizer.solver.spare(self.spare(self.agent, self.rollout.env, seed, self.rollouts))
        population = self.optimizer.ask()  # [P, D]
        episodes = self._roll_out(population, seed)
        fitness = episodes.returns.double().mean(1)  # [P]
        self._tell(fitness if self.ranked is None else rank_within(fitness, self.ranked))
        seconds = time.perf_counter() - start  # before any callback draws a picture
        if self.running_average:
            if self.optimizer.jumped:
                self.running_average.restart()
            self.running_average.add(torch.from_numpy(self.optimizer.mean()))
        self._log(fitness, steps_per_second=int(episodes.steps.sum()) / seconds)
        self._log_diagnostics(episodes, self.rollout.statistics.get("cluster/workers", self.cores) * seconds)
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        """End the training once it has its steps; Lightning validates then."""
        if self.totals.env_steps >= self.max_env_steps:
            self.trainer.should_stop = True

    def _roll_out(self, population: Tensor, seed: int) -> Episodes:
        """The episodes [P, R] of a population [P, D], played by all processes."""
        roll_out = Sharded(self.rollout, self._gather, self.trainer.global_rank, self.trainer.world_size)
        try:
            return roll_out(population, self.rollouts, seed, self.parts.perturbations, training=True, group=self.group)
        except PopulationsDifferError as error:
            raise ConfigError(
                f"trainer.devices, trainer.num_nodes: {error} in generation {self.trainer.global_step}; all processes "
                "must have the same kind of processor and the same versions of numpy, pycma and nevergrad"
            ) from None

    def _gather(self, tensor: Tensor) -> Tensor:
        """[...] of every process, [processes, ...]."""
        gathered = self.all_gather(tensor)
        assert isinstance(gathered, Tensor)
        return gathered

    def _tell(self, fitness: Tensor) -> None:
        """Let the solver learn from the fitness [P]: the agent's parameters become the new mean."""
        counting = self.optimizers()  # Lightning's, around ours
        assert isinstance(counting, LightningOptimizer)
        counting.step(lambda: fitness)

    def _log(self, fitness: Tensor, steps_per_second: float) -> None:
        """Log what a generation came to: of the candidates with a finite fitness, and of the solver."""
        finite = fitness[fitness.isfinite()]
        metrics: dict[str, float | Tensor] = {
            "train/nan_count": float(self.optimizer.nan_count),
            "perf/steps_per_second": steps_per_second,
            **self.rollout.statistics,
            **{f"train/{key}": value for key, value in self.optimizer.statistics().items()},
        }
        if len(finite):
            metrics |= {
                "train/fitness_max": finite.max(),
                "train/fitness_mean": finite.mean(),
                "train/fitness_min": finite.min(),
                "train/fitness_std": finite.std(correction=0),
            }
        self._log_all(metrics)

    def _log_diagnostics(self, episodes: Episodes, core_seconds: float) -> None:
        """Count a generation, which took core-seconds, and log what all have come to."""
        mean, sigma = self.optimizer.solver.mean, self.optimizer.statistics().get("sigma")
        self.totals.add(episodes, core_seconds, self.optimizer.moved, sigma)
        metrics = self.totals.metrics(mean, sigma)
        if self.rollouts > 1:
            metrics["train/rank_correlation"] = rank_correlation(episodes.returns, self.ranked)
        self._log_all(metrics)

    def _log_all(self, metrics: Mapping[str, float | Tensor]) -> None:
        self.log_dict({key: torch.as_tensor(value, dtype=torch.float64) for key, value in metrics.items()})
