"""Cloning: an agent learns by gradients to act as a teacher does (Pomerleau 1989; Tang & Ha 2021, section 4)."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Literal, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from omegaconf import DictConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from anx.data.base import Lesson, Lessons
from anx.errors import ConfigError
from anx.learners.base import Learner, Metric, Parts, Words, check_counts
from anx.learners.dagger import Dagger, Rounds
from anx.learners.lessons import Anew, InTurns, in_turns
from anx.learners.losses import Loss, Target, check_loss
from anx.learners.missing import Missing
from anx.learners.schedule import Schedule, check_schedule, share
from anx.learners.student import Student
from anx.perturb.pipeline import Pipeline
from anx.seeds import TRAINING, derive_seed

Draws = Literal["lessons", "batch"]


class Cloning(Learner):
    """Trains an agent to answer what a teacher answers to the same observations, after the same previous actions.

    A step is a batch of lessons, shared among processes. What it draws hangs on the run's seed and the step's number
    alone: a resumed run goes on as it would have.

    Args:
        parts: the agent, its rollout, parameters -> torch's optimizer, and perturbations of the inputs in training.
        data: the lessons.
        batch_size: lessons in a batch, of all processes.
        loss: `mse`, or `cross_entropy`, for agents that press buttons.
        target: what the teacher says: its `scores`, or its `actions`; of buttons, the one that it presses.
        draws: whether perturbations are drawn for each of the `lessons`, or once for a whole `batch`.
        occlude: between which shares of the inputs that is which are missing, after the perturbations; drawn anew for
            each batch. null: no more than the perturbations take.
        action_noise: standard deviation of Gaussian noise on the previous actions that the student sees.
        truncate: steps after which no gradient goes back through what neurons and policy remember; null: all steps.
        merge: whether still inputs become one, where agents can do that (see `anx.agent.still`).
        schedule: of the learning rate: `constant`, or `linear` or `cosine` from the optimizer's down to 0.
        schedule_steps: batches after which it is 0.
        warmup: batches in which it rises from 0.
        workers: processes that read lessons ahead.
        dagger: whether and how the student plays in between, and the teacher says what it would have done.
        validation_episodes: held-out episodes of a validation.
        test_episodes: held-out episodes of the final evaluation.
    """

    words = Words("batch", "batches", "the agent")
    shown: ClassVar[Sequence[Metric]] = (*Learner.shown, Metric("steps/s", "perf/steps_per_second", "{:,.0f}"))
    free = Learner.free | {"workers", "data.path", "dagger.path"}

    def __init__(
        self,
        parts: Parts,
        *,
        data: Lessons | None = None,
        batch_size: int = 64,
        loss: Loss = "mse",
        target: Target = "actions",
        draws: Draws = "lessons",
        occlude: Sequence[float] | None = None,
        action_noise: float = 0.0,
        truncate: int | None = None,
        merge: bool = True,
        schedule: Schedule = "constant",
        schedule_steps: int = 1,
        warmup: int = 0,
        workers: int = 0,
        dagger: Dagger | None = None,
        validation_episodes: int = 500,
        test_episodes: int = 1000,
    ) -> None:
        super().__init__(parts, validation_episodes=validation_episodes, test_episodes=test_episodes)
        check_counts(batch_size=batch_size, truncate=truncate)
        for name, value in (("action_noise", action_noise), ("warmup", warmup), ("workers", workers)):
            if value < 0:
                raise ValueError(f"{name}={value} must be at least 0")
        check_schedule(schedule, schedule_steps, warmup)
        if data is None:
            raise ValueError("data=None must be lessons")
        if batch_size > len(data):
            raise ValueError(f"batch_size={batch_size} must be at most {len(data)}, the lessons that there are")
        check_fits(data, parts)
        if any(each.befalls != "inputs" for each in parts.perturbations):
            raise ConfigError("perturbations of actuators have no place in cloning; allowed: those of the inputs")
        check_loss(loss, target, parts.agent.discrete)
        if schedule == "constant":
            self.free = self.free | {"schedule_steps"}  # nothing hangs on it: such a run may go on for longer
        self.missing = None if occlude is None else Missing(occlude, parts.agent, parts.perturbations)
        self.data = data
        self.batch_size = batch_size
        self.loss: Loss = loss
        self.target: Target = target
        self.draws: Draws = draws
        self.action_noise = action_noise
        self.schedule: Schedule = schedule
        self.schedule_steps = schedule_steps
        self.warmup = warmup
        self.workers = workers
        self.student = Student(parts.agent, parts.perturbations, truncate=truncate, merge=merge)
        self.rounds = Rounds(dagger, data, parts) if dagger else None
        self._began, self._seconds, self._total = 0.0, 0.0, 0.0  # of a batch, of all

    @classmethod
    def check(cls, config: DictConfig, processes: int) -> None:
        if config.learner.get("data") is None:
            raise ConfigError(
                "data=null: learner=cloning (which optimizer=adam brings) needs lessons; choose some: data=..."
            )
        if "popsize" in config.optimizer:
            raise ConfigError(
                f"optimizer={config.optimizer._target_} searches; learner=cloning needs one of torch's: optimizer=adam"
            )
        if config.trainer.get("accumulate_grad_batches", 1) != 1:
            raise ConfigError(
                f"trainer.accumulate_grad_batches={config.trainer.accumulate_grad_batches} must be 1: a step is a "
                "batch; learner.batch_size says how large it is"
            )
        if config.learner.get("batch_size", processes) % processes:
            raise ConfigError(
                f"learner.batch_size={config.learner.batch_size} must be a multiple of {processes}: the processes "
                "(trainer.devices times trainer.num_nodes) that share a batch"
            )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.parts.optimizer(self.agent.parameters())
        rate = LambdaLR(optimizer, lambda step: share(self.schedule, step, self.schedule_steps, self.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def train_dataloader(self) -> Iterable[Lesson]:
        """Lessons without end, from where a run that goes on was."""
        if self.rounds is None:
            return self._in_turns(self.data, self.parts.seed, self.trainer.global_step)
        return Anew(partial(self._between_rounds, self.rounds))

    def _in_turns(self, lessons: Dataset[Lesson], seed: int, first: int) -> DataLoader[Lesson]:
        """This process' part of batches of lessons."""
        shared = {"rank": self.trainer.global_rank, "processes": self.trainer.world_size}
        turns = InTurns(len(cast(Sized, lessons)), self.batch_size, seed, first=first, **shared)
        return in_turns(lessons, turns, self.workers)

    def _between_rounds(self, rounds: Rounds) -> Iterator[Lesson]:
        """Batches; before one that is due for it, the first process lets the student play."""
        step, every = self.trainer.global_step, rounds.dagger.every
        if self.trainer.is_global_zero:
            rounds.announce(self.trainer.max_steps)
        while True:
            number, first = divmod(step, every)
            if self.trainer.is_global_zero and number > rounds.done:
                rounds.play(number)
            self.trainer.strategy.barrier()
            rounds.read(number)
            yield from islice(self._in_turns(rounds.lessons, rounds.seed(number), first), every - first)
            step += every - first

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        self._began = time.perf_counter()

    def training_step(self, lessons: Lesson, batch_idx: int) -> Tensor:
        """The loss of a batch [B, T, ...], of this process' part."""
        scores = self._answers(lessons).float()  # [B, T, A]
        errors, counted = self.errors(scores, lessons.scores), lessons.weights  # [B, T]
        total = cast(Tensor, self.all_gather(counted.sum())).double().mean()  # gradients are averaged over processes
        loss = (errors * counted).sum() / total.clamp(min=1e-9).to(errors)
        self.log("train/loss", loss.detach(), sync_dist=self.trainer.world_size > 1)
        if self.agent.discrete:
            same = (scores.argmax(-1) == lessons.scores.argmax(-1)) * counted
            agreement = same.sum() / total.clamp(min=1e-9)
            self.log("train/agreement", agreement, sync_dist=self.trainer.world_size > 1)
        return loss

    def _answers(self, lessons: Lesson) -> Tensor:
        """The student's scores [B, T, A] under this step's perturbations."""
        seed = derive_seed(self.parts.seed, TRAINING, self.trainer.global_step)
        own = torch.arange(self.batch_size)[self.trainer.global_rank :: self.trainer.world_size]  # of the whole batch
        previous = lessons.previous_actions
        if self.action_noise:
            generator = torch.Generator().manual_seed(seed)
            noise = torch.randn(self.batch_size, *previous.shape[1:], generator=generator)[own]
            previous = previous + self.action_noise * noise.to(previous)
        each = self.draws == "lessons"
        perturbations = [*self.parts.perturbations, *([self.missing(seed)] if self.missing else [])]
        pipeline = Pipeline(self.agent, perturbations, self.batch_size if each else 1, seed)
        return self.student.scores(lessons.observations, previous, pipeline, own if each else torch.zeros_like(own))

    def errors(self, scores: Tensor, taught: Tensor) -> Tensor:
        """Scores and the teacher's [B, T, A] -> how far apart they are [B, T]."""
        if self.loss == "cross_entropy":
            wanted = taught.softmax(-1) if self.target == "scores" else self.agent.as_action(taught)
            return -(wanted * scores.log_softmax(-1)).sum(-1)
        if self.target == "actions":
            scores, taught = self.agent.as_action(scores), self.agent.as_action(taught)
        return (scores - taught).square().mean(-1)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self._seconds = time.perf_counter() - self._began  # before any callback draws a picture

    def on_train_batch_end(self, outputs: object, batch: Lesson, batch_idx: int) -> None:
        steps = self.trainer.world_size * batch.weights.numel()
        self.log("perf/steps_per_second", steps / self._seconds)
        self._total += self._seconds
        self.log("perf/training_seconds", self._total)
        if self.rounds:
            self.log_dict({**self.rounds.metrics, "perf/playing_seconds": self.rounds.seconds})

    def check_resumable(self, checkpoint: Mapping[str, object]) -> None:
        if self.rounds:
            self.rounds.check(cast(int, cast(Mapping[str, object], checkpoint["rounds"])["done"]))

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["seconds"] = self._total
        if self.rounds:
            checkpoint["rounds"] = self.rounds.state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._total = checkpoint.get("seconds", 0.0)
        if self.rounds:
            self.rounds.state = checkpoint["rounds"]


def check_fits(data: Lessons, parts: Parts) -> None:
    """ValueError unless lessons are about what an agent observes and does."""
    own = parts.agent_config.get("env")
    for key, value in (data.env or {}).items():
        if isinstance(own, Mapping) and own.get(key, value) != value and key != "max_steps":
            raise ValueError(f"data={value} is env.{key} of the lessons, env.{key}={own[key]} is the run's")
    spec, lesson = parts.rollout.env.spec, data[0]
    observed, answered = tuple(lesson.observations.shape[1:]), tuple(lesson.scores.shape[1:])
    if observed != tuple(spec.observation_shape) or answered != (spec.action_size,):
        raise ValueError(
            f"data={list(observed)} observed, {list(answered)} answered: the environment's are "
            f"{list(spec.observation_shape)} and {[spec.action_size]}"
        )
