"""A model as a graph with its weights: ONNX, torch.export's program, TorchScript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from cspbench import __version__
from cspbench.errors import UsageError
from cspbench.evaluation.subject import Subject
from cspbench.export import check as checking
from cspbench.export import writing
from cspbench.export.class_names import class_names
from cspbench.export.exported import Exported
from cspbench.export.formats import Format
from cspbench.export.graph import Graph, check_graph, graph_of
from cspbench.export.protocol import Protocol, input_text, protocol_of
from cspbench.network.network import Network
from cspbench.waiting import announced

SLOW = 2.0
"""Seconds after which a wait is announced."""


@dataclass(frozen=True)
class GraphOptions:
    """What a graph is to contain; see `export_model`."""

    preset: str | None = None
    conf: float | None = None
    names: str | Path | None = None
    decode: bool = False
    nms: bool = False
    dynamic: bool = False

    @property
    def given(self) -> list[str]:
        """The options that are not at their defaults, as on the command line."""
        return [f"--{name}" for name, value in vars(self).items() if value not in (None, False)]


def write_graph(
    subject: Subject, path: Path, form: Format, options: GraphOptions, places: Sequence[Path], check: bool
) -> Exported:
    """Write the file, and run it on a picture if `check`; `places` are the user's files, beside which names may be.

    Raises `UsageError` for what the model or the format does not have.
    """
    if options.nms and form != "onnx":
        raise UsageError(
            "usage.nms-in-graph",
            "this NMS cannot be part of a graph",
            expected="the format onnx, which has an operator for it",
            found=form,
            remedy="Use --to onnx, or --decode alone and suppress boxes outside the file",
        )
    writing.check_packages(form, check)
    protocol = protocol_of(subject, options.preset, options.conf)
    nms = protocol.detection if options.nms else None
    build = partial(
        graph_of, subject, protocol.epsilon, decode=options.decode or options.nms, nms=nms, dynamic=options.dynamic
    )
    check_graph(subject, decode=options.decode or options.nms, nms=nms)
    with announced(f"the export of {subject.name}", SLOW):
        graph = build()
        example = protocol.picture(subject) if check else torch.zeros(1, *subject.description.input)
        metadata = _metadata(subject, graph, protocol, example, options, places)
        writing.write(path, form, graph, example, metadata)
    if not check:
        return Exported(path, form, metadata, notes=_notes(subject, graph, options))
    with announced(f"the check of {path.name}", SLOW):
        reference = build(folded=False).module  # folding is checked, too
        found = checking.compare(graph, reference, checking.runner(path, form), example)
    return Exported(path, form, metadata, tuple(found), _notes(subject, graph, options))


def _metadata(
    subject: Subject,
    graph: Graph,
    protocol: Protocol,
    example: Tensor,
    options: GraphOptions,
    places: Sequence[Path],
) -> dict[str, str]:
    """Texts by name, for any reader of the file."""
    description = subject.description
    heads = description.heads
    with torch.inference_mode():
        outputs = graph.module(example)
    classes = heads[-1].classes if heads else outputs[0].shape[1]
    names = class_names(subject, classes, options.names, places)
    lengths = [list(output.shape) if graph.alone else ["detections", *output.shape[1:]] for output in outputs]
    shapes = [" x ".join(map(str, each)) for each in lengths]
    free = [f"{axis} free" if axis == "batch" else f"{axis} in steps of {graph.step}" for axis in graph.axes.values()]
    return {
        "model": subject.name,
        "program": f"cspbench {__version__}",
        "preset": protocol.name,
        "preset_settings": json.dumps(protocol.settings, sort_keys=True, default=str),
        "input": f"images {' x '.join(map(str, example.shape))}, {input_text(protocol, description.input[0])}"
        + (f"; {', '.join(free)}" if free else ""),
        **{
            f"output_{name}": f"{shape}: {what}"
            for (name, what), shape in zip(graph.outputs.items(), shapes, strict=True)
        },
        **({"classes": json.dumps(names, ensure_ascii=False)} if names is not None else {}),
        "network_digest": subject.network_digest,
        "weights_digest": subject.weights_digest,
    }


def _notes(subject: Subject, graph: Graph, options: GraphOptions) -> tuple[str, ...]:
    notes = list(subject.said)
    if options.dynamic and graph.step is None:
        why = (
            "a layer is made for one size"
            if isinstance(subject.network, Network)
            else "a module does not say which it takes"
        )
        notes.append(f"height and width stay as they are: {why}")
    return tuple(notes)
