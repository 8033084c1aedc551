"""What `--help` says of the options of a group, a line each: what their files begin with."""

from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from anx.experiment.config.own_configs import config_folders


def describe_options(group: str) -> str:
    """The options of a group, those of a user's own folder included, each with the first comment in its file."""
    names = GlobalHydra.instance().config_loader().get_group_options(group)
    return "\n".join(f"{name:20}{_first_comment(Path(group, f'{name}.yaml'))}".rstrip() for name in names)


def _first_comment(file: Path) -> str:
    """What a file of configs says of itself, in the first folder that has it; nothing where it says nothing."""
    paths = [path for folder in config_folders() if (path := folder / file).is_file()]
    lines = paths[0].read_text(encoding="utf-8").splitlines() if paths else []
    comments = [line[2:] for line in lines if line.startswith("# ") and "@package" not in line]
    return comments[0] if comments else ""


OmegaConf.register_new_resolver("anx.options", describe_options, replace=True)
