"""The best validated agent."""

from typing import Any, Literal, cast

from lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from anx.errors import ConfigError
from anx.learners.base import AVERAGED, VALIDATED, Chosen, Learner


class Best(Callback):
    """Keeps the weights of the agent that was validated best, as the one to ship; of equals, the latest, which has
    learnt longest: a score that has an end, as Pong's, is soon reached.

    That is the agent as it was after a step or, where the learner has one, a running average of it by then. The weights
    are in a file of their own as soon as they are found, and in every checkpoint of the run: one that is resumed, in
    whatever folder, still has them.

    Args:
        path: of the file, a checkpoint with weights only.
        monitor: the metric of the validation that decides, validation/NAME; that of the average, where there is one, is
            validation/average_NAME.
        mode: whether more of it is better, or less.
    """

    def __init__(self, path: str, *, monitor: str, mode: Literal["max", "min"] = "max") -> None:
        self.path = path
        self.monitor = monitor
        self.mode = mode
        self._chosen: Chosen | None = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        cast(Learner, pl_module).outcome.chosen = self._chosen  # that of a checkpoint, in a run that goes on

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics, learner = trainer.callback_metrics, cast(Learner, pl_module)
        if self.monitor not in metrics:
            allowed = ", ".join(sorted(key for key in metrics if key.startswith(VALIDATED)))
            raise ConfigError(f"callbacks.best.monitor={self.monitor} is not logged; allowed: {allowed}")
        average = learner.average()
        if average is None or not self.monitor.startswith(AVERAGED):
            self._compare(trainer, learner, self.monitor)
        averaged = AVERAGED + self.monitor.removeprefix(AVERAGED).removeprefix(VALIDATED)
        if average is not None and averaged in metrics:
            with learner.holding(average):
                self._compare(trainer, learner, averaged)

    def _compare(self, trainer: Trainer, learner: Learner, metric: str) -> None:
        """Keep the agent as it is now if by this metric it is the best so far."""
        score = float(trainer.callback_metrics[metric])
        if not trainer.strategy.broadcast(self._is_better(score, trainer.global_step)):  # all processes save, or none
            return
        weights = {name: value.detach().cpu().clone() for name, value in learner.agent.state_dict().items()}
        self._chosen = learner.outcome.chosen = Chosen(trainer.global_step, metric, score, weights)
        trainer.save_checkpoint(self.path, weights_only=True)

    def _is_better(self, score: float, step: int) -> bool:
        """NaN is never better, and a running average must be more than equal to what it is an average of."""
        if self._chosen is None:
            return score == score
        if score == self._chosen.score:
            return step > self._chosen.step
        return score > self._chosen.score if self.mode == "max" else score < self._chosen.score

    @override
    def state_dict(self) -> dict[str, object]:
        if self._chosen is None:
            return {"score": None, "monitor": self.monitor}
        step, metric, score, weights = self._chosen
        return {"score": score, "generation": step, "weights": weights, "monitor": self.monitor, "metric": metric}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] == self.monitor and state_dict["score"] is not None:  # else they can't be compared
            step, score, weights = (state_dict[key] for key in ("generation", "score", "weights"))
            self._chosen = Chosen(step, state_dict.get("metric", self.monitor), score, weights)
