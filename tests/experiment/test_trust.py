"""A file of somebody else runs no code: what it names is checked before anything is imported."""

import os
import sys

import pytest
import torch
import yaml
from conftest import compose, make_agent
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import anx.commands.evaluate
from anx.commands.report import write_report
from anx.commands.run import run
from anx.envs.car_racing.look import BACKGROUNDS, read_picture
from anx.errors import ConfigError
from anx.experiment.config.parts import AGENT_KEYS
from anx.experiment.files.trust import check_agent_config, components, packages_to_trust, trust_override
from anx.experiment.files.weights import write_agent
from anx.sweep.file import read_sweep_file
from anx.sweep.runner import Sweep

GYMNASIUM = {"_target_": "anx.envs.gymnasium.GymnasiumEnv"}

MODULE = """
import os
import pathlib

import torch

pathlib.Path(__file__).with_name("imported").touch()


class Neuron(torch.nn.Module):
    def __init__(self, features: int, action_size: int, hidden_size: int = 8, **more):
        super().__init__()
        self.key_size, self.value_size = hidden_size, features
        self.layer = torch.nn.Linear(features + action_size, hidden_size)

    def initial_state(self, num_inputs):
        return ()

    def forward(self, inputs, previous_action, state):
        seen = torch.cat([inputs, previous_action.expand(len(inputs), -1)], dim=-1)
        return self.layer(seen).tanh(), inputs, ()
"""


