"""Writes a module as ONNX, as torch.export's program or as TorchScript.

ONNX is written by torch's exporter of traced graphs (`dynamo=False`): for the modules here it is ten to forty times as
fast as the one of torch.export, prints nothing, writes one file, and takes a free batch and input size as they are.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cspbench.errors import UsageError, brief
from cspbench.export.graph import IMAGES, Graph
from cspbench.io import replacing, write_bytes

OPSET = 17
"""The version of ONNX's operators, of 2022: all runtimes have it."""
RECORD = "cspbench.json"
"""The extra file in torch's formats with the metadata."""


def check_packages(to: str, check: bool) -> None:
    """Raise `UsageError` if a package that the format needs is not installed."""
    needed = [*(["onnx"] if to == "onnx" else []), *(["onnxruntime"] if to == "onnx" and check else [])]
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        raise UsageError(
            "usage.no-onnx",
            f"{' and '.join(missing)} is not installed",
            expected="the packages of the extra export",
            remedy="pip install 'cspbench[export]'",
        )


def write(path: Path, to: str, graph: Graph, example: Tensor, metadata: Mapping[str, str]) -> None:
    """Write a graph, whole or not at all; `example` is an input of the usual size, float32 (N, C, H, W)."""
    if to == "onnx":
        write_bytes(path, _onnx(graph, example, metadata), named=True)
        return
    with replacing(path, named=True) as temporary, quiet():
        record = {RECORD: json.dumps(dict(metadata), ensure_ascii=False)}
        if to == "torchscript":
            with torch.no_grad():
                traced = torch.jit.trace(graph.module, example, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(traced, str(temporary), _extra_files=record)
        else:
            with temporary.open("wb") as stream:
                torch.export.save(_exported(graph, example), stream, extra_files=record)


def _exported(graph: Graph, example: Tensor) -> torch.export.ExportedProgram:
    dimensions = {}
    for axis, name in graph.axes.items():
        free = torch.export.Dim(name if axis == 0 or graph.step == 1 else f"{name}_in_steps", min=1)
        dimensions[axis] = free if axis == 0 or graph.step in (None, 1) else graph.step * free
    if dimensions:
        example = torch.cat((example, example))  # torch.export takes an axis of length 1 for a fixed one
    with torch.no_grad():
        return torch.export.export(graph.module, (example,), dynamic_shapes=(dimensions,) if dimensions else None)


def _onnx(graph: Graph, example: Tensor, metadata: Mapping[str, str]) -> bytes:
    import onnx

    stream: Any = io.BytesIO()
    axes = {IMAGES: dict(graph.axes)} if graph.axes else {}
    for output in graph.outputs if graph.axes and graph.alone else ():
        axes[output] = {0: graph.axes[0]}
    if not graph.alone:
        axes |= {output: {0: "detections"} for output in graph.outputs}
    with quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                graph.module,
                (example,),
                stream,
                input_names=[IMAGES],
                output_names=list(graph.outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UsageError(
                "usage.not-a-graph",
                f"{metadata['model']} cannot be exported as a graph",
                expected="operations that torch can write as ONNX",
                found=brief(str(error), 160),
                remedy="Use --to pt2 or torchscript",
            ) from error
    model = onnx.load_from_string(stream.getvalue())
    onnx.helper.set_model_props(model, dict(metadata))
    model.graph.name = metadata["model"]
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of exporters, of old ones and of traced shapes, which a user can do nothing about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
