"""What the command line programs have in common."""

import functools
import os
import shlex
import sys
from collections.abc import Callable

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from anx.experiment.config import help  # noqa: F401 (which says what `--help` shows)
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.overrides import for_hydra
from anx.experiment.config.own_configs import check_choices, config_folder, config_folders, own_config_dir
from anx.experiment.config.writable import unwritable
from anx.signals import interruption_exits


def run_main(
    task: Callable[[DictConfig], object], config_name: str, refused: Callable[[str], object] = lambda reason: None
) -> None:
    """Compose the configuration from the command line and run `task` with it.

    What a user can mend exits with 2; of a multirun, once all jobs have had their turn. A signal ends everything, with
    130 or 143. HYDRA_FULL_ERROR=1 shows whole tracebacks instead of single lines. `refused` is told why `task` was not
    even started. The user's folder of configs is searched, too: see `anx.experiment.config.own_configs`.
    """
    sys.argv[1:] = [*own_config_dir(sys.argv[1:]), *sys.argv[1:]]
    with interruption_exits():
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(task)()
        else:
            run_in_one_line(task, config_name, refused)


def is_helped(config_name: str, *choices: str) -> bool:
    """Show the help, where a command line asks for nothing else; what would run need not be imported for that.

    Args:
        config_name: of the program.
        choices: overrides that it adds to every command line.
    """
    if not sys.argv[1:] or set(sys.argv[1:]) - {"-h", "--help"}:
        return False
    sys.argv[1:1] = choices
    run_main(lambda config: None, config_name)
    return True


def run_in_one_line(task: Callable[[DictConfig], object], config_name: str, refused: Callable[[str], object]) -> None:
    """`run_main` with errors in one line each."""
    started = False

    @functools.wraps(task)
    def guarded(config: DictConfig) -> object:
        nonlocal started
        started = True
        with one_line_errors(told=refused):
            check_choices(HydraConfig.get(), config_folders())
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return one_of_many(task, config)
        with one_line_errors():  # inside Hydra, which would print a line of its own
            return task(config)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print its own account and exit with 1
    try:
        with one_line_errors(told=refused):
            sys.argv[1:] = for_hydra(sys.argv[1:])
            try:
                hydra.main(version_base="1.3", config_path=config_folder(), config_name=config_name)(guarded)()
            except OSError as error:
                if started or isinstance(error, HydraException | BrokenPipeError):
                    raise
                raise unwritable(error.filename or "of the run", error) from None
            except JobFailed as failed:
                raise SystemExit(failed.code) from None
            except SystemExit as end:
                if end.code and not started:  # Hydra's parser has printed what it does not take
                    refused(f"the command line can't be read: {shlex.join(sys.argv[1:])}")
                raise
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


class JobFailed(Exception):
    """A job of a multirun has failed and said why.

    Args:
        code: the exit code that it would have had alone.
    """

    def __init__(self, code: int | str) -> None:
        super().__init__(code)
        self.code = code


def one_of_many(task: Callable[[DictConfig], object], config: DictConfig) -> object:
    """`task` as a job of a multirun: what would exit raises JobFailed, and Hydra goes on with the next job."""
    try:
        with one_line_errors(f"job {HydraConfig.get().job.num}: "):
            return task(config)
    except SystemExit as end:
        if end.code:
            raise JobFailed(end.code) from None
        return None
