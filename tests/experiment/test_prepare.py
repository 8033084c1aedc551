"""What a run is built from: where the search starts, and what is refused before anything is logged."""

import re
import sys
import types

import pytest
import torch
from conftest import compose
from omegaconf import OmegaConf
from torch import nn

from anx.agent.agent import start_search
from anx.agent.neuron import LSTMNeuron
from anx.agent.ops import sinusoidal_table
from anx.commands.run import train
from anx.errors import ConfigError
from anx.experiment.prepare import build_learner, describe_device, prepare
from anx.population import get_vector

SMALL = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]


@pytest.fixture(scope="module")
def composed():
    return compose(*SMALL)


@pytest.fixture
def changed(composed, tmp_path):
    """The configuration with other values, by dotted key; ... leaves a key out."""

    def change(**values):
        config = composed.copy()
        OmegaConf.set_struct(config, False)
        for key, value in {"run_dir": str(tmp_path), **values}.items():
            if value is ...:
                del config[key]
            else:
                OmegaConf.update(config, key, value, merge=False)
        OmegaConf.set_struct(config, True)
        return config

    return change


def test_learned_queries_start_from_the_sinusoidal_table_and_all_else_at_0(changed):
    parameters = dict(build_learner(changed(**{"pooler.queries": "learned"})).agent.named_parameters())
    assert torch.equal(parameters.pop("pooler.table"), sinusoidal_table(16, 8))
    assert all(not value.any() for value in parameters.values())


def test_a_neuron_of_ones_own_says_what_its_parameters_start_at(changed, monkeypatch):
    class Scaled(LSTMNeuron):
        own_start = ("scale", "norm.weight")

        def __init__(self, features, action_size):
            super().__init__(features, action_size)
            self.scale = nn.Parameter(torch.full((8,), 3.0))
            self.norm = nn.LayerNorm(8)

    monkeypatch.setitem(sys.modules, "my_neuron", types.SimpleNamespace(Scaled=Scaled, __name__="my_neuron"))
    agent = build_learner(changed(neuron={"_target_": "my_neuron.Scaled"})).agent
    started = {name: value.unique().tolist() for name, value in agent.named_parameters()}
    assert {name for name, values in started.items() if values != [0.0]} == {"neuron.scale", "neuron.norm.weight"}
    assert started["neuron.scale"] == [3.0]


def test_a_search_starts_at_zeros_or_where_layers_do_of_the_runs_seed():
    def started(*overrides):
        return get_vector(build_learner(compose("+budget=smoke", *overrides)).agent)

    layers = started("learner.start=layers")
    assert not started().any()
    assert layers.count_nonzero() > len(layers) / 2
    assert torch.equal(layers, started("learner.start=layers"))
    assert not torch.equal(layers, started("learner.start=layers", "seed=1"))
    assert torch.equal(layers, started("learner.start=layers", "optimizer=cmaes"))
    assert torch.equal(started("learner.start=open_gates"), started("+neuron.forget_bias=2"))
    assert torch.equal(started("learner.start=open_gates", "+neuron.forget_bias=3"), started("+neuron.forget_bias=3"))
    assert torch.equal(started("learner.start=open_gates", "neuron=stacked"), started("neuron=stacked"))
    with pytest.raises(ConfigError, match=r"learner.start='?middle'? .*zeros.*layers"):
        prepare(compose("+budget=smoke", "learner.start=middle"))


def test_a_search_starts_with_a_population_of_agents_that_are_drawn_alike_and_apart():
    def first(*overrides):
        learner = build_learner(compose("+budget=smoke", "optimizer=genetic", "learner.start=population", *overrides))
        return learner.optimizer.ask()

    population = first()
    assert torch.equal(population[0], get_vector(build_learner(compose("+budget=smoke", "learner.start=layers")).agent))
    assert len(population.unique(dim=0)) == len(population)
    spread = population.std(1)  # of an agent's parameters: 433 numbers each, from the same distributions
    torch.testing.assert_close(spread, spread.mean().expand(len(spread)), rtol=0.2, atol=0)
    assert torch.equal(population, first()), "what a run that goes on before the first generation was told asks again"
    assert not torch.equal(population, first("seed=1"))
    shipped = build_learner(compose("+budget=smoke", "weights=anx:cartpole")).agent
    assert torch.equal(first("weights=anx:cartpole")[-1], get_vector(shipped)), "mutants of it, and itself"


def test_a_solver_that_draws_its_first_candidates_itself_is_no_place_for_a_population():
    with pytest.raises(
        ConfigError, match=r"^optimizer._target_=PGPE draws its first .*; optimizer=genetic takes some$"
    ):
        build_learner(compose("+budget=smoke", "optimizer=pgpe", "learner.start=population"))


def test_a_start_that_no_parameter_has_is_an_error():
    module = nn.Linear(1, 1)
    module.own_start = ("wight",)
    with pytest.raises(AttributeError, match="wight"):
        start_search(module)


