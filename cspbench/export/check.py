"""Runs an exported file on a picture beside torch, and compares every output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cspbench.export.graph import IMAGES, Graph

TOLERANCE = 1e-4
"""The largest difference, as a share of the output's largest value, that an order of sums can explain."""

Values = NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The largest difference between an output of the file and of torch."""

    input: tuple[int, ...]
    """The shape of the input."""
    output: str
    shape: tuple[int, ...]
    """The shape of torch's output."""
    largest: float
    """The largest magnitude in torch's output."""
    absolute: float
    """Infinite if the shapes differ."""

    @property
    def relative(self) -> float:
        """The difference as a share of the largest value."""
        return self.absolute / self.largest if self.absolute and self.largest else self.absolute

    @property
    def passed(self) -> bool:
        return self.relative <= TOLERANCE


def runner(path: Path, to: str) -> Callable[[Tensor], Sequence[Values]]:
    """A function that runs the graph of a file: from (N, C, H, W), float32, to its outputs."""
    if to == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda images: session.run(None, {IMAGES: images.numpy()})
    if to == "torchscript":
        from cspbench.export.writing import quiet

        with quiet():
            module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    else:
        module = torch.export.load(path).module()
    return lambda images: [output.numpy() for output in run(module, images)]


def compare(
    graph: Graph, reference: nn.Module, run_file: Callable[[Tensor], Sequence[Values]], picture: Tensor
) -> list[Difference]:
    """The differences of every output of `run_file` from the reference's on a picture, (1, C, H, W).

    With free axes also on a batch of it and its mirror image, and on a larger input that repeats its edge.
    """
    inputs = [picture]
    if graph.axes:
        inputs.append(torch.cat((picture, picture.flip(3))))
    if graph.step:
        least = -(-32 // graph.step) * graph.step
        inputs.append(torch.nn.functional.pad(picture, (0, least, 0, 2 * least), mode="replicate"))
    found = []
    for images in inputs:
        expected = [output.numpy() for output in run(reference, images)]
        found += differences(tuple(images.shape), dict(zip(graph.outputs, expected, strict=True)), run_file(images))
    return found


def differences(shape: tuple[int, ...], expected: Mapping[str, Values], found: Sequence[Values]) -> list[Difference]:
    """One difference for each output of an input of that shape."""
    return [
        Difference(shape, name, tuple(values.shape), _largest(values), _difference(values, other))
        for (name, values), other in zip(expected.items(), found, strict=True)
    ]


def _largest(values: Values) -> float:
    return float(np.abs(values).max(initial=0))


def _difference(one: Values, other: Values) -> float:
    if one.shape != other.shape or not np.isfinite(other).all():
        return float("inf")
    return _largest(one.astype(np.float64) - other.astype(np.float64))


@torch.inference_mode()
def run(module: Callable[[Tensor], Any], images: Tensor) -> tuple[Tensor, ...]:
    outputs = module(images)
    return outputs if isinstance(outputs, tuple) else tuple(outputs) if isinstance(outputs, list) else (outputs,)
