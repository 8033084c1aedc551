"""The latent code in two dimensions."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from anx.rollout.trace import Trace, evenly_spaced
from anx.views.patches import Patches, newest_frame

POINTS = 1000  # at most
FEWEST = 5  # steps that have neighbours to speak of
DIMENSIONS = 50  # that PCA leaves for t-SNE (van der Maaten & Hinton 2008, section 4.2)
PERPLEXITY = 30.0
FRAMES = 12  # drawn around the points
FRAME_SIZE = 56  # their longer side, points


def embedding_figure(trace: Trace, patches: Patches, seed: int = 0) -> Figure:
    """The latent codes of an episode's steps in two dimensions by t-SNE, coloured by time, some with their frames.

    Of more than `POINTS` steps, evenly spaced ones are drawn.

    Args:
        trace: with observations [K, S, H, W].
        patches: how they were cut.
        seed: of t-SNE.
    """
    kept = evenly_spaced(len(trace.latents), POINTS)
    points = embed(trace.latents[kept].flatten(1).float().numpy(), seed)
    figure = Figure(figsize=(8, 7), layout="constrained")
    axis = figure.subplots()
    dots = axis.scatter(points[:, 0], points[:, 1], c=trace.steps[kept], s=10, cmap="viridis")
    shown = evenly_spaced(len(points), FRAMES)
    axis.scatter(points[shown, 0], points[shown, 1], s=30, facecolor="none", edgecolor="0.2")
    for point, corner in zip(shown, around(points[shown]), strict=True):
        frame = newest_frame(trace.observations[kept[point]], patches)
        image = OffsetImage(frame, zoom=FRAME_SIZE / max(frame.shape[:2]))
        arrow = {"arrowstyle": "-", "color": "0.4", "linewidth": 0.8}
        axis.add_artist(AnnotationBbox(image, points[point], corner, pad=0.1, arrowprops=arrow))
    axis.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), xticks=[], yticks=[])
    axis.set_title(f"latent code of {len(points):,} steps, t-SNE; the frames of {len(shown)} of them")
    figure.colorbar(dots, ax=axis, pad=0.01, label="step")
    return figure


def embed(codes: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Codes [K, M V] -> points [K, 2] within the unit circle."""
    # Imported here: it takes a second, which whoever draws nothing need not wait.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    reduced = PCA(min(DIMENSIONS, *codes.shape), random_state=seed).fit_transform(codes)
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced).astype(np.float64)
    points -= (points.max(0) + points.min(0)) / 2
    return points / np.linalg.norm(points, axis=1).max()


def around(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points [K, 2] -> K places on a circle around the unit circle, evenly spaced, in the order of their angles."""
    angles = np.arctan2(points[:, 1], points[:, 0])
    even = np.empty(len(points))
    even[angles.argsort(kind="stable")] = np.arange(len(points)) * 2 * np.pi / len(points)
    even += np.angle(np.exp(1j * (angles - even)).mean())  # turned to where the lines are shortest
    return 1.4 * np.stack([np.cos(even), np.sin(even)], axis=1)
