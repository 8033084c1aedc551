"""A part that there is not is refused, also where a group may be left empty."""

from pathlib import Path

import pytest
import yaml
from conftest import compose

from anx.errors import ConfigError
from anx.experiment.compose import store_as_it_was
from anx.experiment.config.messages import config_errors
from anx.experiment.config.own_configs import config_folder
from anx.experiment.file_base import store_base
from anx.experiment.files.weights import read_weights

FOLDER = Path(config_folder())


def defaults_of(path):
    """The choices that a config makes of others: (group, name)."""
    entries = yaml.safe_load(path.read_text("utf-8")) or {}
    listed = entries.get("defaults", []) if isinstance(entries, dict) else []
    return [pair for each in listed if isinstance(each, dict) for pair in each.items()]


def groups_of(program):
    return {group for group, _ in defaults_of(FOLDER / f"{program}.yaml") if not group.startswith("override ")}


def test_no_choice_is_optional_since_hydra_passes_over_one_that_there_is_not():
    optional = [
        f"{path.relative_to(FOLDER)}: {group}"
        for path in sorted(FOLDER.rglob("*.yaml"))
        for group, _ in defaults_of(path)
        if "optional" in group.split()
    ]
    assert optional == []


CHOICES = [
    *((group, "config", []) for group in sorted(groups_of("config"))),
    *((group, "record", []) for group in sorted(groups_of("record") - groups_of("evaluate"))),
    ("data", "config", ["learner=cloning"]),
]


@pytest.mark.parametrize(
    ("group", "program", "others"), CHOICES, ids=lambda each: each if isinstance(each, str) else ""
)
def test_an_unknown_choice_of_any_group_says_what_is_allowed(group, program, others):
    names = ", ".join(sorted(path.stem for path in (FOLDER / group).glob("*.yaml")))
    with pytest.raises(ConfigError) as refused, config_errors():
        compose(*others, f"{group}=nosuch", config_name=program)
    assert str(refused.value) == f"{group}=nosuch is unknown; allowed: {names}"


@pytest.mark.parametrize("given", ["teacher=null", "cluster=null", "learner=cloning data=null"])
def test_a_group_that_may_be_empty_can_be_left_so(given):
    assert compose(*given.split()).get(given.split()[-1].removesuffix("=null")) is None


def test_what_a_file_says_of_a_part_is_not_offered_as_a_choice():
    with store_as_it_was():
        store_base(read_weights("anx:cartpole").config, "weights=anx:cartpole")
        with pytest.raises(ConfigError) as refused, config_errors():
            compose("head=nosuch")
    assert str(refused.value) == "head=nosuch is unknown; allowed: linear, shared"
