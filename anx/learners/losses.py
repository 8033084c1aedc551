"""How far a student's answers are from its teacher's."""

from typing import Literal, get_args

Loss = Literal["mse", "cross_entropy"]
Target = Literal["scores", "actions"]


def check_loss(loss: str, target: str, discrete: bool) -> None:
    """ValueError unless an agent can be taught like that.

    Args:
        loss: how far apart answers are.
        target: what is compared.
        discrete: whether the agent presses buttons.
    """
    for name, value, allowed in (("loss", loss, get_args(Loss)), ("target", target, get_args(Target))):
        if value not in allowed:
            raise ValueError(f"{name}={value} is not one of {', '.join(allowed)}")
    if loss == "cross_entropy" and not discrete:
        raise ValueError("loss=cross_entropy is for agents that press buttons; allowed: mse")
    if loss == "mse" and target == "actions" and discrete:
        raise ValueError(
            "target=actions has no gradient for an agent that presses buttons; allowed: scores, or loss=cross_entropy"
        )
