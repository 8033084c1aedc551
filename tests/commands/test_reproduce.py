import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.commands.evaluate
import anx.commands.reproduce
from anx.experiment.build import build_perturbations, build_rollout
from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.config.values import check_types
from anx.experiment.evaluation import build_evaluation
from anx.experiment.files.weights import write_agent
from anx.rollout.evaluation import Evaluation

CONFIGS = Path(config_folder())
CONFIG = OmegaConf.load(CONFIGS / "reproduce.yaml")
JOBS = {
    (row.agent, *table.columns[column])
    for table in CONFIG.definitions.values()
    for row in table.rows.values()
    for column in row.paper
    if row.agent is not None and table.columns[column] is not None
}


def read_markdown(path):
    """What each cell says: {(row, column): {header: text}}."""
    cells = {}
    for block in path.read_text().split("\n\n"):
        if block.startswith("|"):
            header, rule, *lines = [line[2:-2].split(" | ") for line in block.strip().splitlines()]
            assert set("".join(rule)) == set("-:")
            for line in lines:
                assert len(line) == len(header) == len(rule)
                cells[line[0], line[1]] = dict(zip(header[2:], line[2:], strict=True))
    return cells


@pytest.fixture
def reproduce(monkeypatch, capsys, tmp_path):
    """Runs a command line; returns what it printed and the Markdown's cells."""

    def run(*arguments):
        output = tmp_path / "tables.md"
        monkeypatch.setattr(sys, "argv", ["anx", *arguments, f"output={output}"])
        GlobalHydra.instance().clear()
        anx.commands.reproduce.main()
        return capsys.readouterr(), read_markdown(output)

    return run


@pytest.fixture
def weights(tmp_path):
    """Random agents: an AttentionNeuron and an FNN for cart-pole."""
    paths = {"cartpole": tmp_path / "cartpole.npz", "cartpole_fnn": tmp_path / "fnn.npz"}
    for path, size in zip(paths.values(), (913, 1281), strict=True):
        np.savez(path, params=0.3 * np.random.RandomState(0).randn(size).astype(np.float32))
    return [f"weights.{name}={path}" for name, path in paths.items()]


@pytest.fixture
def played(costs_nothing):
    """Evaluations cost nothing; says how many episodes each was asked for."""
    return costs_nothing(anx.commands.reproduce)


def each_job():
    """Of jobs that differ in how often inputs are shuffled alone, one an agent in the fast tests."""
    seen = set()
    for job in sorted(JOBS):
        kind = tuple(each.partition("=")[0] if "shuffle.every" in each else each for each in job)
        yield pytest.param(job, marks=[pytest.mark.exhaustive] if kind in seen else [])
        seen.add(kind)


