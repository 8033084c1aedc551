"""What the agents of a sweep score, as a table."""

import csv
import json
import shutil
import sys

import pytest
import yaml
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.commands.evaluate
import anx.commands.playing
import anx.commands.reproduce
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.weights import write_agent

METRIC = "validation/shuffled_mean"
FAILED = "it ran out of luck"
# Ablation, seed, the parameters of its agent; None: it has left none.
RUNS = [("fnn", 0, 0.3), ("none", 0, 0.2), ("none", 1, 0.3), ("fnn", 1, None)]
SHORT = ["env.max_steps=20", "rollout.compile=false"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder that a sweep leaves."""
    folder = tmp_path_factory.mktemp("sweeps") / "toys"
    lines = [["seed", "+ablation", METRIC, "folder", "failed"]]
    for ablation, seed, sigma in RUNS:
        name = f"seed-{seed}_ablation-{ablation}"
        run = folder / name
        run.mkdir(parents=True)
        lines.append([seed, ablation, "" if sigma is None else sigma, f"elsewhere/toys/{name}", FAILED * (not sigma)])
        if sigma is None:
            continue
        overrides = [f"+ablation={ablation}", *SHORT]
        config = OmegaConf.to_container(compose(*overrides), resolve=True)
        agent = make_agent(*overrides, sigma=sigma, seed=seed)[0].float()
        write_agent(agent, {key: config[key] for key in ("name", *AGENT_KEYS)}, run / "agent.safetensors")
        steps = f"step,train/env_steps,perf/core_hours,{METRIC}\n0,500,0.5,\n1,{1000 + seed},0.75,{sigma}\n2,,,\n"
        (run / "metrics.csv").write_text(steps)
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    (folder / "sweep.yaml").write_text(yaml.safe_dump({"overrides": ["learner.max_env_steps=1000"]}))
    return folder


@pytest.fixture
def sweep(original, tmp_path):
    return shutil.copytree(original, tmp_path / "toys")


@pytest.fixture
def reproduce(monkeypatch, sweep, tmp_path):
    """Runs `anx.reproduce ablations`; returns the rows of its csv by the ablation."""

    def run(*arguments):
        own = [f"sweep={sweep}", f"output={tmp_path / 'table.md'}", "episodes=3", *arguments]
        monkeypatch.setattr(sys, "argv", ["anx", "ablations", *map(str, own)])
        GlobalHydra.instance().clear()
        anx.commands.reproduce.main()
        with (tmp_path / "table.csv").open() as file:
            return {row["ablation"]: row for row in csv.DictReader(file)}

    return run


@pytest.fixture
def played(costs_nothing):
    """Evaluations cost nothing, and return 100, 200, ..."""
    return costs_nothing(anx.commands.playing)


def test_a_score_is_what_anx_evaluate_gives(reproduce, sweep, monkeypatch, tmp_path):
    rows = reproduce()
    agent, output = sweep / "seed-1_ablation-none" / "agent.safetensors", tmp_path / "result.json"
    noise = ["perturbations=[shuffle,noise]", "perturbations.noise.channels=5"]
    monkeypatch.setattr(sys, "argv", ["anx", f"weights={agent}", "episodes=3", f"output={output}", *noise])
    GlobalHydra.instance().clear()
    anx.commands.evaluate.main()
    assert float(rows["none"]["5 of noise seed 1"]) == round(json.loads(output.read_text())["mean"], 2)
    assert rows["none"]["plain seed 1"] == rows["none"]["shuffled seed 1"] != rows["none"]["plain seed 0"]
    assert rows["fnn"]["plain"] != rows["fnn"]["shuffled"]
    assert rows["fnn"]["5 of noise"] == "", "a plain network takes no more inputs"


def test_a_setting_is_a_row_with_the_mean_over_seeds_and_its_error(reproduce, played, tmp_path, capsys):
    rows = reproduce()
    assert list(rows) == ["none", "fnn"], "the agent as it is comes first"
    none = rows["none"]  # played first: 100 to 400, and 500 to 800
    assert [none[f"shuffled{each}"] for each in ("", " sem", " seed 0", " seed 1")] == ["400", "200", "200", "600"]
    assert (none["parameters"], none["env_steps"], none["core_hours"]) == ("433", "1000.5", "0.75")
    assert rows["fnn"]["shuffled sem"] == rows["fnn"]["shuffled seed 1"] == ""
    text = (tmp_path / "table.md").read_text()
    line = "| none | 300.0 ± 200.0 | 400.0 ± 200.0 | 500.0 ± 200.0 | 600.0 ± 200.0 | 433 | 1,000 | 0.75 | 2 |"
    assert line in text
    assert "| fnn | 900.0 | 1000.0 | 1100.0 | - |" in text
    assert "`learner.max_env_steps=1000`" in text
    assert "600.0 ±" in capsys.readouterr().out


def test_a_run_without_an_agent_is_a_row_with_its_reason(reproduce, sweep, played, tmp_path):
    (sweep / "seed-0_ablation-fnn" / "agent.safetensors").unlink()
    rows = reproduce()
    assert rows["fnn"]["failed"] == f"seed 0: there is no agent.safetensors; seed 1: {FAILED}"
    text = (tmp_path / "table.md").read_text()
    assert f"| fnn | 1 | {FAILED} |" in text
    assert "| fnn | - | - | - | - | - | - | - | 0 |" in text


def test_it_goes_on_where_it_was_interrupted(reproduce, played, monkeypatch, tmp_path):
    play = anx.commands.playing.evaluate

    def play_twice(*arguments):
        if len(played) == 5:
            raise KeyboardInterrupt
        return play(*arguments)

    monkeypatch.setattr(anx.commands.playing, "evaluate", play_twice)
    with pytest.raises(SystemExit) as end:
        reproduce()
    assert end.value.code == 130
    assert "| none | 300.0 ± 200.0 | 200.0 (1 of 2) |" in (tmp_path / "table.md").read_text()
    monkeypatch.setattr(anx.commands.playing, "evaluate", play)
    rows = reproduce()
    assert len(played) == 3 * 4 - 1, "each once; the plain network under noise not at all"
    assert rows["none"]["shuffled seed 1"] == "600"
    assert reproduce() == rows
    assert len(played) == 11, "nothing is left to play"


def test_other_episodes_and_other_agents_are_played_anew_and_nothing_is_forgotten(reproduce, sweep, played):
    (sweep / "seed-0_ablation-fnn" / "agent.safetensors").unlink()
    other = (sweep / "seed-1_ablation-none" / "agent.safetensors").rename(sweep / "other")
    rows = reproduce()
    assert reproduce("episodes=2") != rows
    assert reproduce() == rows
    assert played == [3] * 4 + [2] * 4
    other.rename(sweep / "seed-0_ablation-none" / "agent.safetensors")
    reproduce()
    assert len(played) == 12


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("sweep=nowhere", "sweep=nowhere must be the folder of a sweep that has run, with its table.csv in it"),
        ("episodes=0", "episodes=0 must be an integer, at least 1"),
        ("output=table.txt", "output=table.txt must end in .md"),
        ("device=tpu", "device=tpu is unknown; allowed: cpu, cuda"),
        ("inputs=null", "inputs=None must be lists of anx.evaluate's overrides by name"),
    ],
)
def test_what_cannot_be_played_or_written_is_refused_in_one_line(reproduce, played, capsys, argument, says):
    with pytest.raises(SystemExit) as end:
        reproduce(argument)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")
    assert played == []


def test_a_table_that_is_no_sweeps_is_refused(reproduce, sweep, capsys):
    for content, says in (("a,b\n1,2\n", "is none of anx.sweep's"), (f"seed,{METRIC},folder,failed\n", "has no run")):
        (sweep / "table.csv").write_text(content)
        with pytest.raises(SystemExit):
            reproduce()
        assert f"table.csv {says}" in capsys.readouterr().err
