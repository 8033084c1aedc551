"""The paper's heat map: its cloned Pong under occlusion (Tang & Ha 2021, figure 6), a cell the mean of 100 games."""

from collections.abc import Sequence

ENVIRONMENT = "anx.envs.pong.Pong"  # that it is of
RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SCORES = (  # a row a share of the patches that is missing in training, a column one in the test
    (21, -20, -20, -21, -21, -21, -21, -21, -21, -21),
    (21, 7, -5, -10, -16, -19, -21, -21, -21, -21),
    (21, 11, 5, -3, -8, -17, -20, -21, -20, -21),
    (21, 12, 4, -3, -9, -13, -20, -20, -21, -21),
    (21, 17, 8, 0, 0, -10, -16, -18, -21, -21),
    (21, 15, 17, 15, 15, 10, -4, -14, -20, -21),
    (21, 16, 11, 13, 10, 7, 2, -10, -17, -21),
    (21, 11, 6, 6, 5, -1, -4, -8, -16, -21),
    (1, -13, -15, -15, -16, -17, -18, -13, -17, -20),
    (-12, -17, -20, -20, -19, -20, -19, -21, -21, -20),
)


def paper_scores(trained: Sequence[float], tested: Sequence[float]) -> list[list[float | None]]:
    """The paper's scores of a grid, a row a student; None where it has none."""
    known = {
        (row, column): float(score)
        for row, scores in zip(RATIOS, SCORES, strict=True)
        for column, score in zip(RATIOS, scores, strict=True)
    }
    return [[known.get((row, column)) for column in tested] for row in trained]
