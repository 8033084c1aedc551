"""Pictures of attention while a run goes on, and the agent as it is then."""

from pathlib import Path
from typing import cast

from lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from anx.experiment.loggers.base import of_run
from anx.learners.base import Learner
from anx.perturb.inputs import Shuffle
from anx.population import get_vector
from anx.seeds import VALIDATION, derive_seed
from anx.views.figures import figures_of, save


class AttentionPictures(Callback):
    """Every so many steps, what the agent attends to in one shuffled held-out episode, as a file and to the loggers.

    Args:
        folder: of the pictures.
        every: steps of the training.
        seed: of the episode.
    """

    def __init__(self, folder: str, *, every: int = 25, seed: int = 0) -> None:
        if every < 1:
            raise ValueError(f"every={every} must be at least 1")
        self.folder = Path(folder)
        self.every = every
        self.seed = derive_seed(seed, VALIDATION)

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: object) -> None:
        if not trainer.is_global_zero or trainer.global_step % self.every:
            return
        learner = cast(Learner, pl_module)
        trace = learner.rollout.trace(get_vector(learner.agent), self.seed, [Shuffle()])
        for name, figure in figures_of(learner.rollout, trace).items():
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{name}_{trainer.global_step:06d}.png"
            save(figure, path)
            for logger in of_run(trainer.loggers):
                logger.log_picture(name, path, trainer.global_step)
