import math

import pytest
import torch
from conftest import compose, make_agent
from hydra.utils import instantiate
from omegaconf import OmegaConf

from anx.experiment.build import build_rollout
from anx.experiment.files.weights import load_into, read_weights
from anx.perturb.inputs import Duplicate, Noise, Shuffle
from anx.rollout.device import DeviceRollout
from anx.rollout.evaluation import evaluate, fraction_that_differs, summarise
from anx.zoo.table import read_table

SHIPPED = "anx:cartpole"


def test_a_summary_has_the_mean_the_sample_deviation_and_the_error_of_the_mean():
    summary = summarise(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert summary == pytest.approx({"mean": 2.5, "std": 1.2909944, "sem": 0.6454972, "episodes": 4})
    assert summarise(torch.tensor([3.0]))["std"] == 0


def test_the_fraction_that_differs_counts_episodes():
    assert fraction_that_differs(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 2.0005, 3.1, 5.0])) == 0.5


@pytest.fixture
def authors(reference):
    def make(gain=1.0):
        agent, env = make_agent("+experiment=cartpole", f"pooler.gain={gain}")
        path = reference("cartpole_pi.npz")
        load_into(agent, read_weights(path), path)
        return agent, DeviceRollout(agent, env)

    return make


@pytest.mark.slow
def test_the_authors_agent_scores_what_they_measured_plain_and_shuffled(authors):
    agent, rollout = authors()
    plain = evaluate(agent, rollout, 2000, 0)
    shuffled = evaluate(agent, rollout, 2000, 0, [Shuffle()])
    assert summarise(shuffled.returns)["mean"] == pytest.approx(498, abs=25)
    assert fraction_that_differs(plain.returns, shuffled.returns) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("perturbation", "mean", "tolerance"),
    [(Shuffle(every=100), 262, 20), (Noise(5, 0.1), 484, 25)],
    ids=["reshuffled", "noise"],
)
def test_the_authors_agent_scores_what_they_measured_under_perturbations(authors, perturbation, mean, tolerance):
    agent, rollout = authors()
    result = evaluate(agent, rollout, 2000, 0, [perturbation])
    assert summarise(result.returns)["mean"] == pytest.approx(mean, abs=tolerance)


@pytest.mark.slow
def test_duplicated_inputs_at_half_the_gain_are_the_same_episodes(authors):
    plain = evaluate(*authors(), 500, 0)
    doubled = evaluate(*authors(gain=0.5), 500, 0, [Duplicate()])
    torch.testing.assert_close(doubled.returns, plain.returns, rtol=0, atol=1e-3)


def test_configs_of_perturbations_build_them():
    config = compose("perturbations=[shuffle,noise]", "perturbations.noise.channels=3", config_name="evaluate")
    shuffle, noise = (instantiate(each) for each in config.perturbations.values())
    assert isinstance(shuffle, Shuffle)
    assert (noise.channels, noise.sigma) == (3, 0.1)


def test_the_agent_that_is_shipped_scores_what_is_said_of_it_plain_and_shuffled():
    """Within five standard errors of the difference of 1,000 fresh episodes from those of the zoo's table."""
    weights = read_weights(SHIPPED)
    agent, rollout = build_rollout(OmegaConf.create(weights.config))
    load_into(agent, weights, SHIPPED)
    plain = evaluate(agent, rollout, 1000, 1)
    shuffled = evaluate(agent, rollout, 1000, 1, [Shuffle()])
    said, here = read_table()["cartpole"].scores["shuffled"], summarise(shuffled.returns)
    assert here["mean"] == pytest.approx(said["mean"], abs=5 * math.hypot(here["sem"], said["sem"]))
    assert fraction_that_differs(plain.returns, shuffled.returns) < 0.02


@pytest.mark.slow
def test_the_authors_ant_walks_as_far_as_they_measured_with_its_inputs_shuffled(reference):
    """2,560 over 50 episodes (their log: 2,563, standard deviation 79); 12 episodes, a few of which may fall."""
    config = compose("+experiment=ant")
    agent, rollout = build_rollout(config)
    path = reference("ant_pi.npz")
    load_into(agent, read_weights(path), path)
    returns = evaluate(agent, rollout, 12, 0, [Shuffle()]).returns
    rollout.close()
    assert float(returns.median()) == pytest.approx(2560, abs=80)
