"""Files that older versions wrote are read as what they were."""

import hashlib
import pkgutil
from pathlib import Path

import pytest
import torch
import yaml
from conftest import compose, make_agent
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from anx.errors import ConfigError
from anx.experiment.build import build_agent
from anx.experiment.compose import compose_evaluation
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.older import MOVED, SINCE, renewed, renewed_checkpoint, renewed_state
from anx.experiment.files.trust import check_agent_config
from anx.experiment.files.weights import CONFIG, load_into, read_checkpoint, read_weights
from anx.population import get_vector, set_vector

OLDER = Path(__file__).parents[1] / "data" / "before_heads.safetensors"  # the first agent that shipped

LSTM = {"weight_ih": (32, 2), "weight_hh": (32, 8), "bias_ih": (32,), "bias_hh": (32,)}
CART_POLE = {f"neuron.cell.{name}": shape for name, shape in LSTM.items()}
CART_POLE |= {"pooler.query.weight": (32, 8), "pooler.key.weight": (32, 8)}
CAR_RACING = {"pooler.query": (16, 8), "pooler.key": (16, 111), "pooler.value": (16, 144)}
CAR_RACING |= {"policy.query": (4, 16), "policy.key": (4, 16)}


def with_biases(layers):
    """Names and shapes of linear layers' weights and biases."""
    return {
        f"{name}.{kind}": own
        for name, shape in layers.items()
        for kind, own in (("weight", shape), ("bias", shape[:1]))
    }


PUBLISHED = ["pooler.message_size=32", "+neuron.one_bias=false"]  # agents had all of the authors' weights

# Command lines of now, and what the version before policies had heads called their weights, in its vectors' order.
BEFORE = {
    "linear": (PUBLISHED, CART_POLE | with_biases({"policy.layers.0": (1, 16)})),
    "mlp": (
        [*PUBLISHED, "policy=mlp", "policy.hidden_sizes=[7,5]"],
        CART_POLE | with_biases({"policy.layers.0": (7, 16), "policy.layers.1": (5, 7), "policy.layers.2": (1, 5)}),
    ),
    "AttentionAgent": (
        ["+experiment=car_racing"],
        with_biases(CAR_RACING)
        | {"policy.cell.weight_ih": (64, 20), "policy.cell.weight_hh": (64, 16)}
        | {"policy.cell.bias_ih": (64,), "policy.cell.bias_hh": (64,)}
        | with_biases({"policy.read": (3, 16), "policy.mixing.0": (16, 19), "policy.mixing.2": (1, 16)}),
    ),
}
each_before = pytest.mark.parametrize(("overrides", "shapes"), BEFORE.values(), ids=BEFORE)


def fill(shapes):
    """A random flat vector, and the same numbers by name."""
    sizes = [torch.Size(shape).numel() for shape in shapes.values()]
    vector = 0.3 * torch.randn(sum(sizes), generator=torch.Generator().manual_seed(0))
    parts = zip(shapes.items(), vector.split(sizes), strict=True)
    return vector, {name: part.reshape(shape).clone() for (name, shape), part in parts}


def said_before(overrides, *without):
    """What an older version's file says of its agent."""
    config = compose(*overrides)
    parts = {key: config[key] for key in ("name", *AGENT_KEYS) if key not in ("head", *without)}
    said = OmegaConf.to_container(OmegaConf.create(parts), resolve=True)
    for later in ("apart", "one_bias"):
        said["neuron"].pop(later, None)
    return said


def act(agent, env, steps=4):
    """The actions [T, A] of an agent before random observations."""
    generator = torch.Generator().manual_seed(1)
    shape = env.spec.observation_shape
    frames = (100 * torch.rand(steps, *shape, generator=generator)).float()
    state, prepared, actions = agent.initial_state(agent.splitter.num_inputs), agent.prepare(), []
    with torch.no_grad():
        for frame in frames:
            action, state = agent(prepared, agent.splitter(frame), state)
            actions.append(action)
    return torch.stack(actions)


@each_before
@pytest.mark.parametrize("without", [(), ("agent",)], ids=["without a head", "without an agent, too"])
def test_an_agent_in_an_older_file_is_the_one_of_its_flat_vector(tmp_path, overrides, shapes, without):
    vector, state = fill(shapes)
    path = tmp_path / "agent.safetensors"
    save_file(state, path, metadata={CONFIG: yaml.safe_dump(said_before(overrides, *without))})
    weights = read_weights(path)
    check_agent_config(weights.config, f"weights={path}")
    env = instantiate(compose(*overrides).env)
    agent = build_agent(OmegaConf.create(weights.config), env)
    load_into(agent, weights, path)
    assert torch.equal(get_vector(agent), vector)
    other, _ = make_agent(*overrides)
    set_vector(other.float(), vector)
    assert torch.equal(act(agent, env), act(other, env))


@each_before
def test_an_older_checkpoint_is_read_alike(tmp_path, overrides, shapes):
    vector, state = fill(shapes)
    named = {f"agent.{name}": value for name, value in state.items()}
    torch.save({"state_dict": named, "config": said_before(overrides)}, tmp_path / "last.ckpt")
    agent, _ = make_agent(*overrides)
    load_into(agent.float(), read_weights(tmp_path / "last.ckpt"), "last.ckpt")
    assert torch.equal(get_vector(agent), vector)


