"""The one door to what Hydra keeps to itself: composing with a user's folder, and launchers outside `hydra.main`.

For launches of a sweep: `open_composer(folder, own)`, whose composer has `loader` and `compose`, and
`open_launcher(task, config, loader)`. Where Hydra has changed, both end in a ConfigError.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from anx.errors import ConfigError


class Composer(NamedTuple):
    """Composes configurations."""

    loader: ConfigLoader
    compose: Callable[[str, Sequence[str]], DictConfig]  # name, overrides -> a multirun's, Hydra's part included


@contextmanager
def open_composer(folder: str, own: Path | None = None, *, job_name: str = "run") -> Iterator[Composer]:
    """What composes configurations in `folder`, and in a user's `own` folder, as `--config-dir` has it.

    Raises:
        ConfigError: this version of Hydra cannot, for all that is known of it.
    """
    with initialize_config_dir(folder, version_base="1.3", job_name=job_name):
        if own is not None:
            with known():
                from hydra._internal.hydra import Hydra
                from hydra._internal.utils import create_config_search_path

                path = create_config_search_path(folder)
                path.prepend("command-line", f"file://{own.absolute()}", SearchPathQuery(provider="schema"))
                GlobalHydra.instance().clear()
                Hydra.create_main_hydra2(job_name, path)
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None

        def compose(name: str, overrides: Sequence[str]) -> DictConfig:
            return hydra.compose_config(name, list(overrides), run_mode=RunMode.MULTIRUN)

        yield Composer(GlobalHydra.instance().config_loader(), compose)


def open_launcher(task: Callable[[DictConfig], object], config: DictConfig, loader: ConfigLoader) -> Launcher:
    """The launcher that `config`, a multirun's, chooses for `task`.

    Raises:
        ConfigError: this version of Hydra cannot, for all that is known of it.
    """
    with known():
        from hydra._internal.callbacks import Callbacks

        context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
    return Plugins.instance().instantiate_launcher(context, task, config)


@contextmanager
def known() -> Iterator[None]:
    """ConfigError where Hydra is not as it is known here."""
    try:
        yield
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"hydra-core {version('hydra-core')} has changed inside ({error}); sweeps are known to work with 1.3"
        ) from error
