"""What a sweep runs, and what its rows say."""

from pathlib import Path

import pytest
import yaml
from sweeping import METRIC, queries, rows_of, values

from anx.sweep.points import last_value, name_of
from anx.sweep.table import Row, means, rank

pytest_plugins = ["sweep_fixtures"]


def test_ctrl_c_outside_of_training_stops_a_sweep(sweep):
    def interrupted(config):
        if len(sweep.started) == 2:
            raise KeyboardInterrupt
        return queries(config)

    stopped = sweep(interrupted)
    assert stopped.run() is False
    assert len(stopped.rows) == 1
    assert len(sweep.started) == 2


def test_a_point_that_does_not_compose_is_a_row_with_its_reason(sweep):
    done = sweep(parameters={"neuron": {"values": ["gru", "lstm"]}})
    assert done.run() is True
    gru, lstm = done.rows.values()
    assert gru.value is None
    assert gru.reason.startswith("neuron=gru is unknown; allowed: ")
    assert lstm.value == 160.0


def test_a_run_that_never_logs_the_metric_has_failed(sweep, tmp_path):
    def silent(config):
        queries(config)
        (Path(config.run_dir) / "metrics.csv").write_text("step,train/fitness_mean\n0,1.0\n")
        return {}

    done = sweep(silent, count=1)
    done.run()
    assert [row.reason for row in done.rows.values()] == [f"the run logged no {METRIC}, but train/fitness_mean"]


def test_a_search_ends_when_it_has_seen_all(sweep):
    done = sweep(method="random", parameters={"seed": {"min": 0, "max": 2}}, count=50)
    assert done.run() is True
    assert sorted(done.rows) == ["seed-0", "seed-1", "seed-2"]


def test_an_override_replaces_the_files_own(sweep):
    done = sweep(queries, "+budget=smoke", fixed=["+budget=laptop", "pooler.message_size=8"])
    assert done.run() is True
    identity = yaml.safe_load((done.folder / "sweep.yaml").read_text())
    assert identity["overrides"] == ["pooler.message_size=8", "+budget=smoke"]


def test_what_an_override_refers_to_is_the_runs_own(sweep):
    seen = []

    def listen(config):
        seen.append((config.seed, config.neuron.hidden_size, config.pooler.num_queries))
        return queries(config)

    refer = {"fixed": ["neuron.hidden_size=${seed}"], "parameters": {"seed": {"values": [3, 4]}}}
    assert sweep(listen, "pooler.num_queries=${seed}", **refer).run() is True
    assert seen == [(3, 3, 3), (4, 4, 4)]


def test_the_best_comes_first_and_the_seeds_are_averaged():
    rows = [
        Row({"a": 1, "seed": 0}, Path("x"), 5.0),
        Row({"a": 2, "seed": 0}, Path("x"), 1.0),
        Row({"a": 1, "seed": 1}, Path("x"), None, "broken"),
        Row({"a": 2, "seed": 1}, Path("x"), 4.0),
    ]
    assert [row.value for row in rank(rows, maximize=True)] == [5.0, 4.0, 1.0, None]
    assert [row.value for row in rank(rows, maximize=False)] == [1.0, 4.0, 5.0, None]
    first, second = means(rows, maximize=True)
    assert (first.point, first.mean, first.runs) == ({"a": 1}, 5.0, 1)
    assert (second.point, second.mean, second.runs) == ({"a": 2}, 2.5, 2)
    assert second.sem == pytest.approx(1.5, rel=1e-12)


def test_the_metric_is_the_last_that_was_logged(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,a,b\n0,1.0,nan\n1,2.0,nan\n2,,\n")
    assert last_value(tmp_path, "a") == 2.0
    assert last_value(tmp_path, "b") == "b is nan"
    assert last_value(tmp_path / "none", "a").startswith("the run wrote no metrics.csv")


def test_every_point_has_a_folder_of_its_own_that_hydra_takes_unquoted():
    names = [name_of({"+ablation": value, "seed": 0}) for value in ("no_memory", "a b", "a/b", "a_b", "x" * 300)]
    assert names[0] == "ablation-no_memory_seed-0"
    assert len(set(names)) == len(names)
    assert not set("".join(names)) & set(" /,='\"()[]{}")
    assert max(map(len, names)) < 200


@pytest.mark.parametrize("text", ["null", "csv", "default"])
def test_loggers_may_be_swept_away(sweep, text):
    assert values(rows_of(sweep(parameters={"logger": {"values": [text]}}))) == [160.0]


def test_a_run_that_exits_is_a_row_with_its_reason(sweep):
    def exiting(config):
        raise SystemExit("no licence")

    done = sweep(exiting, count=1)
    assert done.run() is True
    assert [row.reason for row in done.rows.values()] == ["SystemExit: no licence"]
