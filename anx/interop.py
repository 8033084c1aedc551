"""Agents in files: the paper's flat vectors (.npz), shareable agents (.safetensors), checkpoints (.ckpt)."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anx.config import ConfigError
from anx.population import num_parameters, set_vector

CONFIG = "anx.config"  # key of the configuration in a .safetensors file's metadata


class Weights(NamedTuple):
    """What a file says of an agent."""

    vector: Tensor | None  # [D], or
    state: dict[str, Tensor] | None  # by name
    config: dict[str, Any] | None  # the configuration that builds the agent, where the file has it


def read_weights(path: str | Path, key: str = "weights") -> Weights:
    """Read an agent's weights; what is wrong with the file is said in one line."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{key}={path} does not exist")
    if path.suffix == ".npz":
        return _read_npz(path, key)
    if path.suffix == ".safetensors":
        return _read_safetensors(path, key)
    if path.suffix == ".ckpt":
        checkpoint = read_checkpoint(path, key)
        prefix = "agent."
        state = {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
        return Weights(None, state, checkpoint.get("config"))
    raise ConfigError(f"{key}={path} must end in .ckpt, .safetensors or .npz")


def read_checkpoint(path: str | Path, key: str = "ckpt_path") -> dict[str, Any]:
    """A checkpoint's content, without running any code that it may hold."""
    if not Path(path).is_file():
        raise ConfigError(f"{key}={path} does not exist")
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint["state_dict"]
    except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()
        raise ConfigError(f"{key}={path} is not a whole checkpoint ({reason[0] if reason else 'empty'})") from None
    return checkpoint


def _read_npz(path: Path, key: str) -> Weights:
    try:
        with np.load(path) as file:
            if "params" not in file:
                raise ConfigError(f"{key}={path} has no array `params`; it has {', '.join(file.files) or 'none'}")
            vector = np.asarray(file["params"], dtype=np.float32)
    except (zipfile.BadZipFile, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ConfigError(f"{key}={path} is not a whole .npz file ({error})") from None
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{key}={path}: `params` is not a vector of numbers ({error})") from None
    return Weights(torch.from_numpy(vector.reshape(-1)), None, None)


def _read_safetensors(path: Path, key: str) -> Weights:
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            config = (file.metadata() or {}).get(CONFIG)
    except SafetensorError as error:
        raise ConfigError(f"{key}={path} is not a whole .safetensors file ({error})") from None
    return Weights(None, state, yaml.safe_load(config) if config else None)


def load_into(agent: nn.Module, weights: Weights, path: str | Path, key: str = "weights") -> None:
    """Put weights into an agent of the same architecture."""
    size = num_parameters(agent)
    if weights.vector is not None:
        found = weights.vector.numel()
        if found == size:
            set_vector(agent, weights.vector)
            return
    else:
        assert weights.state is not None
        found = sum(value.numel() for value in weights.state.values())
        own = {name: value.shape for name, value in agent.state_dict().items()}
        if own == {name: value.shape for name, value in weights.state.items()}:
            agent.load_state_dict(weights.state)
            return
        if found == size:
            theirs, ours = (", ".join(sorted(n)) for n in (weights.state.keys() - own.keys(), own.keys()))
            raise ConfigError(f"{key}={path} is of another architecture: it has layers {theirs}; this agent has {ours}")
    raise ConfigError(f"{key}={path} has {found} parameters, this agent has {size}: it is of another architecture")


def write_agent(agent: nn.Module, config: dict[str, Any], path: str | Path) -> None:
    """Write a shareable agent: weights and the configuration that builds it, in one .safetensors file.

    The file replaces an older one only once it is whole.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.unfinished")
    state = {name: value.detach().cpu().contiguous() for name, value in agent.state_dict().items()}
    save_file(state, unfinished, metadata={CONFIG: yaml.safe_dump(config, sort_keys=False)})
    os.replace(unfinished, path)
