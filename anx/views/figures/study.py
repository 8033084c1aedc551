"""Which figures make sense for an agent, and the episodes that they show."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from anx.files import write_whole
from anx.perturb.base import Perturbation
from anx.population import get_vector
from anx.progress import advance, shown
from anx.rollout.base import Rollout
from anx.rollout.trace import Trace
from anx.seeds import STUDY, derive_seed
from anx.views.figures.attention import attention_by_query, attention_on_frames, attention_over_time
from anx.views.figures.drawing import save
from anx.views.figures.embedding import FEWEST, embedding_figure
from anx.views.figures.latent import latent_figure
from anx.views.figures.regression import Regression, regress, regression_figure
from anx.views.patches import patches_of


class Study(NamedTuple):
    """An agent in figures."""

    figures: dict[str, Figure]
    regression: Regression | None  # of scalars


def study(
    rollout: Rollout, seed: int, perturbations: Sequence[Perturbation], label: str = "shuffled", *, episodes: int = 20
) -> Study:
    """Play what the figures of a rollout's agent show, and draw them.

    The episode drawn is the first one of `seed`. The regression is of that one and of others drawn from
    `seed`, the first half of them held out; their inputs are perturbed, too.

    Args:
        rollout: its agent plays in double precision, in which the order of the inputs changes no bit of the latent
            code (see `AttentionPooler.forward`); in single precision chaos would make two episodes of one.
        seed: of the episodes.
        perturbations: of the inputs.
        label: what they are called.
        episodes: of the regression, at least 2.
    """
    vector = get_vector(rollout.agent).double()
    with shown("playing what the figures show", 1 + episodes):
        plain = traced(rollout, vector, seed)
        perturbed = traced(rollout, vector, seed, perturbations)
        regression = None
        if perturbed.scalars:
            seeds = [derive_seed(seed, STUDY, episode) for episode in range(1, episodes)]
            traces = [perturbed, *(traced(rollout, vector, own, perturbations) for own in seeds)]
            regression = regress(traces[: episodes // 2], traces[episodes // 2 :], input_names(rollout))
    return Study(figures_of(rollout, perturbed, plain, label, regression), regression)


def traced(rollout: Rollout, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = ()) -> Trace:
    """The first episode of `seed`, and one more is done."""
    trace = rollout.trace(vector, seed, perturbations)
    advance()
    return trace


def figures_of(
    rollout: Rollout,
    perturbed: Trace,
    plain: Trace | None = None,
    label: str = "",
    regression: Regression | None = None,
) -> dict[str, Figure]:
    """The figures that make sense for a rollout's agent and can be drawn from what is given, by name.

    Args:
        rollout: that traced the episodes.
        perturbed: an episode; by itself it gives what is cheap, the agent's attention if it has any.
        plain: the same episode with plain inputs; with it all figures are drawn.
        label: what the perturbations are called.
        regression: of scalars.
    """
    names, figures = input_names(rollout), {}
    if perturbed.attends:
        figures["attention"] = (
            attention_over_time(perturbed, names)
            if perturbed.scalars
            else attention_on_frames(perturbed, patches_of(rollout))
        )
    if plain is None:
        return figures
    if perturbed.attends and perturbed.scalars:
        figures["queries"] = attention_by_query(perturbed, names)
    figures["latent"] = latent_figure(plain, perturbed, label)
    if regression is not None:
        figures["regression"] = regression_figure(regression)
    if not perturbed.scalars and len(perturbed.latents) >= FEWEST:
        figures["embedding"] = embedding_figure(perturbed, patches_of(rollout))
    return figures


def input_names(rollout: Rollout) -> tuple[str, ...]:
    """The names of an environment's inputs; their numbers where it has none."""
    return rollout.env.spec.inputs or tuple(map(str, range(rollout.agent.splitter.num_inputs)))


def write_study(result: Study, folder: Path) -> None:
    """Write each figure as NAME.png, and regression.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in result.figures.items():
        save(figure, folder / f"{name}.png")
    if result.regression is not None:
        write_whole(folder / "regression.json", json.dumps(result.regression.to_json(), indent=2) + "\n")
