"""`python -m anx.export`: an agent -> its step as ONNX, or a page in which it plays."""

import importlib.util
import itertools
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch
from omegaconf import DictConfig

from anx.commands.output import find_output
from anx.demo.command import build_stage
from anx.demo.stage import Stage
from anx.errors import ConfigError
from anx.experiment.config.messages import one_line_errors
from anx.experiment.config.program import run_main
from anx.experiment.config.values import check_integer
from anx.experiment.file_base import find_base, read_override
from anx.experiment.files.weights import identify_weights
from anx.experiment.identity import versions
from anx.population import num_parameters, with_vector
from anx.portable.graph import write_graph
from anx.portable.page import write_page
from anx.portable.parity import ALIKE, compare
from anx.portable.port import check_portable
from anx.portable.step import Step
from anx.progress import advance, shown

log = logging.getLogger(__name__)

PROGRAM = "export"  # the name of its configuration
ONNX, PAGE = ".onnx", ".html"
OFTEN = 0.99  # of the steps
PRECISIONS = {32: torch.float32, 64: torch.float64}


def export(config: DictConfig) -> None:
    """Write what `config` asks for."""
    kind = Path(str(config.output)).suffix
    if kind not in (ONNX, PAGE):
        raise ConfigError(f"output={config.output} must end in {ONNX} or {PAGE}")
    path = find_output(config.output, kind)
    assert path is not None
    check_integer("check", config.check, least=0)
    if config.precision not in (None, *PRECISIONS):
        raise ConfigError(f"precision={config.precision} must be 32, 64 or null")
    if not isinstance(config.split, bool):
        raise ConfigError(f"split={config.split} must be true or false")
    if kind == PAGE:
        check_portable(config)
    stage = build_stage(config)
    with closing(stage.rollout):
        if kind == ONNX:
            export_graph(stage, config, path)
        else:
            export_page(stage, config, path)


def export_page(stage: Stage, config: DictConfig, path: Path) -> None:
    """Write a page in which the agent plays."""
    for key, value in (("precision", None), ("split", True)):
        if config[key] != value:
            raise ConfigError(f"{key}={str(config[key]).lower()} is of {ONNX}, not of {path.name}")
    if stage.fixed:
        raise ConfigError(f"perturbations=[{','.join(config.perturbations)}]: {path.name} can't have any but anx's own")
    write_page(stage, config, path)
    log.info("written to %s, %d kB: open it in a browser", path, path.stat().st_size // 1000)


def export_graph(stage: Stage, config: DictConfig, path: Path) -> None:
    """Write the agent's step, and compare what is written with it."""
    if config.perturbations:
        raise ConfigError(f"perturbations=[{','.join(config.perturbations)}] befall a page's agent, not {path.name}")
    dtype = PRECISIONS.get(config.precision, stage.rollout.evaluation_dtype)
    vector = stage.vector().cpu().to(dtype)
    step = Step(with_vector(stage.agent, vector), split=config.split)
    spec, splitter = stage.rollout.env.spec, stage.agent.splitter
    seen = torch.rand(spec.observation_shape if config.split else (splitter.num_inputs, splitter.features))
    any_number = write_graph(step, seen.to(dtype), path, about(stage))
    number = "any number of sensory inputs" if any_number else f"{splitter.num_inputs} sensory inputs, no other number"
    log.info("written to %s, %d kB, %s bits: %s", path, path.stat().st_size // 1000, str(dtype)[-2:], number)
    if config.check:
        check_graph(stage, step, path, vector, config.check)


def about(stage: Stage) -> dict[str, str]:
    """What a file says of its agent."""
    spec = stage.rollout.env.spec
    return {
        "anx.version": versions().get("anx", ""),
        "anx.name": stage.name,
        "anx.weights.sha256": identify_weights(stage.weights or "")["sha256"],
        "anx.parameters": str(num_parameters(stage.agent)),
        "anx.inputs": json.dumps(spec.inputs),
        "anx.actuators": json.dumps(spec.actuators),
        "anx.discrete": json.dumps(spec.discrete),
    }


def check_graph(stage: Stage, step: Step, path: Path, vector: torch.Tensor, steps: int) -> None:
    """Compare a file with its agent over an episode, and say what came of it."""
    if importlib.util.find_spec("onnxruntime") is None:
        log.warning("not compared with the agent: that needs onnxruntime")
        return
    with shown("comparing", min(steps, stage.rollout.env.spec.max_steps)):  # at most
        parity = compare(path, step, seen_in(stage, step, vector, steps))
    count, most = len(parity.differences), parity.differences.max()
    if not parity.alike:
        raise ConfigError(f"{path} does not do what the agent does: {most:.1g} apart over {count} steps")
    log.info(
        "onnxruntime gives what the agent gives to %g in %.4g%% of %d steps of an episode; apart by at most %.1g",
        *(ALIKE, 100 * parity.alike, count, most),
    )
    if parity.alike < OFTEN and vector.dtype == torch.float32:
        log.info("rounding decides much in this agent: with precision=64 there is less of it")


def seen_in(stage: Stage, step: Step, vector: torch.Tensor, steps: int) -> Iterator[torch.Tensor]:
    """What a step takes in an episode, as far as so many steps."""
    for moment in itertools.islice(stage.rollout.watch(vector, stage.seed), steps):
        advance()
        yield moment.observation if step.split else moment.inputs


def main() -> None:
    with one_line_errors():
        weights, trust, experiment = (read_override(sys.argv[1:], key) for key in ("weights", "trust", "experiment"))
        base = find_base(weights, trust, experiment, PROGRAM)
    run_main(export, base)
