"""The configuration: checked before anything is built."""

import itertools
import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.values import check_integer, check_types, fits
from anx.seeds import LARGEST


def check(config: DictConfig) -> None:
    """Everything that can be said without building: types, counts, and keys that must fit each other."""
    check_ablations(config)
    check_types(OmegaConf.to_container(config, resolve=True))
    if not fits(config.get("name"), str):
        raise ConfigError(f"name={config.get('name')} must be a text")
    for key in ("weights", "ckpt_path"):
        if not fits(config.get(key), str | None):
            raise ConfigError(f"{key}={config.get(key)} must be a file or null")
    check_integer("seed", config.seed, least=0, most=LARGEST)
    if config.trainer.get("max_time") is None or config.trainer.get("max_steps") != -1:  # -1: while there is time
        check_integer("trainer.max_steps", config.trainer.get("max_steps"), least=1)
    if config.trainer.get("accumulate_grad_batches", 1) != 1:
        raise ConfigError(
            f"trainer.accumulate_grad_batches={config.trainer.accumulate_grad_batches} must be 1: "
            "a step is a generation"
        )
    popsize, processes = config.optimizer.popsize, processes_of(config)
    if 1 < popsize < processes:
        raise ConfigError(
            f"optimizer.popsize={popsize} must be at least {processes}: a candidate for each of the processes "
            "(trainer.devices times trainer.num_nodes) that share a generation"
        )


def processes_of(config: DictConfig) -> int:
    """How many processes will share a generation; 1 where Lightning decides."""
    devices, nodes = config.trainer.get("devices", 1), config.trainer.get("num_nodes", 1)
    if isinstance(devices, str):
        devices = int(devices) if devices.isdecimal() else 1
    elif OmegaConf.is_list(devices):
        devices = len(devices)
    return max(devices, 1) * max(nodes, 1) if fits([devices, nodes], list[int]) else 1


def check_ablations(config: DictConfig) -> None:
    """Whether the chosen ablations go together, and with what they are an ablation of.

    Each says in `ablations.NAME` which keys it `changes` and the classes of parts that it `needs`.
    """
    chosen: Any = OmegaConf.to_container(config)["ablations"] if config.get("ablations") else {}  # type: ignore
    if not fits(chosen, dict[str, dict]) or not all("changes" in each for each in chosen.values()):
        raise ConfigError(f"ablations={chosen} is filled in by +ablation=NAME; --help lists the names")
    for (one, a), (other, b) in itertools.combinations(chosen.items(), 2):
        for key, same in itertools.product(a["changes"], b["changes"]):
            if f"{key}.".startswith(f"{same}.") or f"{same}.".startswith(f"{key}."):
                both = min(key, same, key=len)
                raise ConfigError(f"ablation={one} and ablation={other} contradict each other: both change {both}")
    for name, ablation in chosen.items():
        for part, wanted in ablation.get("needs", {}).items():
            actual = config[part]._target_.rsplit(".", 1)[-1]
            if actual != wanted:
                raise ConfigError(f"ablation={name} is for agents with {part} {wanted}; this one has {actual}")


def check_writable(folder: str | Path) -> None:
    """Create a folder and write to it, or say that it cannot be done."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: str | Path, error: OSError) -> ConfigError:
    return ConfigError(f"folder {folder} can't be written ({error.strerror}); choose another one")
