"""An evaluation from Python is the command line's."""

import json
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

import anx
import anx.commands.evaluate
from anx.perturb.actuators import DropActuators
from anx.perturb.inputs import Noise, Shuffle

SHIPPED = "anx:cartpole"
SHORT = "env.max_steps=60"


PERTURBED = {
    "the default": ({}, ["perturbations=[shuffle]"]),
    "none": ({"perturbations": ()}, []),
    "names, in order": ({"perturbations": ["noise", "shuffle"]}, ["perturbations=[noise,shuffle]"]),
    "options": (
        {"perturbations": {"shuffle": {"every": 7}, "noise": {"channels": 2, "sigma": 0.2}}},
        [
            "perturbations=[shuffle,noise]",
            *("perturbations.shuffle.every=7", "perturbations.noise.channels=2", "perturbations.noise.sigma=0.2"),
        ],
    ),
    "instances": (
        {"perturbations": [Shuffle(every=7), "noise", Noise(channels=2)]},
        [
            *("perturbations=[shuffle,noise]", "perturbations.shuffle.every=7"),
            "+perturbations.more={_target_: anx.perturb.inputs.Noise, channels: 2}",
        ],
    ),
}


@pytest.mark.parametrize(("python", "arguments"), PERTURBED.values(), ids=PERTURBED)
def test_an_evaluation_is_the_command_lines_to_the_bit(python, arguments, monkeypatch, tmp_path):
    ours = anx.evaluate(SHIPPED, SHORT, episodes=6, seed=4, **python)
    output = tmp_path / "result.json"
    given = [f"weights={SHIPPED}", SHORT, "episodes=6", "seed=4", f"output={output}", *arguments]
    monkeypatch.setattr(sys, "argv", ["anx", *given])
    GlobalHydra.instance().clear()
    anx.commands.evaluate.main()
    theirs = json.loads(output.read_text())
    assert ours.returns.tolist() == theirs["returns"]
    assert ours.steps.tolist() == theirs["steps"]
    assert [ours.mean, ours.std, ours.sem] == [theirs[key] for key in ("mean", "std", "sem")]


NOT_PLAYED = {
    "an unknown perturbation": ({"perturbations": ["shake"]}, r"^perturbations=shake is unknown; allowed: .*shuffle$"),
    "an unknown option": (
        {"perturbations": {"shuffle": {"evry": 3}}},
        r"^perturbations.shuffle.evry=3 .*allowed: every",
    ),
    "a value of another kind": ({"perturbations": {"noise": {"sigma": "much"}}}, "^perturbations.noise.sigma=much"),
    "one twice": (
        {"perturbations": ["noise", "noise"]},
        r"^perturbations=.* names noise twice; each can be chosen once",
    ),
    "a text for a list": ({"perturbations": "shuffle"}, r"^perturbations=shuffle must be a list"),
    "an instance that befalls several actuators": (
        {"perturbations": [DropActuators()]},
        r"^perturbations\.DropActuators takes an action of several numbers; here it is one number$",
    ),
    "no episodes": ({"episodes": 0}, "^episodes=0 must be an integer, at least 1"),
    "a seed too large": ({"seed": 2**32}, "^seed=4294967296"),
}


@pytest.mark.parametrize(("options", "says"), NOT_PLAYED.values(), ids=NOT_PLAYED)
def test_an_evaluation_refuses_in_one_line(options, says):
    with pytest.raises(anx.ConfigError, match=says):
        anx.evaluate(SHIPPED, **options)


def test_overrides_are_given_where_an_agent_is_loaded():
    with pytest.raises(anx.ConfigError, match=r"pooler.gain=0.5.*give it to anx.load"):
        anx.evaluate(anx.load(SHIPPED), "pooler.gain=0.5")
    assert anx.load(SHIPPED, "pooler.gain=0.5").config.pooler.gain == 0.5
