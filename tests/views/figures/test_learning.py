from anx.views.figures import learning_curve


def test_the_learning_curve_averages_fitness_and_keeps_every_validation(tmp_path):
    lines = ["step,train/fitness_max,train/fitness_mean,validation/plain_mean,validation/shuffled_mean"]
    lines += [f"{t},{2 * t},{t},{'' if t % 2 else t + 0.5},{'' if t % 2 else t - 0.5}" for t in range(8)]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    figure = learning_curve(tmp_path / "metrics.csv", points=4)
    best, candidates, plain, shuffled = (line.get_xydata().tolist() for line in figure.axes[0].lines)
    assert best == [[1.5, 1.0], [3.5, 5.0], [5.5, 9.0], [7.5, 13.0]]
    assert candidates == [[1.5, 0.5], [3.5, 2.5], [5.5, 4.5], [7.5, 6.5]]
    assert plain == [[1, 0.5], [3, 2.5], [5, 4.5], [7, 6.5]]
    assert shuffled == [[1, -0.5], [3, 1.5], [5, 3.5], [7, 5.5]]


def lines(figure):
    return {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}


def test_the_learning_curve_of_a_run_without_validation_is_drawn(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,train/fitness_max,train/fitness_mean\n0,2.0,1.0\n")
    assert lines(learning_curve(tmp_path / "metrics.csv")) == {
        "fitness, best candidate": [[1, 2.0]],
        "fitness, all candidates": [[1, 1.0]],
    }


def test_of_a_run_without_a_population_whatever_was_validated_is_drawn_in_its_own_steps(tmp_path):
    rows = [
        "step,train/loss,validation/teacher_mean,validation/noisy_mean,validation/loss",
        "0,3.0,,,",
        "1,2.0,5.0,4.0,9.0",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(rows) + "\n")
    figure = learning_curve(tmp_path / "metrics.csv", step="step")
    assert lines(figure) == {"held out, noisy": [[2, 4.0]], "held out, teacher": [[2, 5.0]]}
    assert figure.axes[0].get_xlabel() == "step"


def test_a_learning_curve_of_nothing_is_drawn(tmp_path):
    (tmp_path / "metrics.csv").write_text("step\n")
    assert lines(learning_curve(tmp_path / "metrics.csv")) == {}
