"""Evolution as a LightningModule: one training step is one generation."""

import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.learners.optimizer import SolverOptimizer
from anx.learners.resumption import check_same
from anx.perturb.inputs import Perturbation, Shuffle
from anx.population import get_vector
from anx.rollout.base import Rollout
from anx.solvers.base import Solver

SHUFFLED = (Shuffle(),)  # the same at every validation: a rollout compiles anew for another one


class Evolution(LightningModule):
    """Trains an agent as a black box: the population's fitness is its mean return over the generation's episodes.

    Every process asks for the same population, evaluates its share of it and tells the whole: solvers on all processes
    stay equal, and equal to a single process's.

    Args:
        agent: the module whose parameters evolve; between steps they are the distribution's mean.
        rollout: evaluates populations of it.
        optimizer: D -> the solver that searches over its parameters.
        rollouts: R, episodes a candidate, the same ones for every candidate of a generation.
        validation_episodes: held-out episodes on which the mean is validated, plain and shuffled.
        test_episodes: held-out episodes of the final evaluation.
        perturbations: of the inputs in training; validation is plain and shuffled whatever they are.
        agent_config: what builds the agent, kept in its checkpoints.
        run_config: what else has to be the same for a run to go on from them.
    """

    def __init__(
        self,
        agent: Agent,
        rollout: Rollout,
        optimizer: Callable[[int], Solver],
        *,
        rollouts: int = 16,
        validation_episodes: int = 500,
        test_episodes: int = 1000,
        perturbations: Sequence[Perturbation] = (),
        agent_config: dict[str, Any] | None = None,
        run_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        for key, value in (
            ("rollouts", rollouts),
            ("validation_episodes", validation_episodes),
            ("test_episodes", test_episodes),
        ):
            if value < 1:
                raise ValueError(f"learner.{key}={value} must be at least 1")
        self.agent = agent
        self.rollout = rollout
        self.rollouts = rollouts
        self.validation_episodes = validation_episodes
        self.test_episodes = test_episodes
        self.perturbations = perturbations
        self.test_returns: dict[str, Tensor] = {}
        try:
            self.optimizer = SolverOptimizer(agent.parameters(), optimizer)
        except ConfigError as error:  # a solver knows its arguments, not where they come from
            raise ConfigError(f"optimizer.{error}") from None
        self.agent_config = agent_config
        self.run_config = run_config
        self._steps = 0
        self._seconds = 0.0

    def check_resumable(self, checkpoint: dict[str, Any]) -> None:
        """Raise ConfigError unless the checkpoint is of this run: its agent, its episodes and its search."""
        if "optimizer_states" not in checkpoint:
            raise ConfigError("ckpt_path: the checkpoint holds weights only; resume from last.ckpt, or use weights=")
        check_same(checkpoint.get("config") or {}, self.agent_config or {}, older={"agent"})
        check_same(checkpoint.get("run") or {}, self.run_config or {})
        self.optimizer.check_resumable(checkpoint["optimizer_states"][0])

    def configure_optimizers(self) -> SolverOptimizer:
        return self.optimizer

    def training_step(self, seed: int, batch_idx: int) -> Tensor:
        """The fitness [P] of the population that waits for it."""
        population = self.optimizer.ask()
        own = torch.arange(len(population)).tensor_split(self.trainer.world_size)[self.trainer.global_rank]
        fitness, steps = population.new_zeros(len(population), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        if self.trainer.world_size > 1:
            self._check_same(population)
        if len(own):
            episodes = self.rollout(
                population[own], self.rollouts, seed, self.perturbations, training=True, candidates=len(population)
            )
            fitness[own] = episodes.returns.double().mean(1)
            steps = episodes.steps.sum()
        if self.trainer.world_size > 1:  # what others evaluated is 0 here
            fitness, steps = self._gather(fitness).sum(0), self._gather(steps).sum()
        self._steps = int(steps)
        return fitness

    def _check_same(self, population: Tensor) -> None:
        """Raise ConfigError unless all processes have asked for the same population: else each would tell its solver
        what another's candidates achieved."""
        digest = zlib.crc32(population.cpu().numpy().tobytes())
        digests = self._gather(torch.tensor(digest, dtype=torch.int64, device=self.device)).tolist()
        for process, other in enumerate(digests):
            if other != digests[0]:
                raise ConfigError(
                    f"trainer.devices, trainer.num_nodes: process {process} asked for other candidates than process 0 "
                    f"in generation {self.trainer.global_step}; all processes must have the same kind of processor and "
                    "the same versions of numpy, pycma and nevergrad"
                )

    def _gather(self, tensor: Tensor) -> Tensor:
        """[...] of every process, [processes, ...]."""
        gathered = self.all_gather(tensor)
        assert isinstance(gathered, Tensor)
        return gathered

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Nothing: evolution has no gradients."""

    def on_train_batch_start(self, batch: int, batch_idx: int) -> None:
        # The step that loggers are given; resumed right after a validation, Lightning counts that batch twice.
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = self.trainer.global_step
        self._started = time.perf_counter()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self._seconds = time.perf_counter() - self._started  # before any callback draws a picture

    def on_train_batch_end(self, outputs: Any, batch: int, batch_idx: int) -> None:
        fitness = outputs["loss"]
        finite = fitness[fitness.isfinite()]
        metrics = {
            "train/nan_count": float(self.optimizer.nan_count),
            "perf/steps_per_second": self._steps / self._seconds,
            **{f"train/{key}": value for key, value in self.optimizer.statistics().items()},
        }
        if len(finite):
            metrics |= {
                "train/fitness_max": finite.max(),
                "train/fitness_mean": finite.mean(),
                "train/fitness_min": finite.min(),
                "train/fitness_std": finite.std(correction=0),
            }
        self.log_dict({key: torch.as_tensor(value, dtype=torch.float64) for key, value in metrics.items()})

    def validation_step(self, seed: int, batch_idx: int) -> None:
        """The mean's return on held-out episodes, plain and shuffled."""
        for name, returns in self._evaluate(seed, self.validation_episodes).items():
            self.log(f"validation/{name}_mean", returns.double().mean(), batch_size=1)

    def test_step(self, seed: int, batch_idx: int) -> None:
        self.test_returns = self._evaluate(seed, self.test_episodes)
        for name, returns in self.test_returns.items():
            self.log(f"test/{name}_mean", returns.double().mean(), batch_size=1)

    def _evaluate(self, seed: int, episodes: int) -> dict[str, Tensor]:
        mean = get_vector(self.agent).unsqueeze(0)
        return {
            "plain": self.rollout(mean, episodes, seed).returns[0],
            "shuffled": self.rollout(mean, episodes, seed, SHUFFLED).returns[0],
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.agent_config
        checkpoint["run"] = self.run_config

    def teardown(self, stage: str) -> None:
        self.rollout.close()
