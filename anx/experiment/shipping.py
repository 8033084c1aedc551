"""The agent that a run leaves: the best validated one, or the last."""

from pathlib import Path
from typing import NamedTuple

from lightning.pytorch.utilities import rank_zero_only

from anx.experiment.files.weights import write_agent
from anx.learners.base import Learner


class Shipped(NamedTuple):
    """Which of a run's agents was shipped."""

    step: int  # after which it was the run's
    chosen_by: str | None = None  # the metric of the validation that has decided, and its value
    score: float | None = None


def ship(learner: Learner, steps: int, path: Path) -> Shipped | None:
    """Put the best validated weights into the agent and write it; the last ones where nothing was validated.

    Args:
        learner: after its training, also one that was cut off.
        steps: that it has made; before the first there is nothing to ship.
        path: of the file.
    """
    if not steps:
        return None
    shipped = Shipped(steps)
    if chosen := learner.outcome.chosen:
        learner.agent.load_state_dict(chosen.weights)
        shipped = Shipped(chosen.step, chosen.monitor, chosen.score)
    write_once(learner, path)
    return shipped


@rank_zero_only
def write_once(learner: Learner, path: Path) -> None:
    write_agent(learner.agent, learner.parts.agent_config, path)
