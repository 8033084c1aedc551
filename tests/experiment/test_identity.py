import hashlib
import json
import subprocess

import torch

from anx.experiment import identity
from anx.zoo.shipped import find_shipped


def test_a_start_says_its_code_versions_hardware_command_and_seed():
    start = identity.identify(["+experiment=ant", "+ablation=[no_memory,learned_queries]"], seed=3)
    assert start["command"] == "python -m anx.run +experiment=ant '+ablation=[no_memory,learned_queries]'"
    assert start["seed"] == 3
    assert identity.identify(None, seed=3)["command"] is None  # started from Python
    assert start["versions"]["torch"] == torch.__version__
    assert start["hardware"]["cores"] >= 1
    json.dumps(start)


def test_the_commit_is_that_of_the_checkout_and_a_change_shows(monkeypatch, tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    module = tmp_path / "anx" / "experiment" / "identity.py"
    monkeypatch.setattr(identity, "__file__", str(module))
    assert identity.identify([], 0)["commit"] is None  # an installed package
    git("init")
    module.parent.mkdir(parents=True)
    module.write_text("")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "first")
    start = identity.identify([], 0)
    assert len(start["commit"]) == 40
    assert start["uncommitted_changes"] is False
    module.write_text("changed")
    assert identity.identify([], 0)["uncommitted_changes"] is True


def test_a_start_from_weights_says_which_they_were(tmp_path):
    assert identity.identify([], 0)["weights"] is None
    file = find_shipped("anx:cartpole", "weights")
    shipped = identity.identify([], 0, "anx:cartpole")["weights"]
    assert shipped == {"path": "anx:cartpole", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert identity.identify([], 0, str(file))["weights"] == {"path": str(file), "sha256": shipped["sha256"]}


def test_a_resumed_run_adds_its_start(tmp_path):
    for seed in (1, 2):
        identity.add_start(tmp_path / "identity.json", {"seed": seed})
    assert json.loads((tmp_path / "identity.json").read_text()) == [{"seed": 1}, {"seed": 2}]


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(identity, "PACKAGES", ("torch", "no-such-package"))
    assert list(identity.versions()) == ["torch"]
