"""Which figures there are for which agent."""

import json

import pytest
import torch
from conftest import compose, make_agent
from hydra.utils import instantiate

from anx.perturb.inputs import Shuffle
from anx.population import get_vector
from anx.seeds import STUDY, derive_seed
from anx.views.figures import figures_of, study, write_study


def make_rollout(*overrides):
    agent, env = make_agent(*overrides)
    return instantiate(compose(*overrides).rollout, agent=agent, env=env)


AGENTS = {
    "scalars": ([], ["attention"], ["attention", "queries", "latent", "regression"]),
    "no attention": (["+ablation=fnn"], [], ["latent", "regression"]),
    "patches": (["+experiment=pong", "pooler.num_queries=20"], ["attention"], ["attention", "latent", "embedding"]),
}


@pytest.mark.parametrize(("overrides", "cheap", "everything"), AGENTS.values(), ids=AGENTS)
def test_only_what_makes_sense_for_an_agent_is_drawn(tmp_path, overrides, cheap, everything):
    if "+experiment=pong" in overrides:
        pytest.importorskip("ale_py", reason="needs an extra: pip install 'anx[atari]'")
    rollout = make_rollout(*overrides, "env.max_steps=20")
    result = study(rollout, 1, [Shuffle()], episodes=4)
    assert list(result.figures) == everything
    trace = rollout.trace(get_vector(rollout.agent), 1, [Shuffle()])
    assert list(figures_of(rollout, trace)) == cheap
    write_study(result, tmp_path / "figures")
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    numbers = {"regression.json"} if "regression" in everything else set()
    assert written == {f"{name}.png" for name in everything} | numbers


def test_the_regression_holds_the_drawn_episode_out(tmp_path):
    rollout = make_rollout("env.max_steps=30")
    result = study(rollout, 2, [Shuffle()], episodes=5)
    vector = get_vector(rollout.agent)
    seeds = [2, *(derive_seed(2, STUDY, episode) for episode in range(1, 5))]
    lengths = [len(rollout.trace(vector, seed, [Shuffle()]).rewards) for seed in seeds]
    assert result.regression.held_out == (2, sum(lengths[:2]))
    assert result.regression.fitted == (3, sum(lengths[2:]))
    assert result.regression.true.tolist() == rollout.trace(vector, 2).observations.tolist()
    write_study(result, tmp_path)
    written = json.loads((tmp_path / "regression.json").read_text())
    assert written["r2"] == result.regression.r2
    assert written["held_out"] == {"episodes": 2, "steps": sum(lengths[:2])}


def test_a_study_leaves_the_agent_as_it_was():
    rollout = make_rollout("env.max_steps=5")
    rollout.agent.float()
    before = {name: value.clone() for name, value in rollout.agent.state_dict().items()}
    study(rollout, 0, [Shuffle()], episodes=2)
    after = rollout.agent.state_dict()
    assert {value.dtype for value in after.values()} == {torch.float32}
    assert all(torch.equal(after[name], value) for name, value in before.items())
