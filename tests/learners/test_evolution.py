import csv
import itertools
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import compose, make_agent, needs_compiler

import anx.learners.evolution
from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.callbacks.progress import Progress
from anx.experiment.files.weights import read_weights
from anx.internal.lightning import BY_HAND
from anx.learners.base import Parts
from anx.learners.evolution import Evolution
from anx.rollout.device import DeviceRollout
from anx.seeds import TEST, TRAINING, VALIDATION, derive_seed
from anx.solvers.cmaes import CMAES

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null"]


def run(folder, *overrides):
    return train(compose(*SMALL, f"run_dir={folder}", *overrides))


def weights(folder):
    return read_weights(folder / "agent.safetensors").state


def metrics(folder):
    """The rows of the generations; the row behind them holds the final evaluation."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["train/fitness_mean"]]


def without_timings(row):
    return {name: value for name, value in row.items() if not name.startswith("perf/")}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.exhaustive
def test_evolution_from_nothing_reaches_a_score(tmp_path):
    """Seed 0, 30 generations of 32, episodes of 300 steps: from 15 to over 25."""
    sizes = ["optimizer.popsize=32", "learner.rollouts=4", "env.max_steps=300", "learner.test_episodes=200"]
    sizes += ["trainer.val_check_interval=30", "optimizer=cmaes", "optimizer.step_size=tpa"]
    first = run(tmp_path / "first", *sizes, "trainer.max_steps=1")
    last = run(tmp_path / "last", *sizes, "trainer.max_steps=30")
    assert first["shuffled"]["mean"] < 18
    assert last["shuffled"]["mean"] > 25
    assert last["shuffled"]["mean"] == pytest.approx(last["plain"]["mean"], rel=0.2)


@pytest.mark.parametrize(
    ("optimizer", "half"),
    [
        ("cmaes", 3),
        ("cmaes", 2),  # every second generation is validated
        ("cmaes_diagonal", 3),
        ("nevergrad", 3),
        ("pgpe learner.episodes=pairs", 3),
        ("pgpe learner.episodes=groups learner.group_size=4", 3),
        ("openai_es learner.episodes=independent", 3),
        ("genetic learner.fresh=false", 3),
        ("halving optimizer.searches=2 optimizer.turn=2", 3),
    ],
)
def test_a_resumed_run_is_the_uninterrupted_run_bit_for_bit(tmp_path, optimizer, half):
    chosen = f"optimizer={optimizer}".split()
    run(tmp_path / "straight", *chosen, "trainer.max_steps=6")
    run(tmp_path / "halves", *chosen, f"trainer.max_steps={half}")
    last = tmp_path / "halves" / "checkpoints" / "last.ckpt"
    run(tmp_path / "halves", *chosen, "trainer.max_steps=6", f"ckpt_path={last}")
    assert_equal(weights(tmp_path / "halves"), weights(tmp_path / "straight"))
    ours, theirs = metrics(tmp_path / "halves"), metrics(tmp_path / "straight")
    assert [row["step"] for row in ours] == [row["step"] for row in theirs] == list("012345")
    for a, b in zip(ours, theirs, strict=True):
        assert without_timings(a) == without_timings(b)
    hours = [float(row["perf/core_hours"]) for row in ours]
    assert all(before < after for before, after in itertools.pairwise([0.0, *hours]))


@pytest.mark.parametrize("fresh", [False, True])
def test_the_best_is_never_lost_where_each_generation_plays_the_same_episodes(tmp_path, fresh):
    run(tmp_path, "optimizer=genetic", f"learner.fresh={fresh}", "trainer.max_steps=8")
    best = [float(row["train/fitness_max"]) for row in metrics(tmp_path)]
    assert all(before <= after for before, after in itertools.pairwise(best)) is not fresh


def test_a_checkpoint_holds_the_search_as_data_and_refuses_other_settings(tmp_path):
    run(tmp_path, "optimizer=cmaes", "trainer.max_steps=1")
    last = tmp_path / "checkpoints" / "last.ckpt"
    (state,) = torch.load(last, weights_only=True)["optimizer_states"]
    assert state["solver"]["state"]["sampler"]["C"].shape == (433, 433)
    with pytest.raises(
        ConfigError, match=r"optimizer\.sigma0=0\.2, but ckpt_path was trained with optimizer\.sigma0=0\.1"
    ):
        run(tmp_path, "optimizer=cmaes", "trainer.max_steps=2", f"ckpt_path={last}", "optimizer.sigma0=0.2")
    checkpoint = torch.load(last, weights_only=True)
    checkpoint["optimizer_states"] = [{"solver": torch.zeros(9, dtype=torch.uint8), "name": "CMAES", "popsize": 8}]
    torch.save(checkpoint, last)
    with pytest.raises(ConfigError, match="ckpt_path is of an older version"):
        run(tmp_path, "optimizer=cmaes", "trainer.max_steps=2", f"ckpt_path={last}")


def test_a_run_that_an_older_version_started_goes_on(tmp_path):
    """Its checkpoint lacks the keys, and the parts, that came later: they are what they would be by default.

    It has other names for what moved since, its steps were not counted by hand, and its episodes not at all.
    """
    run(tmp_path, "optimizer=cmaes", "trainer.max_steps=2")
    last = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=False)
    del checkpoint["config"]["agent"], checkpoint["config"]["pooler"]["queries"]
    checkpoint["run"]["optimizer"]["_target_"] = "anx.evolution.optimizer.CMAES"
    checkpoint["run"]["learner"]["_target_"] = "anx.evolution.module.Evolution"
    checkpoint["loops"]["fit_loop"][BY_HAND]["total"] = {"ready": 0, "completed": 0}
    del checkpoint["totals"]
    torch.save(checkpoint, last)
    assert run(tmp_path, "optimizer=cmaes", "trainer.max_steps=3", f"ckpt_path={last}")["generations"] == 3
    assert [row["step"] for row in metrics(tmp_path)] == list("012")
    assert [float(row["train/evaluations"]) for row in metrics(tmp_path)] == [16, 32, 16]
    with pytest.raises(ConfigError, match=r"pooler\.queries=learned, but ckpt_path was trained with .*=sinusoidal"):
        run(tmp_path, "optimizer=cmaes", "trainer.max_steps=3", f"ckpt_path={last}", "+ablation=learned_queries")


def test_the_same_seed_is_the_same_run_and_another_seed_another_one(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(tmp_path / folder, f"seed={seed}")
    assert_equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not torch.equal(
        weights(tmp_path / "a")["pooler.query.weight"], weights(tmp_path / "c")["pooler.query.weight"]
    )


@pytest.mark.exhaustive
@needs_compiler
def test_two_processes_give_the_mean_of_one(tmp_path):
    """Neither has half of 11 candidates, nor enough episodes to be compiled for; together they have."""
    arguments = [*SMALL, "trainer.accelerator=cpu", "report=null", "env.max_steps=30", "trainer.max_steps=2"]
    arguments += ["optimizer=cmaes", "optimizer.popsize=11", "learner.rollouts=12"]
    train(compose(*arguments, f"run_dir={tmp_path / 'one'}"))
    two = ["trainer.strategy=ddp", "trainer.devices=2", f"hydra.run.dir={tmp_path / 'two'}"]
    command = [sys.executable, "-m", "anx.run", *arguments, *two]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert_equal(weights(tmp_path / "two"), weights(tmp_path / "one"))
    ours, theirs = metrics(tmp_path / "two"), metrics(tmp_path / "one")
    for column in ("train/fitness_max", "train/fitness_mean", "train/sigma", "validation/shuffled_mean"):
        assert [row[column] for row in ours] == [row[column] for row in theirs]


def test_processes_whose_populations_have_come_apart_end_with_an_error():
    agent, env = make_agent()
    parts = Parts(agent, DeviceRollout(agent, env), lambda dimension: CMAES(dimension, popsize=4))
    learner = Evolution(parts)
    learner._gather = lambda digest: torch.stack([digest, digest + 1])
    learner.trainer = SimpleNamespace(global_step=7, global_rank=0, world_size=2)
    with pytest.raises(ConfigError, match="process 1 asked for other candidates than process 0 in generation 7"):
        learner._roll_out(torch.zeros(4, 433), 0)


def test_a_run_logs_what_the_interface_names(tmp_path):
    report = run(tmp_path, "optimizer=cmaes")
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows] == list("0123")
    for row in rows:
        fitness = {key: float(row[f"train/fitness_{key}"]) for key in ("max", "mean", "min", "std")}
        assert fitness["min"] <= fitness["mean"] <= fitness["max"]
        assert 0 < fitness["std"] <= fitness["max"] - fitness["min"]
        assert float(row["train/sigma"]) > 0
        assert float(row["train/condition_number"]) >= 1
        assert float(row["train/nan_count"]) == 0
        assert float(row["perf/steps_per_second"]) > 0
        assert -1 <= float(row["train/rank_correlation"]) <= 1
        assert 0 < float(row["train/mean_norm"]) <= float(row["train/mean_path"]) * (1 + 1e-12)
    assert [float(row["train/evaluations"]) for row in rows] == [16, 32, 48, 64]
    squares = itertools.accumulate(float(row["train/sigma"]) ** 2 for row in rows)
    assert [float(row["train/sigma_walk"]) ** 2 for row in rows] == pytest.approx(list(squares))
    validated = [row["step"] for row in rows if row["validation/plain_mean"] and row["validation/shuffled_mean"]]
    assert validated == ["1", "3"]  # every second generation
    assert report["plain"]["episodes"] == report["shuffled"]["episodes"] == 16
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files >= {"config.yaml", "metrics.csv", "agent.safetensors", "report.json", "curve.png"}
    assert files >= {"checkpoints/last.ckpt", "checkpoints/best.ckpt"}


def test_the_speed_that_is_logged_counts_the_steps_that_were_simulated(tmp_path, monkeypatch):
    play, simulated, clock = DeviceRollout.__call__, [], [0]

    def watched(*args, training=False, **options):
        episodes = play(*args, training=training, **options)
        if training:
            simulated.append(int(episodes.steps.sum()))
            clock[0] += 2
        return episodes

    def slow(*args):
        clock[0] += 100

    monkeypatch.setattr(DeviceRollout, "__call__", watched)
    monkeypatch.setattr(Progress, "on_train_batch_end", slow)  # a callback is no part of a generation
    monkeypatch.setattr(anx.learners.evolution, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(anx.learners.evolution, "count_cores", lambda: 3)
    run(tmp_path, "env.max_steps=100")
    rows = metrics(tmp_path)
    assert [float(row["perf/steps_per_second"]) for row in rows] == [steps / 2 for steps in simulated]
    assert [float(row["train/env_steps"]) for row in rows] == list(itertools.accumulate(simulated))
    assert [float(row["perf/core_hours"]) * 3600 for row in rows] == pytest.approx([6, 12, 18, 24])
    assert max(simulated) < 8 * 2 * 100, "some episodes end early"


def test_nan_fitness_is_counted_in_the_log_and_does_not_stop_the_run(tmp_path, monkeypatch):
    play = DeviceRollout.__call__

    def half_broken(self, population, *args, **options):
        episodes = play(self, population, *args, **options)
        if len(population) == 1:
            return episodes
        broken = (torch.arange(len(population)) % 2 == 0).unsqueeze(1)
        return episodes._replace(returns=torch.where(broken, float("nan"), episodes.returns))

    monkeypatch.setattr(DeviceRollout, "__call__", half_broken)
    run(tmp_path)
    for row in metrics(tmp_path):
        assert float(row["train/nan_count"]) == 8
        assert float(row["train/fitness_mean"]) > 0


def test_a_run_starts_from_given_weights(tmp_path):
    run(tmp_path / "first")
    run(
        tmp_path / "second",
        f"weights={tmp_path / 'first' / 'agent.safetensors'}",
        "optimizer.sigma0=1e-9",
        "optimizer.lr=1e-9",
    )
    for name, value in weights(tmp_path / "first").items():
        torch.testing.assert_close(weights(tmp_path / "second")[name], value, rtol=0, atol=1e-6)


def test_training_validation_and_test_episodes_have_nothing_in_common():
    seeds = [
        derive_seed(seed, stream, g) for seed in (0, 1) for stream in (TRAINING, VALIDATION, TEST) for g in range(99)
    ]
    assert len(set(seeds)) == len(seeds)
    assert derive_seed(0, 1) != derive_seed(1, 0)


def test_all_validations_are_shuffled_by_the_same_perturbation(monkeypatch, tmp_path):
    """A rollout compiles for each one that it is given."""
    given, call = set(), DeviceRollout.__call__

    def listening(self, population, episodes, seed, perturbations=(), **options):
        given.update(perturbations)
        return call(self, population, episodes, seed, perturbations, **options)

    monkeypatch.setattr(DeviceRollout, "__call__", listening)
    run(tmp_path, "trainer.max_steps=4")
    assert len(given) == 1


def test_validations_and_the_final_test_are_played_as_compiled_steps_where_training_is(monkeypatch, tmp_path):
    """Step by step, one takes 50 times as long."""
    single, compiles = [], DeviceRollout.compiles

    def listening(self, candidates, episodes, *repeated):
        if candidates == 1:
            single.append((episodes, compiles(self, candidates, episodes, *repeated)))
        return False  # compiling takes seconds

    monkeypatch.setattr(DeviceRollout, "compiles", listening)
    run(tmp_path, "trainer.max_steps=4", "learner.validation_episodes=100", "learner.test_episodes=101")
    assert set(single) == {(100, True), (101, True)}
