"""fvcore's count of a network's torch module, operation by operation.

The trace runs on a batch of zero images: torch then checks every shape but multiplies nothing, so that counting a
608x608 detector takes a tenth of a second and almost no memory. The batch size is set to 1 before fvcore reads a shape.
All arrays of the module share one buffer that is never read or written, so that huge layers are as cheap to count.

Besides fvcore's public interface this needs its table of handles by operator, for fvcore's own total.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from cspbench.errors import CountingError, CspbenchError, DefinitionError
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.network.operations import NAMES, Operations

try:
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.flop_count import _DEFAULT_SUPPORTED_OPS
    from fvcore.nn.jit_handles import get_shape
except ImportError as error:
    raise CspbenchError(
        "environment.other-fvcore",
        "this version of fvcore is not supported",
        expected="FlopCountAnalysis, flop_count._DEFAULT_SUPPORTED_OPS and jit_handles.get_shape, as in 0.1.5",
        found=str(error),
        remedy="pip install fvcore==0.1.5.post20221221",
    ) from error

Values = Sequence[Any]
Handle = Callable[[Values, Values], Counter[str]]

AT_ONCE = 64
"""Layers per trace; with more, the tracer's time per layer grows."""
FVCORE = "fvcore"
"""Key of the total by fvcore's own handles."""


def _of_images(values: Values) -> bool:
    """Whether any value depends on the images; operations on arrays alone are not counted."""
    return any(sizes and sizes[0] == 0 for sizes in map(get_shape, values))


def _one_image(values: Values) -> None:
    for value in values:
        sizes = get_shape(value)
        if sizes and sizes[0] == 0:
            value.setType(value.type().with_sizes([1, *sizes[1:]]))


def _elements(value: Any) -> int:
    return prod(get_shape(value) or [])


def _integers(value: Any) -> list[int]:
    return [item.toIValue() for item in value.node().inputs()]


def _convolution(inputs: Values, outputs: Values) -> Counter[str]:
    kernel = get_shape(inputs[1])
    return Counter(conv=_elements(outputs[0]) * prod(kernel[1:]))


