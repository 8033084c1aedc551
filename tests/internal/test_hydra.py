import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from anx.errors import ConfigError
from anx.internal.hydra import open_composer, open_launcher


@pytest.fixture
def folders(tmp_path):
    """Of the program and of a user, each with one file."""
    texts = {"ours/config.yaml": "a: 1\n", "own/extra/two.yaml": "# @package _global_\nb: 2\n"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    GlobalHydra.instance().clear()
    return tmp_path / "ours", tmp_path / "own"


def test_a_configuration_is_composed_of_the_programs_folder_and_a_users(folders):
    ours, own = folders
    with open_composer(str(ours), own) as composer:
        config = composer.compose("config", ["+extra=two"])
        assert (config.a, config.b) == (1, 2)
        assert "hydra" in config
    with open_composer(str(ours)) as composer:
        assert composer.loader.get_group_options("extra") == []


def test_the_launcher_that_is_chosen_runs_the_task(folders, tmp_path):
    told = []
    with open_composer(str(folders[0])) as composer:
        config = composer.compose("config", [f"hydra.sweep.dir={tmp_path / 'sweep'}"])
        launcher = open_launcher(lambda config: told.append(config.a), config, composer.loader)
        launcher.launch([["a=2"], ["a=3"]], initial_job_idx=0)
    assert told == [2, 3]


def test_a_hydra_that_has_changed_inside_is_named_in_one_line(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "hydra._internal.utils", None)
    with pytest.raises(ConfigError, match=r"^hydra-core [\d.]+ has changed inside .*known to work with 1\.3$"):
        open_composer(str(folders[0]), folders[1]).__enter__()