def test_an_older_file_is_as_it_was_and_is_read_as_what_it_is():
    assert hashlib.sha256(OLDER.read_bytes()).hexdigest().startswith("b28143e414d3")
    weights, raw = read_weights(OLDER), load_file(OLDER)
    agent, _ = make_agent(*PUBLISHED)
    load_into(agent.float(), weights, OLDER)
    vector = torch.cat([raw[name].flatten() for name in (*CART_POLE, "policy.layers.0.weight", "policy.layers.0.bias")])
    assert torch.equal(get_vector(agent), vector)


def test_what_a_part_got_since_an_older_file_can_be_set_there():
    assert "previous_action" not in read_weights(OLDER).config["agent"]
    assert compose_evaluation(OLDER, []).agent.previous_action is True
    assert compose_evaluation(OLDER, ["agent.previous_action=false"]).agent.previous_action is False


@pytest.mark.parametrize(("before", "after"), MOVED.items())
def test_a_name_of_before_leads_to_something_and_is_no_name_of_now(before, after):
    assert callable(pkgutil.resolve_name(after))
    with pytest.raises((ImportError, AttributeError)):
        pkgutil.resolve_name(before)


@pytest.mark.parametrize(("part", "node"), SINCE.items())
def test_what_older_files_lack_is_what_it_is_by_default(part, node):
    assert node["_target_"] == compose()[part]._target_


def test_components_that_have_moved_are_found_wherever_they_are_named():
    said = {
        "perturbations": {"shuffle": {"_target_": "anx.envs.perturbations.Shuffle", "every": None}},
        "optimizer": {"_target_": "anx.evolution.optimizer.CMAES", "popsize": 8},
        "learner": {"_target_": "anx.evolution.module.Evolution"},
        "list": [{"_target_": "anx.envs.perturbations.Noise"}],
        "stranger": {"_target_": "stranger.evolution.module.Evolution", "text": "anx.evolution.module.Evolution"},
    }
    new = renewed(said)
    assert new["perturbations"]["shuffle"] == {"_target_": "anx.perturb.inputs.Shuffle", "every": None}
    assert new["list"] == [{"_target_": "anx.perturb.inputs.Noise"}]
    assert new["stranger"] == said["stranger"]
    config = compose("optimizer=cmaes", "perturbations=[shuffle]")
    for part in (new["optimizer"], config.optimizer), (new["learner"], config.learner):
        assert part[0]["_target_"] == part[1]._target_


@pytest.mark.parametrize("said", [None, [], "text", {"policy": None}, {"_target_": ["a"]}, {"policy": {"_target_": 3}}])
def test_what_a_file_says_wrongly_is_left_to_be_refused(said):
    renewed(said)
    with pytest.raises(ConfigError):
        check_agent_config(renewed(said), "weights=a")


def test_weights_of_now_stay_as_they_are():
    for names in (["policy.layers.0.weight", "head.layer.weight"], ["policy.mine"], ["policy.read.weight.more"]):
        state = {name: torch.ones(1) for name in names}
        assert renewed_state(state) == state
    said = {"policy": {"_target_": "anx.agent.policy.MLPPolicy"}, "head": {"_target_": "my.HeadWithoutWeights"}}
    state = {"agent.policy.layers.0.weight": torch.ones(1)}
    assert renewed_checkpoint({"state_dict": state, "config": said})["state_dict"] == state


@pytest.mark.slow
def test_a_run_that_an_older_version_began_goes_on_bit_for_bit(tmp_path):
    from anx.commands.run import train

    small = ["+budget=smoke", "env.max_steps=20", "logger=csv", "callbacks.pictures=null", "report=null"]
    small += ["perturbations=[shuffle]", "policy=mlp"]
    train(compose(*small, f"run_dir={tmp_path / 'whole'}"))
    train(compose(*small, "trainer.max_steps=2", f"run_dir={tmp_path / 'begun'}"))
    path = tmp_path / "begun" / "checkpoints" / "last.ckpt"
    torch.save(as_before(torch.load(path, weights_only=True)), path)
    train(compose(*small, f"run_dir={tmp_path / 'begun'}", f"ckpt_path={path}"))
    whole, resumed = (read_checkpoint(tmp_path / each / "checkpoints" / "last.ckpt") for each in ("whole", "begun"))
    assert whole["global_step"] == resumed["global_step"] == 4
    for name, value in whole["state_dict"].items():
        assert torch.equal(resumed["state_dict"][name], value), name


def as_before(checkpoint):
    """A checkpoint as it was before policies had heads and components had moved."""
    state = checkpoint["state_dict"]
    for kind in ("weight", "bias"):
        state[f"agent.policy.layers.1.{kind}"] = state.pop(f"agent.head.layer.{kind}")
    del checkpoint["config"]["head"]
    moved = {after: before for before, after in MOVED.items()}

    def rename(node):
        if not isinstance(node, dict):
            return node
        return {key: old_name(value) if key == "_target_" else rename(value) for key, value in node.items()}

    def old_name(target):
        return moved.get(target, target)

    checkpoint["run"] = rename(checkpoint["run"])
    assert "anx.evolution.module.Evolution" in str(checkpoint["run"])
    return checkpoint
