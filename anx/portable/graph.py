"""An agent's step as an ONNX file."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from anx.errors import ConfigError
from anx.files import write_whole
from anx.portable.step import Step

if TYPE_CHECKING:
    from onnx import ModelProto

AXIS = "N"  # what a file calls the number of sensory inputs, where it may be any
LIBRARIES = ("onnx", "onnxscript")
TALKATIVE = ("torch.onnx", "onnxscript", "onnx_ir")

Axes = dict[int, object] | None  # of one tensor: those whose length is for the exporter to find out


def write_graph(step: Step, seen: Tensor, path: Path, about: Mapping[str, str]) -> bool:
    """Write an agent's step to an ONNX file; returns whether it takes any number of sensory inputs.

    Args:
        step: of an agent on the CPU, in single precision.
        seen: what it might see.
        path: of the file.
        about: what the file says of it, by key.

    Raises:
        ConfigError: torch's exporter can't do it or lacks a library; an episode starts with a state other than 0, which
            no such file could say.
    """
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise ConfigError(f"{path.name} needs {' and '.join(missing)}: pip install 'anx[export]'")
    start = step.start(step.agent.splitter.num_inputs)
    if any(bool(each.any()) for each in start):
        raise ConfigError(f"{path.name}: an agent that starts an episode with a state other than 0 is no ONNX file")
    graph = exported(step, (seen, *start), axes_of(step, seen))
    write_whole(path, tidy(graph, about).SerializeToString())
    return bool(graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param)


def axes_of(step: Step, seen: Tensor) -> list[Axes]:
    """Scalars and inputs may be as many as they like, and so may what each carries for itself.

    A stack of frames is as it is, and all that an agent sees which takes one number of inputs.
    """
    if step.agent.fixed_inputs is not None:
        return [None, *(None for _ in step.carried)]
    pairs = zip(step.start(2), step.start(3), strict=True)
    differ = [seen.dim() < 3, *(few.shape != more.shape for few, more in pairs)]
    return [{0: torch.export.Dim.AUTO} if each else None for each in differ]


def exported(step: Step, arguments: tuple[Tensor, ...], axes: list[Axes]) -> "ModelProto":
    """What torch's exporter makes of a step."""
    names = ("seen", "previous_action", "states")[: 3 if len(axes) > 2 else 2]  # no states, no argument
    dynamic = dict(zip(names, (*axes[:2], tuple(axes[2:])), strict=False))
    try:
        with in_silence():
            program = torch.onnx.export(
                step.eval(),
                arguments,
                dynamo=True,
                input_names=step.inputs,
                output_names=step.outputs,
                dynamic_shapes=dynamic,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ConfigError(f"torch can't write this agent as ONNX: {reason}") from error
    assert program is not None
    return program.model_proto


def tidy(model: "ModelProto", about: Mapping[str, str]) -> "ModelProto":
    """A graph without what the exporter noted of the code that made it, with what it is about."""
    import onnx

    for node in model.graph.node:
        del node.metadata_props[:]
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = AXIS
    onnx.helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def in_silence() -> Iterator[None]:
    """Within, torch's exporter says nothing of what it does, and of libraries that it does without."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
