"""Agents in files: the paper's flat vectors (.npz), shareable agents (.safetensors), checkpoints (.ckpt)."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anx.agent.agent import Agent
from anx.agent.layout import as_published, converted
from anx.errors import ConfigError
from anx.experiment.files.older import is_headless, renewed, renewed_checkpoint, renewed_state
from anx.experiment.files.plain import check_plain, read_yaml
from anx.files import whole
from anx.population import num_parameters, set_vector

CONFIG = "anx.config"  # key of the configuration in a .safetensors file's metadata


class Weights(NamedTuple):
    """What a file says of an agent."""

    vector: Tensor | None  # [D], or
    state: dict[str, Tensor] | None  # by name
    config: Any  # plain values that say how to build the agent, where the file has them; not yet checked


def read_weights(path: str | Path, key: str = "weights") -> Weights:
    """Read an agent's weights; what is wrong with the file is said in one line."""
    path = find_file(path, key)
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


def find_file(path: object, key: str) -> Path:
    """The path of a file that is there and can be read."""
    if not isinstance(path, str | Path):
        raise ConfigError(f"{key}={path} must be the path of a file")
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{key}={path} does not exist")
    if not path.is_file():
        raise ConfigError(f"{key}={path} is no file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ConfigError(f"{key}={path} can't be read ({error.strerror})") from None
    if empty:
        raise ConfigError(f"{key}={path} is empty")
    return path


def read_checkpoint(path: str | Path, key: str = "ckpt_path") -> dict[str, Any]:
    """A checkpoint's content, without running any code that it may hold."""
    path = find_file(path, key)
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state = checkpoint["state_dict"]
    except Exception as error:  # what is no checkpoint can fail anywhere in torch's reader
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{key}={path} is not a whole checkpoint ({reason[0]})") from None
    check_plain(checkpoint.get("config"), f"{key}={path}")
    if not isinstance(state, dict) or not all(isinstance(k, str) and is_plain(v) for k, v in state.items()):
        raise ConfigError(f"{key}={path} is no checkpoint: its state_dict holds more than tensors")
    return renewed_checkpoint(checkpoint)


def is_plain(value: object) -> bool:
    """Whether something from a file is a tensor as agents have them."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized


def _read_npz(path: Path, key: str) -> Weights:
    if not zipfile.is_zipfile(path):
        raise ConfigError(f"{key}={path} is not a whole .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            if "params" not in file:
                raise ConfigError(f"{key}={path} has no array `params`; it has {', '.join(file.files) or 'none'}")
            params = file["params"]
    except ConfigError:
        raise
    except Exception as error:  # what is no .npz file can fail anywhere in numpy's reader
        raise ConfigError(f"{key}={path} is not a whole .npz file of numbers ({error})") from None
    if not isinstance(params, np.ndarray) or params.dtype.kind not in "fiu":
        kind = getattr(params, "dtype", type(params).__name__)
        raise ConfigError(f"{key}={path}: `params` is not a vector of numbers but of {kind}")
    with np.errstate(over="ignore"):  # what is too large for a float is found to be infinite
        return Weights(torch.from_numpy(params.reshape(-1).astype(np.float32)), None, None)


def _read_safetensors(path: Path, key: str) -> Weights:
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            config = (file.metadata() or {}).get(CONFIG)
    except Exception as error:  # what is no .safetensors file can fail anywhere in its reader
        raise ConfigError(f"{key}={path} is not a whole .safetensors file ({error})") from None
    said = read_yaml(config, f"{key}={path}") if config else None
    return Weights(None, renewed_state(state) if is_headless(said) else state, renewed(said))


def load_into(agent: Agent, weights: Weights, path: str | Path, key: str = "weights") -> None:
    """Put weights into an agent of the same architecture, whichever layout they are in (see `anx.agent.layout`)."""
    weights = in_layout_of(agent, weights)
    size = num_parameters(agent)
    if weights.vector is not None:
        found = weights.vector.numel()
        if found == size:
            check_finite({"params": weights.vector}, path, key)
            set_vector(agent, weights.vector)
            return
    else:
        assert weights.state is not None
        found = sum(value.numel() for value in weights.state.values())
        own = {name: value.shape for name, value in agent.state_dict().items()}
        if own == {name: value.shape for name, value in weights.state.items()}:
            check_finite(weights.state, path, key)
            agent.load_state_dict(weights.state)
            return
        if found == size:
            theirs, ours = (", ".join(sorted(n)) for n in (weights.state.keys() - own.keys(), own.keys()))
            raise ConfigError(f"{key}={path} is of another architecture: it has layers {theirs}; this agent has {ours}")
    raise ConfigError(f"{key}={path} has {found} parameters, this agent has {size}: it is of another architecture")


def in_layout_of(agent: Agent, weights: Weights) -> Weights:
    """Weights in another layout of this architecture -> in the agent's; others as they are."""
    state = weights.state
    if weights.vector is not None:
        if weights.vector.numel() == num_parameters(agent):
            return weights
        published = as_published(agent)
        if weights.vector.numel() != num_parameters(published):
            return weights
        set_vector(published, weights.vector)
        state = published.state_dict()
    assert state is not None
    try:
        return Weights(None, converted(state, agent), weights.config)
    except (KeyError, ValueError, RuntimeError):  # another architecture, which the caller says
        return weights


def check_finite(tensors: dict[str, Tensor], path: str | Path, key: str) -> None:
    """Whether weights are numbers that an agent can have."""
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise ConfigError(f"{key}={path}: {name} holds {value.dtype}, no floating-point numbers")
        if count := int((~value.float().isfinite()).sum()):
            raise ConfigError(f"{key}={path}: {name} holds {count} numbers that are infinite or not a number")


def write_agent(agent: nn.Module, config: Mapping[str, object], path: str | Path) -> None:
    """Write a shareable agent: weights and the configuration that builds it, in one .safetensors file.

    The file replaces an older one only once it is whole.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in agent.state_dict().items()}
    with whole(Path(path)) as unfinished:
        save_file(state, unfinished, metadata={CONFIG: yaml.safe_dump(dict(config), sort_keys=False)})
