"""From a teacher to a film of its student and a heat map, each one command; evolution goes on where cloning ends."""

import csv
import importlib
import sys

import pytest
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.heatmap.command
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.weights import read_weights, write_agent

TINY = ["+budget=smoke", "env.max_steps=8", "logger=csv", "report=null", "callbacks.pictures=null"]
TINY += ["trainer.log_every_n_steps=1", "learner.validation_episodes=1", "learner.test_episodes=1"]
PONG = {
    "needs": "ale_py",
    "teach": ["+experiment=pong", "teacher=pong", "env.score=false"],
    "clone": ["+experiment=pong", "+ablation=puzzle_pong", "pooler.num_queries=64", "policy.channels=2"],
    "learn": ["policy.hidden_size=4", "learner.loss=cross_entropy", "learner.draws=batch", "learner.batch_size=4"],
}
ANT = {  # its student begins as an agent that evolution has found
    "needs": "pybullet",
    "teach": ["+experiment=ant", "teacher=agent", "teacher.weights=evolved.safetensors"],
    "clone": ["+experiment=ant", "weights=evolved.safetensors"],
    "learn": ["data.length=null", "learner.action_noise=0.03", "learner.batch_size=1"],
}


@pytest.fixture
def program(monkeypatch):
    """Runs a command line of one of anx's programs in this process; returns its exit code."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", ["anx", *map(str, arguments)])
        GlobalHydra.instance().clear()
        try:
            importlib.import_module(f"anx.commands.{name}").main()
        except SystemExit as end:
            return end.code
        return 0

    return run


def losses(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [row["train/loss"] for row in csv.DictReader(file) if row.get("train/loss")]


@pytest.mark.exhaustive
@pytest.mark.parametrize("said", [PONG, ANT], ids=["pong", "ant"])
def test_an_agent_is_taught_filmed_mapped_and_evolved_on(said, program, tmp_path, monkeypatch):
    pytest.importorskip(said["needs"])
    monkeypatch.chdir(tmp_path)
    resolved = OmegaConf.to_container(compose("+experiment=ant"), resolve=True)
    agent_config = {key: resolved[key] for key in ("name", *AGENT_KEYS)}
    write_agent(make_agent("+experiment=ant", sigma=0.1)[0].float(), agent_config, "evolved.safetensors")
    data, run, agent = tmp_path / "data", tmp_path / "run", tmp_path / "run" / "agent.safetensors"
    assert program("record", *said["teach"], "env.max_steps=8", "episodes=2", "slots=2", f"output={data}") == 0

    clone = [*said["clone"], *said["learn"], *TINY, "optimizer=adam", f"data.path={data}"]
    clone += ["learner.schedule_steps=4", "perturbations=[shuffle,occlude]"]
    assert program("run", *clone, "trainer.max_steps=2", f"hydra.run.dir={run}") == 0
    assert program("run", *clone, "trainer.max_steps=4", f"hydra.run.dir={run}", "ckpt_path=auto") == 0
    assert program("run", *clone, "trainer.max_steps=4", f"hydra.run.dir={tmp_path / 'straight'}") == 0
    assert losses(run) == losses(tmp_path / "straight")

    film = tmp_path / "film.mp4"
    looking = ["perturbations=[shuffle,occlude]", "perturbations.occlude.ratio=0.5", "episodes=1", f"video={film}"]
    assert program("evaluate", f"weights={agent}", *looking) == 0
    assert film.stat().st_size > 1000

    grid = [f"folder={tmp_path / 'map'}", "train=[0.5]", "test=[0.3]", "episodes=1", "trainer.max_steps=1"]
    monkeypatch.setattr(sys, "argv", ["anx", *grid, *clone[:-1], "perturbations=[shuffle,occlude]"])
    GlobalHydra.instance().clear()
    anx.heatmap.command.main()
    assert (tmp_path / "map" / "heatmap.csv").read_text().startswith("trained,tested,mean")

    start = [each for each in said["clone"] if not each.startswith("weights=")]
    evolve = [*start, *said["learn"][:1], *TINY, "optimizer=pgpe", f"weights={agent}", "trainer.max_steps=1"]
    evolve = [each for each in evolve if not each.startswith("data.")]
    assert program("run", *evolve, "optimizer.popsize=2", f"hydra.run.dir={tmp_path / 'evolved'}") == 0
    evolved, cloned = (read_weights(each).state for each in (tmp_path / "evolved" / "agent.safetensors", agent))
    assert {name: value.shape for name, value in evolved.items()} == {n: value.shape for n, value in cloned.items()}
