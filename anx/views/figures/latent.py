"""The latent code, plain and under perturbations of the inputs."""

import numpy as np
from matplotlib.figure import Figure

from anx.rollout.trace import Trace, evenly_spaced
from anx.views.figures.drawing import colour_scale, draw_rows

ROWS = 64  # of the code that are drawn


def latent_figure(plain: Trace, other: Trace, label: str = "shuffled") -> Figure:
    """The latent code [M V] over the steps of the same episode with plain inputs and with others, and its difference.

    The two have one colour scale. Of a code of more than `ROWS` numbers, evenly spaced ones are drawn; the difference
    is the largest of all of them. It ends with the shorter episode.

    Args:
        plain: the episode with the inputs in order.
        other: the same episode with perturbed inputs.
        label: how they were perturbed.
    """
    codes = [trace.latents.flatten(1).double().numpy() for trace in (plain, other)]  # [K, M V] each
    common, *both = np.intersect1d(plain.steps, other.steps, assume_unique=True, return_indices=True)
    difference = np.abs(codes[0][both[0]] - codes[1][both[1]]).max(1)  # at the common steps
    size = codes[0].shape[1]
    rows = evenly_spaced(size, ROWS)
    drawn = [code[:, rows] for code in codes]
    scale = colour_scale(*drawn)

    figure = Figure(figsize=(8, 6.5), layout="constrained")
    *maps, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(2, 2, 1))
    for axis, code, trace, name in zip(maps, drawn, (plain, other), ("plain", label), strict=True):
        image = draw_rows(axis, code, len(trace.rewards), scale)
        axis.set_title(f"{name}: return {float(trace.rewards.sum()):.1f} in {len(trace.rewards):,} steps")
        shown = f"{len(rows)} of {size:,} numbers" if size > len(rows) else f"all {size} numbers"
        axis.set(ylabel=f"latent code\n{shown}", yticks=[], facecolor="0.9")
    figure.colorbar(image, ax=maps, pad=0.01)
    bottom.plot(common, difference, color="tab:red", linewidth=1)
    most = max(scale.most, difference.max())  # beside the code, a small difference is to look small
    bottom.set(
        xlabel="step",
        ylabel="difference",
        xlim=(0, max(len(plain.rewards), len(other.rewards))),
        ylim=(-0.05 * most, 1.05 * most),
    )
    equal = "" if difference.any() else ": the codes are equal to the bit"
    bottom.set_title(f"largest difference {difference.max():.2g}{equal}")
    bottom.grid(alpha=0.3)
    return figure
