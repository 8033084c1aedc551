"""What every way to learn is: a LightningModule that owns its agent, its data, its validations and its words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from omegaconf import DictConfig
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from anx.agent.agent import Agent
from anx.envs.base import HostEnvironment
from anx.internal.lightning import set_logged_step
from anx.learners.data import one_seed
from anx.perturb.base import Perturbation
from anx.perturb.inputs import Shuffle
from anx.population import get_vector, set_vector
from anx.rollout.base import Rollout
from anx.seeds import TEST, VALIDATION
from anx.teachers.base import Teacher

# What the names of metrics begin with: of the agent's validations, and of those of its running average.
VALIDATED, AVERAGED = "validation/", "validation/average_"

SHUFFLED = (Shuffle(),)  # the same at every validation: a rollout compiles anew for another one


class Words(NamedTuple):
    """How a run speaks of what a learner does."""

    step: str = "step"  # what one training step is called
    steps: str = "steps"
    last: str = "the last agent"  # that after the last step


class Metric(NamedTuple):
    """A metric as the terminal shows it."""

    label: str
    key: str  # under which it is logged
    form: str = "{:.1f}"


class Need(NamedTuple):
    """The least that a run has to hold at once, and what asks for it."""

    key: str
    value: int
    numbers: int  # of double precision


class Chosen(NamedTuple):
    """The agent that was validated best."""

    step: int  # after which it was validated
    monitor: str  # the metric that has decided
    score: float
    weights: dict[str, Tensor]


@dataclass
class Outcome:
    """What befalls a run while it trains: callbacks write it down, the run reads it once the training is over."""

    stopped_by: int | None = None  # the signal that has ended it
    chosen: Chosen | None = None  # the agent to ship; None: the last one


class Parts:
    """What a learner is built from besides its own arguments.

    Not a dataclass: Hydra would take that for a configuration.

    Args:
        agent: what learns.
        rollout: lets it act.
        optimizer: what `optimizer=` chooses, but for its first argument: parameters -> torch optimizer, or D -> solver.
        perturbations: of the inputs, and of the actions, in training.
        seed: of the run.
        agent_config: what builds the agent, kept in its checkpoints.
        run_config: what else has to be the same for a run to go on from them.
        teacher: builds whom a student can ask, for an environment; None: nobody.
        draw: builds another agent, whose parameters are drawn anew; None: the agent is to start as it is.
    """

    def __init__(
        self,
        agent: Agent,
        rollout: Rollout,
        optimizer: Callable[..., Any],
        *,
        perturbations: Sequence[Perturbation] = (),
        seed: int = 0,
        agent_config: Mapping[str, object] | None = None,
        run_config: Mapping[str, object] | None = None,
        teacher: Callable[[HostEnvironment], Teacher] | None = None,
        draw: Callable[[], Agent] | None = None,
    ) -> None:
        self.agent = agent
        self.rollout = rollout
        self.optimizer = optimizer
        self.perturbations = perturbations
        self.seed = seed
        self.agent_config = dict(agent_config or {})
        self.run_config = dict(run_config or {})
        self.teacher = teacher
        self.draw = draw


class Learner(LightningModule):
    """A way to learn. One that is new writes two methods of Lightning's:

    - `train_dataloader() -> batches`, its data;
    - `training_step(batch, batch_idx) -> loss`, or None where it optimises by hand (`automatic_optimization = False`).

    Its configuration, `configs/learner/mine.yaml`, is `_target_: my_package.Mine` and its arguments;
    `python -m anx.run --config-dir configs learner=mine optimizer=adam` trains with it.

    What is here already: the optimizer over the agent's parameters, validation and test by episodes that the agent
    never met in training, what checkpoints say of the agent. Class attributes name what a run shows of it.

    Args:
        parts: what every learner is built from.
        validation_episodes: held-out episodes of a validation.
        test_episodes: held-out episodes of the final evaluation.
    """

    words: ClassVar[Words] = Words()
    # In this order; the first ones stay where there is no room for all.
    shown: ClassVar[Sequence[Metric]] = (
        Metric("loss", "train/loss", "{:.3g}"),
        Metric("shuffled", "validation/shuffled_mean"),
        Metric("plain", "validation/plain_mean"),
    )
    # What the agent is validated and tested with, by the name under which its mean return is logged and reported.
    validations: ClassVar[Mapping[str, Sequence[Perturbation]]] = {"plain": (), "shuffled": SHUFFLED}
    # Arguments that may differ when a run goes on from a checkpoint.
    free: frozenset[str] = frozenset({"test_episodes"})

    def __init__(self, parts: Parts, *, validation_episodes: int = 500, test_episodes: int = 1000) -> None:
        super().__init__()
        check_counts(validation_episodes=validation_episodes, test_episodes=test_episodes)
        self.parts = parts
        self.agent = parts.agent
        self.rollout = parts.rollout
        self.validation_episodes = validation_episodes
        self.test_episodes = test_episodes
        self.outcome = Outcome()
        # Of the final evaluation: returns [test_episodes] by the validation's name.
        self.results: dict[str, Tensor] = {}

    @classmethod
    def check(cls, config: DictConfig, processes: int) -> None:
        """Raise ConfigError where a run's configuration is none for this learner; before anything is built.

        Args:
            config: of the run; its values have the types that they should.
            processes: that will share the run.
        """

    @classmethod
    def needs(cls, config: DictConfig, parameters: int) -> list[Need]:
        """What a run has to hold at once, of an agent of D parameters; before the learner is built."""
        counts = {key: config.learner.get(key, 1) for key in ("validation_episodes", "test_episodes")}
        return [Need(f"learner.{key}", count, count) for key, count in counts.items()]

    @classmethod
    def start(cls, agent: Agent, config: DictConfig) -> None:
        """Set the parameters of an agent to where learning of `config` starts; by default where parts are built."""

    def check_resumable(self, checkpoint: Mapping[str, object]) -> None:
        """Raise ConfigError unless this learner can go on from a checkpoint of the same configuration."""

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer: Optimizer = self.parts.optimizer(self.agent.parameters())
        return optimizer

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        set_logged_step(self.trainer, self.trainer.global_step)  # a resumed run's would be off

    def val_dataloader(self) -> DataLoader[int]:
        return one_seed(self.parts.seed, VALIDATION)

    def test_dataloader(self) -> DataLoader[int]:
        return one_seed(self.parts.seed, TEST)

    def average(self) -> Tensor | None:
        """A running average of the parameters [D], validated beside them, and shipped where it is better.

        By default there is none.
        """
        return None

    def validation_step(self, seed: int, batch_idx: int) -> None:
        """The agent's mean return on held-out episodes, and that of its average on the same ones."""
        self._validate(seed, VALIDATED)
        if (average := self.average()) is not None:
            with self.holding(average):
                self._validate(seed, AVERAGED)

    def _validate(self, seed: int, prefix: str) -> None:
        for name, returns in self.play(seed, self.validation_episodes).items():
            self.log(f"{prefix}{name}_mean", returns.double().mean(), batch_size=1)

    def test_step(self, seed: int, batch_idx: int) -> None:
        """The same on episodes that no validation met: the score of the agent that they have chosen is unbiased."""
        self.results = self.play(seed, self.test_episodes)
        for name, returns in self.results.items():
            self.log(f"test/{name}_mean", returns.double().mean(), batch_size=1)

    def play(self, seed: int, episodes: int) -> dict[str, Tensor]:
        """The returns [episodes] of the agent as it is, by the validation's name."""
        agent = get_vector(self.agent).unsqueeze(0)  # [1, D]
        with torch.autocast(agent.device.type, enabled=False):  # `trainer.precision` is the training's
            return {
                name: self.rollout(agent, episodes, seed, perturbations, repeated=True).returns[0]
                for name, perturbations in self.validations.items()
            }

    @contextmanager
    def holding(self, vector: Tensor) -> Iterator[None]:
        """Within, the agent has these parameters [D]; behind it, its own again."""
        own = get_vector(self.agent)
        set_vector(self.agent, vector)
        try:
            yield
        finally:
            set_vector(self.agent, own)

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        checkpoint["config"] = self.parts.agent_config
        checkpoint["run"] = self.parts.run_config

    def teardown(self, stage: str) -> None:
        self.rollout.close()


def check_counts(**counts: int | None) -> None:
    """ValueError unless each of a learner's arguments is at least 1; None is no count."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
