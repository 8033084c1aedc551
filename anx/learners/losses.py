"""How far a student's answers are from its teacher's."""

from typing import Literal, get_args

from anx.errors import check_choice

Loss = Literal["mse", "cross_entropy"]
Target = Literal["scores", "actions"]


def check_loss(loss: str, target: str, discrete: bool) -> None:
    """ValueError unless an agent can be taught like that.

    Args:
        loss: how far apart answers are.
        target: what is compared.
        discrete: whether the agent presses buttons.
    """
    check_choice("loss", loss, get_args(Loss))
    check_choice("target", target, get_args(Target))
    if loss == "cross_entropy" and not discrete:
        raise ValueError("loss=cross_entropy is for agents that press buttons; allowed: mse")
    if loss == "mse" and target == "actions" and discrete:
        raise ValueError(
            "target=actions has no gradient for an agent that presses buttons; allowed: scores, or loss=cross_entropy"
        )
