"""Where configs are: anx's own, and a folder of the user's beside their code.

A user's folder is what `--config-dir` names, else `./configs`. It adds experiments, ablations, budgets and parts to
anx's. A name means one thing everywhere: what anx has, a user's folder can't replace, and choosing it is refused.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from anx.errors import ConfigError
from anx.experiment.config.command_line import as_given

FOUND = Path("configs")  # what is looked for in the working directory


def config_folder() -> str:
    """The folder of anx's configs: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "configs"
    return str(inside if inside.is_dir() else package.parent / "configs")


def own_config_dir(arguments: Sequence[str]) -> list[str]:
    """The option that a command line lacks for the user's folder to be found: `--config-dir=configs`, or nothing.

    Nothing where the command line says itself where configs are, and where the working directory has none but anx's.
    """
    said = _read(arguments)
    if said.config_dir is not None or said.config_path is not None or not FOUND.is_dir():
        return []
    return [] if FOUND.samefile(config_folder()) else [f"--config-dir={FOUND}"]


def config_folders(arguments: Sequence[str] = ()) -> list[Path]:
    """All folders of configs: those that Hydra searches, if it is running, else anx's and the command line's."""
    if GlobalHydra.instance().is_initialized():
        sources = GlobalHydra.instance().config_loader().get_sources()
        return [Path(each.path) for each in sources if each.scheme() == "file"]
    said = _read(arguments).config_dir
    return [Path(config_folder()), *([Path(said)] if said is not None else [])]


def check_choices(config: HydraConf, folders: Sequence[Path]) -> None:
    """Raise ConfigError where a user's file has the name of one of anx's and that is chosen: neither may win unseen.

    Args:
        config: Hydra's own: what was chosen.
        folders: of all configs; anx's is among them.
    """
    ours = Path(config_folder())
    for group, name in _chosen(config):
        file = Path(group, f"{name}.yaml")
        for theirs in folders if (ours / file).is_file() else ():
            if (theirs / file).is_file() and not theirs.samefile(ours):
                raise ConfigError(
                    f"{group}={name} is one of anx's own and {theirs / file}, too; give that file another name"
                )


def _chosen(config: HydraConf) -> Iterator[tuple[str, str]]:
    """Groups and names of what was chosen. Hydra itself keeps no lists of names; they are among the overrides."""
    for group, name in config.runtime.choices.items():
        yield group, str(name)
    for override in OverridesParser.create().parse_overrides(as_given(config.overrides.task)):
        names = override.value()
        for name in names if isinstance(names, list) else ():
            yield override.key_or_group, str(name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's options for where configs are, as they stand in a command line; None: not given."""
    parser = _Parser(add_help=False)  # as Hydra's own, which has more
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-path", "-cp")
    parser.add_argument("--config-name", "-cn")
    parser.add_argument("--cfg", "-c")  # else -c would be short for any of the others
    try:
        return parser.parse_known_args(list(arguments))[0]
    except ConfigError:  # Hydra says what is wrong
        return argparse.Namespace(config_dir=None, config_path=None)
