"""Runs through Hydra's launchers: here one after another, or wherever an installed one takes them."""

import functools
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import configure_log
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anx.cores import count_cores
from anx.errors import ConfigError
from anx.experiment.config.check import processes_of
from anx.experiment.config.command_line import as_given, quote
from anx.experiment.config.messages import one_line
from anx.experiment.config.overrides import for_hydra
from anx.experiment.config.own_configs import check_choices, config_folder, config_folders
from anx.internal.hydra import open_composer, open_launcher
from anx.signals import Interrupted
from anx.sweep.command import Flags

log = logging.getLogger(__name__)

Task = Callable[[DictConfig], object]  # a run; a launcher's worker imports it by its name


class Outcome(NamedTuple):
    """How a run ended."""

    reason: str | None = None  # why it failed
    interrupted: int = 0  # the exit code that says so


class Launches:
    """Launches runs of one configuration, several at once where the launcher can.

    Args:
        launcher: Hydra's.
        loader: composes the runs' configurations.
        config: the sweep's, Hydra's part included.
        overrides: of every run.
    """

    def __init__(self, launcher: Launcher, loader: ConfigLoader, config: DictConfig, overrides: Sequence[str]) -> None:
        self.width = width_of(config.hydra.launcher)
        self._launcher = launcher
        self._loader = loader
        self._config = config
        self._overrides = overrides
        self._count = 0

    def __call__(self, runs: Sequence[Sequence[str]]) -> list[Outcome]:
        """Run each list of overrides, wait for all, and say how each ended; none of them takes the others along."""
        complete = [for_hydra([*self._overrides, *overrides]) for overrides in runs]
        reasons = [self._refusal(overrides) for overrides in complete]
        launched = [overrides for overrides, reason in zip(complete, reasons, strict=True) if reason is None]
        outcomes = iter(self._launch(launched) if launched else [])
        return [next(outcomes) if reason is None else Outcome(reason) for reason in reasons]

    def _refusal(self, overrides: Sequence[str]) -> str | None:
        """Why a configuration can't be launched; a launcher would lose the whole batch for it."""
        try:
            config = self._loader.load_sweep_config(self._config, list(overrides))
            check_choices(config.hydra, config_folders())
            processes = processes_of(config) if "trainer" in config else 1  # an evaluation has none
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            return one_line(error)
        if processes > 1:  # Lightning would start the others with the sweep's command line
            return f"trainer.devices times trainer.num_nodes is {processes}; a sweep's runs have one process each"
        return None

    def _launch(self, runs: Sequence[Sequence[str]]) -> list[Outcome]:
        first, self._count = self._count, self._count + len(runs)
        try:
            returned = self._launcher.launch(runs, initial_job_idx=first)
            return [each.return_value for each in returned]
        except Exception as error:  # a process of the launcher's died, and it does not say which run's
            log.exception("the launcher failed")
            return [Outcome(reason_of(error))] * len(runs)
        finally:
            configure_log(self._config.hydra.job_logging)  # the launcher has put Hydra's in its place


@contextmanager
def open_launches(overrides: Sequence[str], folder: Path, task: Task, flags: Flags) -> Iterator[Launches]:
    """What launches runs of `task` with `overrides`, into folders below `folder`, whose name is their group in W&B."""
    own = None if flags.config_dir is None else Path(flags.config_dir)
    if own is not None and not own.is_dir():
        raise ConfigError(f"--config-dir={own} is no folder")
    with open_composer(config_folder(), own) as composer, wandb_group(folder.name):
        overrides = for_hydra(overrides)
        check_installed(composer.loader, overrides)
        config = composer.compose(flags.config_name or "config", [*overrides, f"hydra.sweep.dir={quote(str(folder))}"])
        check_choices(config.hydra, config_folders())
        configure_log(config.hydra.job_logging)
        for name in ("hydra", "hydra_plugins"):  # launchers announce what the sweep has said
            logging.getLogger(name).setLevel(logging.WARNING)
        launcher = open_launcher(functools.partial(guarded, task), config, composer.loader)
        yield Launches(launcher, composer.loader, config, as_given(config.hydra.overrides.task))


@contextmanager
def wandb_group(name: str) -> Iterator[None]:
    """The group of the runs in W&B, unless the user has said another one; launchers hand their environment on."""
    if os.environ.get("WANDB_RUN_GROUP"):
        yield
        return
    os.environ["WANDB_RUN_GROUP"] = name
    try:
        yield
    finally:
        del os.environ["WANDB_RUN_GROUP"]


def check_installed(loader: ConfigLoader, overrides: Sequence[str]) -> None:
    """Whether the launcher that was chosen, if any was, is there."""
    for override in overrides:
        key, _, name = override.partition("=")
        installed = loader.get_group_options("hydra/launcher")
        if key == "hydra/launcher" and name not in installed:
            raise ConfigError(f"{override} is not installed; allowed: {', '.join(installed)}; see 'anx[launchers]'")


def guarded(task: Task, config: DictConfig) -> Outcome:
    """How `task` ended, whatever it raised. On a launcher's worker, too: exceptions need not survive the way back."""
    try:
        task(config)
        return Outcome()
    except (KeyboardInterrupt, Interrupted) as stop:
        return Outcome(interrupted=exit_code(stop))
    except SystemExit as end:
        return Outcome(f"SystemExit: {end}")
    except Exception as error:
        if not isinstance(error, ConfigError | HydraException | OmegaConfBaseException):
            log.exception("a run failed")
        return Outcome(reason_of(error))


def exit_code(stop: KeyboardInterrupt | Interrupted) -> int:
    """What a process exits with that a signal has ended."""
    return 128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)


def reason_of(error: Exception) -> str:
    """An exception in one line."""
    text = one_line(error)
    return text if isinstance(error, ConfigError | HydraException) else f"{type(error).__name__}: {text}"


def width_of(launcher: DictConfig) -> int:
    """How many runs a launcher takes at once: joblib's `n_jobs`, submitit's `array_parallelism`, else one."""
    width = OmegaConf.select(launcher, "n_jobs") or OmegaConf.select(launcher, "array_parallelism") or 1
    return int(width) if width > 0 else max(1, count_cores() + 1 + int(width))  # -1: one a core
