import pytest

from anx.errors import ConfigError
from anx.views.figures import compare_runs, learning_curve

NEW = "step,train/env_steps,perf/core_hours,train/fitness_mean,validation/shuffled_mean\n"
OLD = "step,train/fitness_mean,validation/shuffled_mean\n"


@pytest.fixture
def runs(tmp_path):
    """Two runs that were validated every second generation, and one of an older version."""
    files = {name: tmp_path / f"{name}.csv" for name in ("slow", "fast", "old")}
    files["slow"].write_text(NEW + "0,10,0.5,1,\n1,30,1.0,2,5\n2,60,1.5,3,\n3,100,2.0,4,6\n4,,,,\n")
    files["fast"].write_text(NEW + "0,1,0.1,1,\n1,3,0.2,2,7\n")
    files["old"].write_text(OLD + "0,1,\n1,2,3\n")
    return files


def lines(figure):
    return {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}


@pytest.mark.parametrize(
    ("x", "label", "slow", "fast"),
    [
        ("generations", "generation", [[2, 5], [4, 6]], [[2, 7]]),
        ("env_steps", "environment steps", [[30, 5], [100, 6]], [[3, 7]]),
        ("core_hours", "core-hours", [[1.0, 5], [2.0, 6]], [[0.2, 7]]),
    ],
)
def test_runs_are_drawn_over_generations_environment_steps_or_core_hours(runs, x, label, slow, fast):
    figure = compare_runs({name: runs[name] for name in ("slow", "fast")}, x)
    assert lines(figure) == {"slow": slow, "fast": fast}
    assert figure.axes[0].get_xlabel() == label
    assert figure.axes[0].get_ylabel() == "validation/shuffled_mean"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["slow", "fast"]


def test_another_metric_is_averaged_to_a_number_of_points(runs):
    figure = compare_runs({"slow": runs["slow"]}, "env_steps", "train/fitness_mean", points=2)
    assert lines(figure) == {"slow": [[20, 1.5], [80, 3.5]]}


def test_a_run_that_has_not_counted_its_steps_is_drawn_over_generations_alone(runs):
    assert lines(compare_runs({"old": runs["old"]})) == {"old": [[2, 3]]}
    for draw in (lambda: compare_runs(runs, "env_steps"), lambda: learning_curve(runs["old"], x="env_steps")):
        with pytest.raises(
            ConfigError, match=r"x=env_steps needs train/env_steps, which .*old\.csv does not have; allo"
        ):
            draw()


def test_what_there_is_not_is_refused_by_name(runs):
    with pytest.raises(ConfigError, match=r"x=hours is not one of generations, env_steps, core_hours"):
        compare_runs(runs, "hours")
    with pytest.raises(
        ConfigError, match=r"y=loss was not logged in .*; allowed: train/fitness_mean, validation/shuff"
    ):
        compare_runs({"old": runs["old"]}, y="loss")


def test_the_curve_of_one_run_is_drawn_over_the_same(runs):
    figure = learning_curve(runs["slow"], x="env_steps")
    assert lines(figure) == {
        "fitness, best candidate": [],
        "fitness, all candidates": [[10, 1], [30, 2], [60, 3], [100, 4]],
        "the mean, held out, shuffled": [[30, 5], [100, 6]],
    }
    assert figure.axes[0].get_xlabel() == "environment steps"


def test_the_curve_of_a_run_shows_its_running_average_as_such(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,train/fitness_mean,validation/average_shuffled_mean,validation/shuffled_mean\n0,1,3,2\n"
    )
    assert lines(learning_curve(tmp_path / "metrics.csv")) == {
        "fitness, best candidate": [],
        "fitness, all candidates": [[1, 1]],
        "the mean, held out, shuffled": [[1, 2]],
        "its average, held out, shuffled": [[1, 3]],
    }