@pytest.fixture
def agent_config():
    """What a file says of the default agent."""
    config = compose("env.max_steps=20")
    return OmegaConf.to_container(OmegaConf.create({key: config[key] for key in ("name", *AGENT_KEYS)}), resolve=True)


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A package of somebody's, `stranger`, that leaves a file when it is imported; that file's path."""
    (tmp_path / "stranger.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "imported"
    sys.modules.pop("stranger", None)


@pytest.fixture
def evaluate(monkeypatch, capsys, tmp_path):
    """Evaluates a file that says `config` of its agent; returns the exit code and what was printed."""

    def run(agent, config, *arguments, suffix=".safetensors"):
        path = tmp_path / f"agent{suffix}"
        if suffix == ".ckpt":
            state = {f"agent.{name}": value for name, value in agent.float().state_dict().items()}
            torch.save({"state_dict": state, "config": config}, path)
        else:
            write_agent(agent.float(), config, path)
        monkeypatch.setattr(sys, "argv", ["anx", f"weights={path}", "episodes=2", *arguments])
        GlobalHydra.instance().clear()
        code = 0
        try:
            anx.commands.evaluate.main()
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr()

    return run


def hostile(canary):
    """Parts of an agent with which files have run code, and their kin."""
    shell = f"touch {canary}"
    return {
        "a function that unpickles": ("env", {"_target_": "pandas.read_pickle", "filepath_or_buffer": shell}),
        "another one": ("env", {"_target_": "joblib.load", "filename": shell}),
        "an argument that unpickles": ("env", {"_target_": "numpy.load", "file": shell, "allow_pickle": True}),
        "a function that writes": ("policy", {"_target_": "numpy.save", "file": str(canary), "arr": [1]}),
        "a shell": ("rollout", {"_target_": "os.system", "command": shell}),
        "a way through our modules": ("env", {"_target_": "anx.envs.ant.os.system", "command": shell}),
        "a function of ours": ("env", {"_target_": "anx.files.write_whole", "path": str(canary), "content": "x"}),
        "a class of ours of another kind": ("env", {"_target_": "anx.agent.policy.MLPPolicy"}),
        "a module": ("neuron", {"_target_": "stranger.Neuron"}),
        "in an argument": ("pooler", {"gain": {"_target_": "stranger.Neuron"}}),
        "in a list": ("policy", {"hidden_sizes": [[{"_target_": "stranger.Neuron"}]]}),
        "without the name": ("neuron", {"hidden_size": {"_args_": [1], "_partial_": True}}),
        "positional": ("env", {"_args_": [shell]}),
        "partial": ("env", {"_partial_": True}),
        "an interpolation": ("pooler", {"gain": "${oc.env:HOME}"}),
        "a resolver": ("pooler", {"activation": "${hydra:runtime.cwd}"}),
        "an interpolated name": ("env", {"_target_": "${oc.env:HOME}"}),
        "a defaults list": ("env", {"defaults": [{"/neuron": "lstm"}]}),
        "an unknown argument": ("neuron", {"shell": shell}),
        "an argument of another kind": ("neuron", {"hidden_size": shell}),
        "a name with a line in it": ("env", {"_target_": "os\nsystem"}),
        "a list for a name": ("env", {"_target_": ["os", "system"]}),
        "a list for a part": ("env", ["os.system", shell]),
        "nothing for a part": ("splitter", None),
        "a package that gymnasium imports": ("env", {**GYMNASIUM, "id": "stranger:Env-v0"}),
        "one that is anx's": ("env", {**GYMNASIUM, "id": "anx.sweep.__main__:Env-v0"}),
        "an environment's path": ("env", {**GYMNASIUM, "id": "CartPole-v1", "kwargs": {"file": "/etc/passwd"}}),
        "an environment's environment": ("env", {**GYMNASIUM, "id": "GymV26Environment-v0", "kwargs": {"a": ["b:c"]}}),
    }


@pytest.mark.parametrize("case", hostile(""))
def test_what_a_file_names_is_refused_in_one_line_and_nothing_of_it_runs(evaluate, agent_config, canary, case):
    agent, _ = make_agent()
    part, value = hostile(canary)[case]
    named = isinstance(value, dict) and "_target_" in value
    agent_config[part] = {**agent_config[part], **value} if isinstance(value, dict) and not named else value
    code, printed = evaluate(agent, agent_config)
    assert code == 2
    assert printed.err.startswith("error: weights=")
    assert printed.err.count("\n") == 1
    assert part in printed.err or "${" in printed.err
    assert not canary.exists()
    assert "stranger" not in sys.modules


def test_a_checkpoint_is_read_as_carefully(evaluate, agent_config, canary):
    agent, _ = make_agent()
    agent_config["neuron"] = {"_target_": "stranger.Neuron"}
    code, printed = evaluate(agent, agent_config, suffix=".ckpt")
    assert code == 2
    assert "say trust=[stranger]" in printed.err
    assert not canary.exists()
    agent_config["neuron"] = {"_target_": "anx.agent.neuron.LSTMNeuron", "hidden_size": torch.ones(1)}
    code, printed = evaluate(agent, agent_config, suffix=".ckpt")
    assert code == 2
    assert "a Tensor, which is no plain value" in printed.err


def test_a_component_of_a_package_that_is_trusted_is_built(evaluate, canary):
    agent, _ = make_agent("neuron._target_=stranger.Neuron", "+neuron._convert_=all")
    config = compose("neuron._target_=stranger.Neuron", "+neuron._convert_=all", "env.max_steps=20")
    assert packages_to_trust(config) == ["stranger"]
    assert trust_override(config) == ["trust=[stranger]"]
    said = OmegaConf.to_container(OmegaConf.create({key: config[key] for key in AGENT_KEYS}), resolve=True)
    code, printed = evaluate(agent, said)
    assert code == 2
    assert "neuron._target_=stranger.Neuron" in printed.err
    assert "say trust=[stranger]" in printed.err
    code, printed = evaluate(agent, said, "trust=[stranger]")
    assert code == 0, printed.err
    said["neuron"]["hidden_size"] = "many"
    code, printed = evaluate(agent, said, "trust=[stranger]")
    assert (code, "neuron.hidden_size=many must be an integer" in printed.err) == (2, True)


def test_an_id_imports_the_package_that_is_trusted_and_its_options_are_free(agent_config, canary):
    agent_config["env"] = {**GYMNASIUM, "id": "stranger.envs:Env-v0", "kwargs": {"file": "/some/where"}}
    for trust in ([], ["strange"], ["stranger.envs.more"]):
        with pytest.raises(
            ConfigError, match=r"env\.id=stranger\.envs:Env-v0 imports stranger\.envs, .* say trust=\[str"
        ):
            check_agent_config(agent_config, "weights=a", trust)
    check_agent_config(agent_config, "weights=a", ["stranger"])
    assert packages_to_trust(agent_config) == ["stranger"]
    assert trust_override(agent_config) == ["trust=[stranger]"]
    assert not canary.exists()  # a check imports nothing that gymnasium would


@pytest.mark.parametrize(
    ("target", "trust", "says"),
    [
        ("stranger.os.system", ["stranger"], "is no component of what is trusted"),
        ("stranger.torch.nn.Linear", ["stranger"], "is no component of what is trusted"),
        ("stranger.Neuron.load_state_dict", ["stranger"], "is no component of what is trusted"),
        ("stranger.Neuron.__init__.__globals__", ["stranger"], "is no component of what is trusted"),
        ("stranger.__file__", ["stranger"], "is no component of what is trusted"),
        ("stranger.Nothing", ["stranger"], "can't be imported"),
        ("stranger_too.Neuron", ["stranger"], "say trust=[stranger_too]"),
        ("anx.files.write_whole", ["stranger"], "say trust=[anx.files.write_whole]"),
        ("stranger.Neuron", "stranger", "trust=stranger must be a list of packages"),
        ("stranger.Neuron", 3, "trust=3 must be a list of packages"),
    ],
)
def test_trust_in_a_package_goes_no_further(agent_config, canary, target, trust, says):
    agent_config["neuron"] = {"_target_": target}
    with pytest.raises(ConfigError) as refused:
        check_agent_config(agent_config, "weights=a", trust)
    assert says in str(refused.value)


def test_every_component_of_ours_may_be_named(agent_config):
    for group in AGENT_KEYS:
        assert components()[group]
        for target in components()[group]:
            check_agent_config({**agent_config, group: {"_target_": target}}, "weights=a")
    assert packages_to_trust(agent_config) == trust_override(agent_config) == []


@pytest.mark.parametrize("key", ["name", "rollout.compile", "neuron.mine"])
def test_what_refers_to_something_is_no_value_of_an_agents(agent_config, key):
    *parts, last = key.split(".")
    node = agent_config[parts[0]] if parts else agent_config
    node[last] = "${oc.create:'{_target_: stranger.Neuron}'}"
    with pytest.raises(ConfigError, match=rf"^weights=a: {key}=.\$.* refers to something; of an agent a file says"):
        check_agent_config(agent_config, "weights=a")


def test_a_sweep_file_may_refer_to_keys(tmp_path):
    command = ["python", "-m", "anx.run", "optimizer.seed=${seed}", "${args_no_hyphens}"]
    metric = {"name": "validation/plain_mean", "goal": "maximize"}
    content = {"method": "grid", "metric": metric, "parameters": {"seed": {"values": [3]}}, "command": command}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    Sweep(read_sweep_file(tmp_path / "sweep.yaml"), tmp_path / "runs", None, [], run)


def test_a_runs_folder_is_read_as_carefully(tmp_path, canary, agent_config):
    agent, _ = make_agent()
    agent_config["neuron"] = {"_target_": "stranger.Neuron", "hidden_size": 8}
    content = {**agent_config, "seed": 0, "trainer": {"max_steps": 1}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    write_agent(agent.float(), {}, tmp_path / "agent.safetensors")
    with pytest.raises(ConfigError, match=r"neuron\._target_=stranger\.Neuron .* say --trust stranger"):
        write_report(tmp_path, figures=False, film=False)
    assert not canary.exists()
    assert write_report(tmp_path, figures=False, film=False, trust=["stranger"]).is_file()


OWN = "on the command line, not in a file"
SWEEPS = {
    "a name": ({"neuron._target_": {"value": "stranger.Neuron"}}, [], "say trust=[stranger]"),
    "a mapping": ({"+callbacks.mine": {"value": "{_target_: stranger.Neuron}"}}, [], "say trust=[stranger]"),
    "among values": ({"neuron": {"values": ["lstm", "{a: [{_target_: os.system}]}"]}}, [], "say trust=[os]"),
    "arguments": ({"+neuron._args_": {"values": ["[1]"]}}, [], "is no component's name"),
    "an id": ({"env.id": {"value": "stranger:Env-v0"}}, ["env=gymnasium"], "say trust=[stranger]"),
    "an environment's options": ({"env.kwargs.path": {"values": ["a.b", "c"]}}, [], "could lead anywhere"),
    "in the command": ({"seed": {"value": 0}}, ["+report.x={_target_:os.system}"], "say trust=[os]"),
    "Hydra itself": ({"seed": {"value": 0}}, ["hydra.searchpath=[pkg://stranger]"], OWN),
    "a resolver": ({"learner.spare": {"value": "\"${oc.create:'{_target_: stranger.Neuron}'}\""}}, [], OWN),
    "a resolver in the command": ({"seed": {"value": 0}}, ["name='x${oc.env:HOME}'"], OWN),
    "an id elsewhere": ({"env.id": {"value": "${x}"}}, ["env=gymnasium", "+x='stranger:Env-v0'"], OWN),
    "trust": ({"seed": {"value": 0}}, ["trust=[stranger]"], OWN),
    "a teacher's overrides": ({"teacher.overrides": {"value": "['neuron._target_=stranger.Neuron']"}}, [], OWN),
    "a config anywhere": ({"seed": {"value": 0}}, ["+ablation=../../stranger"], OWN),
}


@pytest.mark.parametrize(("parameters", "overrides", "says"), SWEEPS.values(), ids=SWEEPS)
def test_a_sweep_file_is_read_as_carefully(tmp_path, canary, parameters, overrides, says):
    command = ["${env}", "${interpreter}", "-m", "anx.run", *overrides, "${args_no_hyphens}"]
    metric = {"name": "validation/plain_mean", "goal": "maximize"}
    content = {"method": "grid", "metric": metric, "parameters": parameters, "command": command}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    file = read_sweep_file(tmp_path / "sweep.yaml")
    with pytest.raises(ConfigError) as refused:
        Sweep(file, tmp_path / "runs", None, [], run)
    assert str(refused.value).startswith(f"{tmp_path / 'sweep.yaml'}: ")
    assert says in str(refused.value)
    assert not canary.exists()
    if says == "say trust=[stranger]":
        Sweep(file, tmp_path / "runs", None, ["trust=[stranger]"], run)


@pytest.mark.parametrize("kind", ["EPS", "a pipe", "a folder", "a text"])
def test_a_picture_that_a_file_names_is_opened_as_a_picture_only(tmp_path, kind):
    path = tmp_path / "picture.png"
    if kind == "EPS":  # Pillow would start Ghostscript
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n%%EOF\n")
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_text("text")
    with pytest.raises(ValueError, match=r"^background=.* is neither a picture file nor one of clouds"):
        read_picture(str(path))
    assert read_picture(str(BACKGROUNDS / "hills.png")).size > (0, 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2", "is no YAML"),
        ("a: !!python/object/apply:os.system [true]", "is no YAML"),
        ("a: !!timestamp x", "is no YAML"),
        ("a: 2020-13-45", "is no YAML"),
        ("a: 2020-12-24", "a date, which is no plain value"),
        ("1: a", "the key 1, which is no text"),
        ("&a [*a]", "more values, or deeper ones"),
        ("[" * 5000, "is no YAML"),
        ("[" * 30 + "]" * 30, "more values, or deeper ones"),
        ("\n".join(["- &a0 x", *(f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))]), "more values"),
        ("env: {}", "must say of its agent what each of env, agent, splitter"),
        ("- env", "must say of its agent what each of env, agent, splitter"),
        ("text", "must say of its agent what each of env, agent, splitter"),
    ],
)
def test_a_configuration_that_is_none_is_refused_in_one_line(evaluate, monkeypatch, text, says):
    agent, _ = make_agent()
    monkeypatch.setattr("anx.experiment.files.weights.yaml.safe_dump", lambda config, **more: text)
    code, printed = evaluate(agent, {})
    assert code == 2
    assert says in printed.err
    assert printed.err.count("\n") == 1
