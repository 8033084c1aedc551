"""Figures: each function takes what a rollout traced, or what a run logged, and returns a matplotlib figure."""

from anx.views.figures.attention import attention_by_query, attention_on_frames, attention_over_time
from anx.views.figures.curves import compare_runs
from anx.views.figures.drawing import save
from anx.views.figures.embedding import embedding_figure
from anx.views.figures.latent import latent_figure
from anx.views.figures.learning import learning_curve
from anx.views.figures.logged import read_metrics
from anx.views.figures.regression import Regression, regress, regression_figure
from anx.views.figures.study import Study, figures_of, study, write_study

__all__ = [
    "Regression",
    "Study",
    "attention_by_query",
    "attention_on_frames",
    "attention_over_time",
    "compare_runs",
    "embedding_figure",
    "figures_of",
    "latent_figure",
    "learning_curve",
    "read_metrics",
    "regress",
    "regression_figure",
    "save",
    "study",
    "write_study",
]
