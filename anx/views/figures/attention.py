"""What an agent attends to in one episode."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from anx.rollout.trace import QUERIES, Trace, evenly_spaced
from anx.views.figures.drawing import colour_scale, draw_rows
from anx.views.patches import MOST_ATTENDED, Patches, corner_of, most_attended, newest_frame


def attention_over_time(trace: Trace, names: Sequence[str]) -> Figure:
    """Attention to each input [N], averaged over the queries, over the steps [T], above the return so far.

    The inputs are drawn in the environment's order, whatever order the agent saw them in.
    """
    steps, count = len(trace.rewards), trace.observations.shape[1]
    attention = in_environments_order(trace.attention, trace.origins, count).numpy()
    figure = Figure(figsize=(8, 3 + max(1.5, 0.17 * count)), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(max(2.2, 0.25 * count), 1))
    image = draw_rows(top, attention, steps, colour_scale(attention))
    top.set_yticks(np.arange(count) + 0.5, names or range(count))
    top.set_title("attention to each input (mean over the queries)")
    figure.colorbar(image, ax=top, pad=0.01)
    bottom.plot(trace.rewards.cumsum(0).numpy(), color="tab:blue")
    bottom.set(xlabel="step", ylabel="return so far", xlim=(0, steps))
    bottom.grid(alpha=0.3)
    return figure


def attention_by_query(trace: Trace, names: Sequence[str]) -> Figure:
    """Attention of each query to each input [N] over the steps [T], a panel a query.

    Of more than `QUERIES` queries, those are drawn that a trace keeps: evenly spaced ones. The inputs are drawn in the
    environment's order, as in `attention_over_time`.
    """
    steps, count = len(trace.rewards), trace.observations.shape[1]
    attention = in_environments_order(trace.attention_by_query, trace.origins, count).numpy()  # [K, N, Q]
    total = trace.latents.shape[1]
    queries = evenly_spaced(total, QUERIES)
    columns = min(4, len(queries))
    rows = math.ceil(len(queries) / columns)
    figure = Figure(figsize=(11, 0.6 + rows * max(1.2, 0.3 + 0.1 * count)), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    scale = colour_scale(attention)
    for axis in axes.flat[len(queries) :]:
        axis.set_visible(False)
    for index, (axis, query) in enumerate(zip(axes.flat, queries, strict=False)):
        image = draw_rows(axis, attention[:, :, index], steps, scale)
        axis.set_title(f"query {query}", fontsize="small", pad=3)
        axis.tick_params(labelsize="x-small")
    axes[0, 0].set_yticks(np.arange(count) + 0.5, names or range(count))
    figure.supxlabel("step", fontsize="small")
    shown = f"{len(queries)} of the {total} queries, evenly spaced," if total > len(queries) else "each query"
    figure.suptitle(f"attention of {shown} to each input")
    figure.colorbar(image, ax=axes, pad=0.01, fraction=0.02)
    return figure


def attention_on_frames(trace: Trace, patches: Patches, count: int = 4) -> Figure:
    """The newest frame at `count` times of an episode, with its most attended patches outlined.

    Args:
        trace: with observations [K, S, H, W].
        patches: how they were cut.
        count: frames drawn.
    """
    figure = Figure(figsize=(3 * count, 3.3), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    moments = np.linspace(0, len(trace.observations) - 1, count).round().astype(int)
    for axis, k in zip(axes, moments, strict=True):
        axis.imshow(newest_frame(trace.observations[k], patches))
        for origin in trace.origins[k, most_attended(trace.attention[k])].tolist():
            if origin >= 0:  # noise is nowhere on the frame
                top, left = corner_of(origin, patches)
                size = patches.patch_size
                axis.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, color="tab:orange"))
        axis.set(title=f"step {int(trace.steps[k])}", xticks=[], yticks=[])
    figure.suptitle(f"the {MOST_ATTENDED:.0%} most attended patches")
    return figure


def in_environments_order(weights: Tensor, origins: Tensor, count: int) -> Tensor:
    """Weights [K, N', ...] of the inputs that an agent got -> of the environment's inputs [K, N, ...].

    Those of an input's copies add up; those of noise are left out.

    Args:
        weights: as the agent got its inputs.
        origins: [K, N'], which of the environment's inputs each one is; -1 for noise.
        count: N.
    """
    ordered = weights.new_zeros(len(weights), count + 1, *weights.shape[2:])  # noise gets the last place
    rows = origins.remainder(count + 1).view(*origins.shape, *[1] * (weights.dim() - 2)).expand_as(weights)
    return ordered.scatter_add(1, rows, weights)[:, :count]