def _padding(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(padding=_elements(outputs[0]) - _elements(inputs[0]))


def _linear(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(linear=_elements(outputs[0]) * get_shape(inputs[0])[-1])


def _window(inputs: Values, outputs: Values) -> Counter[str]:
    taps = _elements(outputs[0]) * prod(_integers(inputs[1]))
    return Counter(pool_taps=taps, pool_input=_elements(inputs[0]))


def _depth(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(depth_input=_elements(inputs[0]))


def _global(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(global_pool_input=_elements(inputs[0]), global_pool_output=_elements(outputs[0]))


def _addition(inputs: Values, outputs: Values) -> Counter[str]:
    # a constant, which has no dimensions, is added by an activation, a map by a shortcut
    return Counter(shortcut=_elements(outputs[0])) if get_shape(inputs[1]) else Counter()


def _weighted(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(shortcut=2 * _elements(outputs[0]))


def _per_output(name: str) -> Handle:
    return lambda inputs, outputs: Counter({name: _elements(outputs[0])})


_HANDLES: dict[str, Handle] = {
    "aten::_convolution": _convolution,
    "aten::linear": _linear,
    "aten::addmm": _linear,
    "aten::max_pool2d": _window,
    "aten::avg_pool2d": _window,
    "aten::amax": _depth,
    "aten::adaptive_avg_pool2d": _global,
    "aten::add": _addition,
    "aten::addcmul": _weighted,
    "aten::pad": _padding,
    "aten::batch_norm": _per_output("batch_norm"),
    "aten::upsample_nearest2d": _per_output("upsample"),
    "aten::upsample_bilinear2d": lambda _, outputs: Counter(upsample=4 * _elements(outputs[0])),
}
for _name in ("leaky_relu", "relu", "hardtanh", "relu6", "sigmoid", "silu", "mish", "tanh", "exp"):
    _HANDLES[f"aten::{_name}"] = _HANDLES[f"aten::{_name}_"] = _per_output("activation")


def _both(ours: Handle | None, default: Any) -> Handle:
    """A handle that counts operations by kind and, under FVCORE, what fvcore's own handle counts."""

    def both(inputs: Values, outputs: Values) -> Counter[str]:
        handle = ours if _of_images(outputs) else None
        _one_image([*inputs, *outputs])
        counts = handle(inputs, outputs) if handle else Counter[str]()
        if default is not None:
            theirs = default(inputs, outputs)
            counts[FVCORE] = int(sum(theirs.values()) if isinstance(theirs, Counter) else theirs)
        return counts

    return both


def _layer(roles: Mapping[str, Counter[str]]) -> Operations:
    """The operations of a layer from the counts of its modules by role."""
    nothing: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for role, module_counts in roles.items():
        if role != "regions":  # box and coordinate arithmetic is not counted
            counts.update(module_counts)
    blur = roles.get("blur", nothing)["conv"]
    counts.update(conv=-blur, blur=blur)
    pool = roles.get("pool", nothing)
    # explicit padding around the map is not read from the map
    counts["pool_input"] -= pool["padding"]
    # a maximum over channels belongs to a pool here, to the activation in layers that normalise channels
    counts.update(pool_taps=pool["depth_input"], pool_input=pool["depth_input"])
    return Operations(**{name: counts[name] for name in NAMES})


Traces = dict[Hashable, tuple[Operations, int]]
"""Operations and fvcore's own total of each traced layer, by the layer and its input shapes."""


@dataclass(frozen=True)
class _Part:
    """The calls of a network's module that compute one layer, and the nodes they read from other layers."""

    index: int
    key: Hashable
    calls: tuple[fx.Node, ...]
    reads: tuple[fx.Node, ...]


class _Parts(nn.Module):
    """Layers of a network's module side by side, each with inputs of its own.

    They are called in a loop because the tracer is slow in the module's generated forward, a function of up to a
    thousand lines: for every operation Python searches it for the current line.
    """

    def __init__(self, module: fx.GraphModule, parts: Sequence[_Part]) -> None:
        super().__init__()
        self.layers = nn.Module()
        children = dict(module.get_submodule("layers").named_children()) if hasattr(module, "layers") else {}
        for name in (str(part.index) for part in parts):
            if name in children:  # a layer of plain functions has no modules
                self.layers.add_module(name, children[name])
        self.parts = tuple(parts)

    def forward(self, *maps: Tensor) -> list[Tensor]:
        """The inputs of all parts, in order, to the output of each part."""
        outputs, inputs = [], iter(maps)
        for part in self.parts:
            values = {node: next(inputs) for node in part.reads}
            for node in part.calls:
                call: Any = self.get_submodule(str(node.target)) if node.op == "call_module" else node.target
                values[node] = call(*fx.node.map_arg(node.args, values.__getitem__))
            outputs.append(values[part.calls[-1]])
        return outputs


def _parts(
    network: Network, calls: Iterator[fx.Node], outputs: Sequence[fx.Node], sizes: Mapping[fx.Node, torch.Size]
) -> list[_Part]:
    """The calls of a network's module by layer, from each layer's output node and the sizes of these."""
    parts: list[_Part] = []
    assigned: set[fx.Node] = set()
    for index, (layer, last) in enumerate(zip(network.layers, outputs, strict=True)):
        if last in assigned or last.op == "placeholder":  # the layer passes its input on
            continue
        nodes = []
        for node in calls:
            nodes.append(node)
            if node is last:
                break
        assigned.update(nodes)
        reads = tuple(dict.fromkeys(read for node in nodes for read in node.all_input_nodes if read not in nodes))
        alone = replace(layer, sources=tuple(range(len(layer.sources))))
        parts.append(_Part(index, (alone, *(sizes[node] for node in reads)), tuple(nodes), reads))
    return parts


def _analyse(module: nn.Module, sizes: Sequence[torch.Size]) -> dict[str, Counter[str]]:
    """Fvcore's counts by module path; '' is the whole."""
    with torch.no_grad():
        analysis = FlopCountAnalysis(module, tuple(torch.empty(size) for size in sizes))
        analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False).tracer_warnings("none")
        # sums over children are made here: fvcore would add every call to every ancestor
        analysis.ancestor_mode("caller")
        for name in {*_HANDLES, *_DEFAULT_SUPPORTED_OPS}:
            analysis.set_op_handle(name, _both(_HANDLES.get(name), _DEFAULT_SUPPORTED_OPS.get(name)))
        by_module: dict[str, Counter[str]] = analysis.by_module_and_operator()
    return by_module


def _trace_parts(
    module: fx.GraphModule, parts: Sequence[_Part], sizes: Mapping[fx.Node, torch.Size], traces: Traces
) -> None:
    """Trace these parts and add their counts to `traces`."""
    # in a thread, for a short call stack: the tracer walks it for every operation
    with ThreadPoolExecutor(1) as thread:
        inputs = [sizes[node] for part in parts for node in part.reads]
        by_module = thread.submit(_analyse, _Parts(module, parts), inputs).result()
    roles: dict[str, dict[str, Counter[str]]] = defaultdict(dict)
    for path, counts in by_module.items():
        layer, _, role = path.rpartition(".")
        roles[layer][role] = counts
    inside = sum(counts[FVCORE] for path, counts in by_module.items() if path)
    if inside != by_module[""][FVCORE]:
        raise CountingError(
            "count.outside-modules",
            "fvcore counts operations outside the layers' modules",
            expected=f"{inside}, the sum over the modules",
            found=str(by_module[""][FVCORE]),
            remedy="This is a bug in cspbench; please report it",
        )
    for part in parts:
        modules = roles[f"layers.{part.index}"]
        traces[part.key] = _layer(modules), sum(counts[FVCORE] for counts in modules.values())


def _module(network: Network) -> fx.GraphModule:
    """The network's module with every layer as an output; its arrays share one buffer, as large as the largest.

    The buffer is never read or written, so it takes addresses but no memory. torch cannot trace convolutions on the
    meta device, which would need no buffer.
    """
    with torch.device("meta"):
        module = to_module(network, range(len(network.layers)))
    arrays = [*module.parameters(), *module.buffers()]
    largest = max((array.numel() for array in arrays), default=0)
    try:
        buffer = torch.empty(largest)
    except RuntimeError:
        raise DefinitionError(
            "network.too-large-to-count",
            "not enough memory to count a layer this large",
            where=network.origin or network.name,
            expected=f"{4 * largest / 2**30:.1f} GiB for one array",
            found="less",
            remedy="Raise the memory limit (ulimit -v), or correct filters= and size=",
        ) from None

    def in_buffer(array: torch.Tensor) -> torch.Tensor:
        if not array.is_floating_point():  # a batch norm's count of batches
            return torch.zeros(array.shape, dtype=array.dtype)
        return buffer[: array.numel()].view(array.shape)

    module._apply(in_buffer)  # type: ignore[no-untyped-call]
    return module


def trace(network: Network, traces: Traces | None = None) -> tuple[tuple[Operations, ...], int, dict[str, int]]:
    """Trace the network's module: operations of every layer, fvcore's own total, parameters by counting.

    The whole module runs once, on zero images, for the shapes that each layer reads. A layer's counts depend on the
    layer and these shapes only, so equal layers are traced once; layers in `traces` are not traced again, and the
    others are added. Parameters are counted as `weights` (convolution and linear kernels) and `learnable` (all).
    """
    traces = {} if traces is None else traces
    module = _module(network)
    image = torch.empty(0, *network.input)
    with torch.no_grad():
        maps = module(image)
    placeholder, *calls, output = module.graph.nodes
    outputs: Any = output.args[0]
    if len(network.layers) == 1:
        maps, outputs = (maps,), (outputs,)
    sizes = {placeholder: image.shape, **{node: map_.shape for node, map_ in zip(outputs, maps, strict=True)}}
    parts = _parts(network, iter(calls), outputs, sizes)
    untraced = list({part.key: part for part in parts if part.key not in traces}.values())
    for start in range(0, len(untraced), AT_ONCE):
        _trace_parts(module, untraced[start : start + AT_ONCE], sizes, traces)
    counts = {part.index: traces[part.key] for part in parts}
    layers = tuple(counts[index][0] if index in counts else Operations() for index in range(len(network.layers)))
    kernels = sum(child.weight.numel() for child in module.modules() if isinstance(child, nn.Conv2d | nn.Linear))
    parameters = {"weights": kernels, "learnable": sum(value.numel() for value in module.parameters())}
    return layers, sum(total for _, total in counts.values()), parameters


logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