def test_a_run_says_where_it_computes_and_where_it_could(changed, monkeypatch):
    trainer = prepare(changed()).trainer
    monkeypatch.setattr("anx.experiment.prepare.count_cores", lambda: 2)
    assert describe_device(trainer) == "on the CPU (2 cores)"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert describe_device(trainer) == "on the CPU (2 cores); a CUDA card is there, too: trainer.accelerator=gpu"


REFUSED = {
    "an accelerator without float64": ({"trainer.accelerator": "mps"}, "trainer.accelerator=mps .*no float64"),
    "an accelerator that is not there": ({"trainer.accelerator": "gpu"}, "^trainer: (?!trainer:).*accelerator=gpu"),
    "an unknown accelerator": ({"trainer.accelerator": "abacus"}, "trainer: .*abacus"),
    "an unknown strategy": ({"trainer.strategy": "nonsense"}, "trainer: .*nonsense"),
    "an unknown precision": ({"trainer.precision": "abc"}, r"trainer\.precision=abc must be one of"),
    "an unknown key of the trainer": (
        {"trainer.foo": 1},
        r"trainer\.foo=1 is no argument of Trainer; allowed: acc",
    ),
    "a time that is none": ({"trainer.max_time": "soon"}, "trainer: .*soon.*DD:HH:MM:SS"),
    "no devices": ({"trainer.devices": 0}, "trainer: .*devices"),
    "devices that are no number": ({"trainer.devices": "many"}, "trainer: .*many"),
    "endless generations": ({"trainer.max_steps": -1}, "trainer.max_steps=-1 must be an integer, at least 1"),
    "no trainer": ({"trainer": ...}, "trainer=None: a run needs one"),
    "a null optimizer": ({"optimizer": None}, "optimizer=None: a run needs one"),
    "a text for a report": ({"report": "yes"}, "report=yes must be null or a part"),
    "a text for a callback": ({"callbacks.progress": "yes"}, "callbacks.progress=yes must be null or a part"),
    "a number for a logger": ({"logger.wandb": -1e12}, "logger.wandb=-1000000000000.0 must be null or a part"),
    "no budgets": ({"budgets": None}, "budgets=None must be sizes by name"),
    "a text for all callbacks": ({"callbacks": "yes"}, "callbacks=yes must be null or parts by name"),
}


@pytest.mark.parametrize(("values", "says"), REFUSED.values(), ids=REFUSED)
def test_a_run_refuses(changed, values, says):
    if values.get("trainer.accelerator") == "gpu" and torch.cuda.is_available():
        pytest.skip("a card is there")
    with pytest.raises(ConfigError) as error:
        prepare(changed(**values))
    assert re.search(says, str(error.value))


def test_tasks_of_slurm_that_do_not_fit_are_refused_with_the_way_out(changed, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    with pytest.raises(ConfigError, match=r"trainer: .*ntasks=4.*or unset SLURM_NTASKS"):
        prepare(changed())


@pytest.mark.parametrize("left_out", [None, ...])
def test_without_loggers_callbacks_and_a_report_a_run_trains(changed, tmp_path, left_out):
    report = train(changed(logger=left_out, callbacks=left_out, report=left_out))
    assert report["generations"] == 4
    files = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert files == {"config.yaml", "identity.json", "agent.safetensors", "report.json"}


def test_a_run_for_a_time_ends_with_a_whole_report(changed, tmp_path):
    report = train(
        changed(**{"trainer.max_time": "00:00:00:01", "trainer.max_steps": -1, "trainer.val_check_interval": 3})
    )
    assert report["generations"] > 0
    assert report["agent"]["score"] is not None
    assert (tmp_path / "report.json").is_file()
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_a_disk_that_is_full_at_the_start_is_one_line(changed, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anx.commands.run.add_start", fail)
    with pytest.raises(ConfigError, match=rf"folder {tmp_path} can't be written \(No space left on device\)"):
        train(changed())


@pytest.mark.parametrize(
    "key",
    [
        "trainer.logger",
        "trainer.callbacks",
        "trainer.plugins",
        "learner.parts",
        "report.trust",
        "optimizer.dimension",
    ],
)
def test_what_a_run_gives_its_parts_itself_can_not_be_chosen(changed, key):
    report = {"report": {"_target_": "anx.commands.report.write_report"}} if key == "report.trust" else {}
    with pytest.raises(ConfigError, match=rf"^{key}=.*(it follows from other parts; leave it out|must be Parts)$"):
        prepare(changed(**report, **{key: 3 if key == "optimizer.dimension" else []}))


def test_parameters_that_a_gradient_follows_can_not_be_chosen():
    with pytest.raises(ConfigError, match=r"^optimizer\.params=\[\] can't be chosen"):
        prepare(compose("optimizer=adam", "learner=cloning", "+optimizer.params=[]"))


def test_checkpoints_that_no_callback_writes_can_not_be_asked_for(changed):
    with pytest.raises(ConfigError, match=r"^trainer\.enable_checkpointing=True needs a callback that saves"):
        prepare(changed(**{"callbacks": None, "trainer.enable_checkpointing": True}))
