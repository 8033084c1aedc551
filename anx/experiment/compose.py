"""Configurations composed from Python as the command lines compose them, inside and outside of Hydra's programs."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import cast

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf, open_dict

from anx.errors import ConfigError
from anx.experiment.config.command_line import override, quote
from anx.experiment.config.overrides import for_hydra
from anx.experiment.config.own_configs import FOUND, check_choices, config_folder, own_config_dir
from anx.experiment.file_base import EVALUATION, find_base, read_override, warn_of_difference

Folder = str | PathLike[str]

OF_HYDRA = "${hydra:runtime.output_dir}"  # a run's folder, which Hydra finds for a program


def compose_run(overrides: Sequence[str], config_dir: Folder | None = None) -> DictConfig:
    """The configuration of `python -m anx.run OVERRIDE ...`; its `run_dir` is still to be settled.

    Args:
        overrides: as on a command line.
        config_dir: the user's own folder of configs; None: `./configs`, if there is one.
    """
    config = _compose("config", overrides, config_dir)
    raw = cast(dict[str, str], OmegaConf.to_container(config, resolve=False))
    folder = cast(dict[str, str], OmegaConf.to_container(config.hydra.run, resolve=False))["dir"]
    with open_dict(config):
        if raw["run_dir"] == OF_HYDRA:
            config.run_dir = folder
        del config["hydra"]
    return config


def settle_run_dir(config: DictConfig, folder: Folder | None = None) -> DictConfig:
    """A copy of a run's configuration, whose `run_dir` is a path that stays: `folder`, or what the configuration says.

    What it says has the time in it, unless somebody chose otherwise, so that each run has a folder of its own.
    """
    own = config.copy()
    OmegaConf.clear_cache(own)
    own.run_dir = str(Path(own.run_dir if folder is None else folder).absolute())
    return own


def compose_evaluation(
    weights: Folder, overrides: Sequence[str], trust: Sequence[str] = (), config_dir: Folder | None = None
) -> DictConfig:
    """The configuration of `python -m anx.evaluate weights=WEIGHTS trust=TRUST OVERRIDE ...`."""
    path, experiment = str(weights), read_override(overrides, "experiment")
    trusted = [f"trust=[{','.join(map(quote, trust))}]"] if trust else []
    with store_as_it_was():
        base = find_base(path, list(trust), experiment)
        config = _compose(base, [override("weights", path), *trusted, *overrides], config_dir)
    with open_dict(config):
        del config["hydra"]
    if experiment is not None:
        warn_of_difference(config)
    return config


def compose_perturbations(
    options: Mapping[str, Mapping[str, object]], config_dir: Folder | None = None
) -> dict[str, DictConfig]:
    """The configurations of perturbations, by name in the order of `options`, each with its options set."""
    chosen = f"perturbations=[{','.join(options)}]"
    config = _compose(EVALUATION, ["weights=none", chosen], config_dir).perturbations
    with open_dict(config):
        for name, values in options.items():
            config[name].update(values)
    return {name: config[name] for name in options}


def _compose(name: str, overrides: Sequence[str], config_dir: Folder | None) -> DictConfig:
    """A configuration with Hydra's part; anx's and the user's folder are searched."""
    folders = [Path(config_folder()), *_own_folder(config_dir)]
    searched = [f"hydra.searchpath=[{','.join(quote(f'file://{each.absolute()}') for each in folders[1:])}]"]
    with outside_of_hydra(), hydra.initialize_config_dir(config_folder(), version_base="1.3", job_name="run"):
        given = [*searched, *for_hydra(overrides, folders)]
        config = hydra.compose(name, given, return_hydra_config=True)
    check_choices(config.hydra, folders)
    return config


def _own_folder(config_dir: Folder | None) -> list[Path]:
    if config_dir is None:
        return [FOUND] if own_config_dir(()) else []
    if not Path(config_dir).is_dir():
        raise ConfigError(f"config_dir={config_dir} is no folder")
    return [Path(config_dir)]


@contextmanager
def store_as_it_was() -> Iterator[None]:
    """What is stored within, a file's parts, is no option of what is composed afterwards."""
    Plugins.instance()  # Hydra's own store theirs once, when they are first asked for
    store = ConfigStore.instance()
    before = copy.deepcopy(store.repo)
    try:
        yield
    finally:
        store.repo = before


@contextmanager
def outside_of_hydra() -> Iterator[None]:
    """Within, there is no program of Hydra's around this; afterwards there is again, if there was."""
    program, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = program
        HydraConfig.instance().cfg = config
