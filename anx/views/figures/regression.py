"""How much of each input the latent code still holds: the inputs regressed on the code."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anx.rollout.trace import Trace


class Regression(NamedTuple):
    """Ordinary least squares from the latent code m_t [M V] to each input o_t [N] (Tang & Ha 2021, section 4.1)."""

    r2: dict[str, float | None]  # of each input by name, over all steps of the held-out episodes; None: it is constant
    true: NDArray[np.float64]  # [K, N], the first held-out episode
    predicted: NDArray[np.float64]  # [K, N], the same
    fitted: tuple[int, int]  # episodes and steps
    held_out: tuple[int, int]  # episodes and steps

    def to_json(self) -> dict[str, object]:
        """What a file says of it."""
        counts = ("fitted", self.fitted), ("held_out", self.held_out)
        return {"r2": self.r2, **{name: {"episodes": n, "steps": steps} for name, (n, steps) in counts}}


def regress(held_out: Sequence[Trace], fitted: Sequence[Trace], names: Sequence[str]) -> Regression:
    """Fit on the steps of some episodes, score on those of others.

    R² is 1 - (sum of squared errors) / (sum of squared deviations from the held-out mean), over all held-out steps
    together: 1 for an input that the code determines linearly, 0 for the guess of its mean, less for worse.

    Args:
        held_out: the episodes that R² is of.
        fitted: the episodes that the coefficients are of.
        names: of the N inputs.
    """
    # Imported here: it takes a second, which whoever draws nothing need not wait.
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(codes(fitted), inputs(fitted))
    true, predicted = inputs(held_out), model.predict(codes(held_out))
    spread = true.var(0) * (np.ptp(true, axis=0) > 0)  # 0, whatever rounding makes of it, where an input is constant
    errors = ((true - predicted) ** 2).mean(0)
    first = len(held_out[0].observations)
    return Regression(
        {name: float(1 - e / s) if s else None for name, e, s in zip(names, errors, spread, strict=True)},
        true[:first],
        predicted[:first],
        (len(fitted), sum(len(trace.observations) for trace in fitted)),
        (len(held_out), len(true)),
    )


def codes(traces: Sequence[Trace]) -> NDArray[np.float64]:
    """The latent codes of all steps [steps, M V]."""
    return torch.cat([trace.latents.flatten(1) for trace in traces]).double().numpy()


def inputs(traces: Sequence[Trace]) -> NDArray[np.float64]:
    """The inputs of all steps in the environment's order [steps, N]."""
    return torch.cat([trace.observations for trace in traces]).double().numpy()


def regression_figure(regression: Regression) -> Figure:
    """Each input and its prediction from the latent code, over a held-out episode."""
    count = len(regression.r2)
    columns = 1 if count <= 8 else 4
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(8 if columns == 1 else 12, 0.8 + 1.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    for place, (axis, (name, r2)) in enumerate(zip(axes.flat, regression.r2.items(), strict=False)):
        axis.plot(regression.true[:, place], color="0.35", linewidth=1.2, label="the input")
        axis.plot(regression.predicted[:, place], color="tab:orange", linewidth=0.9, label="from the latent code")
        axis.set_title(f"{name}   R² {r2:.2f}" if r2 is not None else f"{name}   constant", fontsize="medium", pad=3)
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize="small")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", fontsize="small", ncols=2)
    figure.supxlabel("step", fontsize="medium")
    figure.suptitle(f"inputs regressed on the latent code; R² over {regression.held_out[1]:,} held-out steps")
    return figure