@pytest.mark.parametrize("job", list(each_job()), ids=" ".join)
def test_every_cell_composes_and_builds(job):
    agent, *overrides = job
    config = compose(*CONFIG.agents[agent].overrides, *overrides, config_name="evaluate")
    check_types(OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    built, rollout = build_rollout(config)
    build_perturbations(config.perturbations, built)
    rollout.close()


def test_every_cell_that_can_be_played_has_weights_to_be_given():
    assert set(CONFIG.weights) == set(CONFIG.agents) == {agent for agent, *_ in JOBS}


def test_the_figures_are_the_papers(reference):
    paper = json.loads(reference("paper.json").read_text())["tables"]
    ours = {
        name: [[figures for figures in row.paper.values() if figures] for row in table.rows.values()]
        for name, table in CONFIG.definitions.items()
    }
    fnn_5, fnn_10, neuron = (paper["cartpole_1000_episodes"][k] for k in ("fnn_5", "fnn_10", "attention_neuron"))
    ant, car, every = paper["ant"], paper["car_racing"], paper["reshuffle_every"]
    assert ours["cartpole"] == [fnn_5[:2], fnn_10[2:], neuron]
    assert ours["ant"] == [
        [ant["fnn_teacher"], ant["fnn_shuffled"]],
        *([ant[key]] for key in ("es_shuffled", "bc_shuffled", "bc_shuffled_larger")),
    ]
    rows = ("attention_agent", "netrand", "netrand_attention_agent", "attention_neuron")
    assert ours["car_racing"] == [car[key] for key in rows]
    assert list(CONFIG.definitions.car_racing.columns)[:5] == car["columns"]
    assert ours["reshuffle"] == [every[key] for key in ("cartpole", "ant", "pong", "car_racing")]


def test_a_cell_holds_the_papers_figure_and_what_anx_evaluate_gives(reproduce, weights, monkeypatch, tmp_path):
    printed, cells = reproduce(*weights, "tables=[cartpole,reshuffle]", "episodes=6", "seed=3")
    same = {
        ("AttentionNeuron", "10, duplicated"): (0, "471 ± 425", ["perturbations=[duplicate]", "pooler.gain=0.5"]),
        ("FNN of 5 inputs", "5, shuffled"): (1, "38 ± 120", ["+ablation=fnn", "perturbations=[shuffle]"]),
        ("cart-pole", "every 25 steps"): (
            0,
            "107 ± 146",
            ["perturbations=[shuffle]", "perturbations.shuffle.every=25"],
        ),
    }
    for cell, (own, paper, overrides) in same.items():
        output = tmp_path / "result.json"
        file = weights[own].split("=")[1]
        monkeypatch.setattr(
            sys, "argv", ["anx", f"weights={file}", "episodes=6", "seed=3", *overrides, f"output={output}"]
        )
        GlobalHydra.instance().clear()
        anx.commands.evaluate.main()
        result = json.loads(output.read_text())
        here = f"{result['mean']:.0f} ± {result['std']:.0f}"
        assert cells[cell] | {"seconds": "?"} == {
            "paper": paper,
            "here": here,
            "std. error": f"{result['sem']:.1f}",
            "episodes": "6",
            "seconds": "?",
        }
        (line,) = [line for line in printed.out.splitlines() if f" {paper} " in line]
        assert f" {here} " in line
    assert len({cells[cell]["here"] for cell in same}) == 3  # another agent or perturbation, another figure


def test_without_weights_the_tables_are_the_papers_and_one_line_says_how_to_give_them(reproduce, played):
    printed, cells = reproduce()
    assert {cell["here"] for cell in cells.values()} == {"-"}
    assert cells["Pong", "every 100 steps"]["paper"] == "-10 ± 12"
    assert cells["AttentionNeuron", "clouds"]["paper"] == "-"
    for title in (table.title for table in CONFIG.definitions.values()):
        assert title in printed.out
    (line,) = [line for line in printed.err.splitlines() if "no weights" in line]
    assert all(f"weights.{name}=PATH" in line for name in CONFIG.weights)
    assert played == []


def test_rows_whose_weights_are_not_given_have_the_papers_figures_only(reproduce, weights, played):
    _, cells = reproduce(weights[0], "tables=[reshuffle]")
    assert {row for (row, _), cell in cells.items() if cell["here"] != "-"} == {"cart-pole"}
    assert cells["Ant", "never"] == dict.fromkeys(anx.commands.reproduce.NUMBERS, "-") | {"paper": "2576 ± 75"}


def test_every_line_fits_a_terminal_of_120_columns(reproduce, weights, played):
    printed, _ = reproduce(*weights)
    assert "…" not in printed.out
    assert max(map(len, printed.out.splitlines())) <= 120


def test_each_agent_plays_the_papers_number_of_episodes_unless_told_otherwise(reproduce, weights, played):
    reproduce(weights[0], "tables=cartpole")
    assert played == [1000] * 4
    reproduce(weights[0], "tables=cartpole", "episodes=7")
    assert played[4:] == [7] * 4


def test_cells_with_the_same_options_are_played_once(reproduce, weights, played):
    _, cells = reproduce(weights[0], "tables=[cartpole,reshuffle]", "episodes=2")
    assert len(played) == 4 + 6 - 1
    assert cells["AttentionNeuron", "5, shuffled"]["here"] == cells["cart-pole", "never"]["here"] != "-"


def test_an_interrupt_leaves_the_cells_that_are_finished(reproduce, weights, played, monkeypatch, capsys, tmp_path):
    play = anx.commands.reproduce.evaluate

    def play_once(*arguments):
        if played:
            raise KeyboardInterrupt
        return play(*arguments)

    monkeypatch.setattr(anx.commands.reproduce, "evaluate", play_once)
    with pytest.raises(SystemExit) as end:
        reproduce(weights[0], "episodes=3")
    assert end.value.code == 130
    cells = read_markdown(tmp_path / "tables.md")
    assert [cell for cell, says in cells.items() if says["here"] != "-"] == [("AttentionNeuron", "5, in order")]
    assert " 100 ± 0 " in capsys.readouterr().out
    assert not list(tmp_path.glob("*.unfinished"))


def test_the_file_has_each_cell_as_soon_as_it_is_finished(reproduce, weights, played, monkeypatch, tmp_path):
    play, written = anx.commands.reproduce.evaluate, []

    def play_and_look(*arguments):
        if played:
            cells = read_markdown(tmp_path / "tables.md")
            written.append(sum(says["here"] != "-" for says in cells.values()))
        return play(*arguments)

    monkeypatch.setattr(anx.commands.reproduce, "evaluate", play_and_look)
    reproduce(weights[0], "tables=[cartpole]", "episodes=3")
    assert written == [1, 2, 3]


def described(path, *overrides):
    """A random agent in a file that describes it."""
    config = compose(*overrides)
    agent, _ = make_agent(*overrides)
    said = OmegaConf.create({key: config[key] for key in ("name", *AGENT_KEYS)})
    write_agent(agent.float(), OmegaConf.to_container(said, resolve=True), path)
    return path


def test_an_agent_that_its_file_describes_plays_as_it_is_in_the_world_of_the_table(reproduce, monkeypatch, tmp_path):
    path = described(tmp_path / "own.safetensors", "pooler.num_queries=4", "pooler.gain=0.7", "env.max_steps=30")
    configs = []

    def note(config, key):
        configs.append(config)
        return build_evaluation(config, key)

    monkeypatch.setattr(anx.commands.reproduce, "build_evaluation", note)
    monkeypatch.setattr(anx.commands.reproduce, "evaluate", lambda *_: Evaluation(torch.ones(2), torch.ones(2), 1.0))
    reproduce(f"weights.cartpole={path}", "tables=[cartpole]")
    assert [config.pooler.gain for config in configs] == [0.7, 0.7, 0.5, 0.5]  # 0.5 is what these columns say
    configs.clear()
    own = "agents.cartpole.overrides=['+experiment=cartpole','pooler.gain=0.6','env.max_steps=1000']"
    reproduce(f"weights.cartpole={path}", "tables=[cartpole]", own)
    assert [config.pooler.gain for config in configs] == [0.6, 0.6, 0.5, 0.5]
    assert {config.pooler.num_queries for config in configs} == {4}
    assert {config.env.max_steps for config in configs} == {1000}


@pytest.mark.parametrize(
    ("key", "overrides", "says"),
    [
        (
            "cartpole",
            ["policy=mlp", "pooler=mean"],
            "has pooler anx.agent.pooler.MeanPooler, the row is of agents with",
        ),
        ("cartpole_fnn", [], "has neuron anx.agent.neuron.LSTMNeuron, the row is of agents with"),
        ("ant", [], "has env anx.envs.cartpole.CartPoleSwingUpHarder, the row is of agents with anx.envs.ant.Ant"),
    ],
)
def test_an_agent_of_another_kind_than_the_rows_is_refused(reproduce, played, capsys, tmp_path, key, overrides, says):
    path = described(tmp_path / "own.safetensors", *overrides)
    with pytest.raises(SystemExit) as end:
        reproduce(f"weights.{key}={path}")
    assert end.value.code == 2
    assert f"error: weights.{key}={path} {says}" in capsys.readouterr().err
    assert played == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "weights=anx:cartpole",
            "weights=anx:cartpole must be given by the agent that it is of: weights.cartpole=PATH, ",
        ),
        ("agents.cartpole.episodes=abc", "agents.cartpole.episodes=abc must be an integer, at least 1"),
    ],
)
def test_what_no_table_can_be_of_is_refused_in_one_line(reproduce, played, capsys, given, says):
    with pytest.raises(SystemExit) as end:
        reproduce(given)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")
    assert played == []


@pytest.mark.parametrize("other", ["weights.ant=nothing.npz", "weights.cartpole_fnn=cartpole.npz"])
def test_weights_that_cannot_be_used_are_refused_before_anything_is_played(
    reproduce, weights, played, monkeypatch, capsys, tmp_path, other
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        reproduce(weights[0], other)
    assert end.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {other} ")
    assert line.count("\n") == 1
    assert played == []
