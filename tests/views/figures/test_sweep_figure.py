import itertools

import pytest

from anx.views.figures.sweep import grows_geometrically, sweep_figure

GRID = [
    ({"q": q, "+ablation": name, "seed": seed}, float(10 * q + seed + (100 if name == "b" else 0)))
    for q, name, seed in itertools.product([1, 4, 16], ["a", "b"], [0, 1])
    if (q, name) != (16, "b")  # it failed
]


def test_each_key_has_a_panel_with_every_run_and_the_mean_of_each_value():
    figure = sweep_figure(GRID, "score")
    queries, ablations, _both, *_ = figure.axes
    dots, line, *_ = queries.lines
    assert sorted(map(tuple, dots.get_xydata())) == sorted((point["q"], value) for point, value in GRID)
    assert [tuple(each) for each in line.get_xydata()] == [(1, 60.5), (4, 90.5), (16, 160.5)]
    assert queries.get_xscale() == "log"
    assert queries.get_ylabel() == "score"
    assert [tick.get_text() for tick in ablations.get_xticklabels()] == ["a", "b"]
    assert ablations.get_xlabel() == "ablation"


@pytest.mark.parametrize(("maximize", "best"), [(True, (2, 0)), (False, (0, 0))])
def test_two_keys_have_a_heat_map_of_the_means_over_seeds_with_the_best_outlined(maximize, best):
    figure = sweep_figure(GRID, "score", maximize)
    both = figure.axes[2]
    (image,) = both.images
    assert image.get_array().filled(-1.0).tolist() == [[10.5, 110.5], [40.5, 140.5], [160.5, -1.0]]
    assert [text.get_text() for text in both.texts] == ["10", "110", "40", "140", "160"]
    assert (both.patches[0].get_y() + 0.5, both.patches[0].get_x() + 0.5) == best


@pytest.mark.parametrize("count", [1, 3, 4])
def test_there_is_a_heat_map_of_two_keys_only(count):
    runs = [({f"k{i}": value + i for i in range(count)}, float(value)) for value in range(3)]
    figure = sweep_figure(runs, "score")
    assert sum(axis.get_visible() for axis in figure.axes) == count
    assert not any(axis.images for axis in figure.axes)


def test_many_values_are_dots_without_a_line():
    runs = [({"x": step / 50, "y": (7 * step) % 50}, float(step)) for step in range(50)]
    figure = sweep_figure(runs, "score")
    assert [len(axis.lines) for axis in figure.axes[:2]] == [1, 1]
    assert len(figure.axes[2].collections[0].get_offsets()) == 50


def test_one_run_is_drawn():
    sweep_figure([({"seed": 0}, 1.0)], "score")


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [([1, 4, 8, 16, 32], True), ([100, 400, 900], False), ([0.01, 0.3, 0.5, 0.9], False), ([0, 1, 10, 100], False)],
)
def test_an_axis_is_logarithmic_where_the_values_are(values, logarithmic):
    assert grows_geometrically(values) is logarithmic
