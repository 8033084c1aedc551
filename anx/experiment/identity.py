"""What ran: code, versions, hardware, command line, seed."""

import datetime
import importlib.metadata
import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from anx.cores import count_cores
from anx.experiment.config.command_line import command_line
from anx.experiment.files.weights import identify_weights
from anx.files import write_whole

PACKAGES = (
    *("anx", "torch", "lightning", "hydra-core", "nevergrad", "cma", "wandb", "numpy", "gymnasium"),
    *("pybullet", "ale-py", "envpool"),
)


def identify(arguments: Sequence[str] | None, seed: int, weights: str | None = None) -> dict[str, object]:
    """What tells one start of a run from all others; null is what cannot be known here.

    Args:
        arguments: of the command line that started it; None where Python did.
        seed: of the run.
        weights: that it started from, if it did.
    """
    return {
        "command": None if arguments is None else command_line("anx.run", *arguments),
        "seed": seed,
        "weights": identify_weights(weights) if weights else None,
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": None if (changes := git("status", "--porcelain")) is None else bool(changes),
        "versions": {"python": platform.python_version(), **versions(), "torch": torch.__version__},  # and its build
        "hardware": {
            "platform": platform.platform(),
            "processor": processor(),
            "cores": count_cores(),
            "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        },
    }


def versions() -> dict[str, str]:
    """The versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git(*arguments: str) -> str | None:
    """What git says of the checkout that this package lies in; None for an installed package, or without git."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def processor() -> str:
    """The processor's model."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def add_start(path: Path, identity: Mapping[str, object]) -> None:
    """Add this start of a run to the starts that a file lists, the newest last: a resumed run has several."""
    starts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    write_whole(path, json.dumps([*starts, identity], indent=2) + "\n")
