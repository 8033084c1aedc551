"""The best validated agent."""

from typing import Any, Literal

from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from anx.errors import ConfigError


class Best(Callback):
    """Keeps the weights of the agent that was validated best; of equals, the earliest.

    They are in a file of their own as soon as they are found, and in every checkpoint of the run: one that is resumed,
    in whatever folder, still has them.

    Args:
        path: of the file, a checkpoint with weights only.
        last: of the run's checkpoint, written as well: a resumed run does not validate its first generation again.
        monitor: the metric of the validation that decides.
        mode: whether more of it is better, or less.
    """

    def __init__(self, path: str, last: str, *, monitor: str, mode: Literal["max", "min"] = "max") -> None:
        self.path = path
        self.last = last
        self.monitor = monitor
        self.mode = mode
        self.score: float | None = None
        self.generation = 0  # after which it was validated
        self._weights: dict[str, Tensor] = {}

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            allowed = ", ".join(sorted(key for key in metrics if key.startswith("validation/")))
            raise ConfigError(f"callbacks.best.monitor={self.monitor} is not logged; allowed: {allowed}")
        score = float(metrics[self.monitor])
        if not trainer.strategy.broadcast(self._is_better(score)):  # all processes save, or none
            return
        agent: Any = pl_module.agent
        self.score, self.generation = score, trainer.global_step
        self._weights = {name: value.detach().cpu().clone() for name, value in agent.state_dict().items()}
        trainer.save_checkpoint(self.path, weights_only=True)
        trainer.save_checkpoint(self.last)

    def _is_better(self, score: float) -> bool:
        """NaN is never better."""
        if self.score is None:
            return score == score
        return score > self.score if self.mode == "max" else score < self.score

    def put_into(self, agent: Any) -> None:
        """Give an agent the best weights, if any agent has been validated yet."""
        if self._weights:
            agent.load_state_dict(self._weights)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "generation": self.generation, "weights": self._weights, "monitor": self.monitor}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] == self.monitor:  # else the scores can't be compared
            self.score, self.generation = state_dict["score"], state_dict["generation"]
            self._weights = state_dict["weights"]
