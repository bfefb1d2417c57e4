"""fvcore's count of a network's torch module, operation by operation.

The trace runs on a batch of zero images: torch then checks every shape but multiplies nothing, so that counting a
608x608 detector takes a tenth of a second and almost no memory. Before fvcore reads a shape, its batch becomes 1. The
module's arrays share one place that nobody reads or writes, so that a file of huge layers is counted as cheaply.

Needed of fvcore, beside its public analysis: the table of its own handles by operator, to count as it does by itself.
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
        "this version of fvcore lacks what counting needs",
        expected="FlopCountAnalysis, flop_count._DEFAULT_SUPPORTED_OPS and jit_handles.get_shape, as in 0.1.5",
        found=str(error),
        remedy="pip install fvcore==0.1.5.post20221221",
    ) from error

Values = Sequence[Any]
Handle = Callable[[Values, Values], Counter[str]]

AT_ONCE = 64
"""Layers traced together: beyond, the tracer's time for each grows with their number."""
FVCORE = "fvcore"
"""The key of fvcore's own total, by its own handles."""


def _of_images(values: Values) -> bool:
    """Whether any value belongs to the images: what depends on arrays alone is no operation on an image."""
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
    written = _elements(outputs[0])
    return Counter(pool_taps=written * prod(_integers(inputs[1])), pool_input=_elements(inputs[0]), pool_output=written)


def _depth(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(depth_input=_elements(inputs[0]), depth_output=_elements(outputs[0]))


def _global(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(global_pool_input=_elements(inputs[0]), global_pool_output=_elements(outputs[0]))


def _addition(inputs: Values, outputs: Values) -> Counter[str]:
    # adding a constant, which has no dimensions, is part of an activation; adding a map is a shortcut
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
    """One handle that counts single operations beside what fvcore itself counts for the call."""

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        counted = ours if _of_images(outputs) else None
        _one_image([*inputs, *outputs])
        counts = counted(inputs, outputs) if counted else Counter[str]()
        if default is not None:
            theirs = default(inputs, outputs)
            counts[FVCORE] = int(sum(theirs.values()) if isinstance(theirs, Counter) else theirs)
        return counts

    return handle


def _layer(roles: Mapping[str, Counter[str]]) -> Operations:
    """The operations of a layer from those of its modules, by role."""
    nothing: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for role, each in roles.items():
        if role != "regions":  # reckoning with boxes and coordinates is no operation on a map
            counts.update(each)
    blur = roles.get("blur", nothing)["conv"]
    counts.update(conv=-blur, blur=blur)
    pool = roles.get("pool", nothing)
    # a border laid around the map so that windows may hang over it is not read from the map
    counts["pool_input"] -= pool["padding"]
    # the largest of all channels is a pool here, and part of the activation where channels are normalised
    counts.update(pool_taps=pool["depth_input"], pool_input=pool["depth_input"], pool_output=pool["depth_output"])
    return Operations(**{name: counts[name] for name in NAMES})


Known = dict[Hashable, tuple[Operations, int]]
"""Operations and fvcore's own total of each layer traced so far, by the layer and the shapes it reads."""


@dataclass(frozen=True)
class _Part:
    """What a network's module computes for one layer: calls, and what they read from other layers."""

    index: int
    key: Hashable
    calls: tuple[fx.Node, ...]
    reads: tuple[fx.Node, ...]


class _Parts(nn.Module):
    """Layers of a network's module side by side, each on inputs of its own.

    They are called from a loop: the module's generated forward is a single function of up to a thousand lines, and for
    every operation the tracer has Python search it from its beginning for the line.
    """

    def __init__(self, module: fx.GraphModule, parts: Sequence[_Part]) -> None:
        super().__init__()
        self.layers = nn.Module()
        own = dict(module.get_submodule("layers").named_children()) if hasattr(module, "layers") else {}
        for name in (str(part.index) for part in parts):
            if name in own:  # a layer of functions has no modules
                self.layers.add_module(name, own[name])
        self.parts = tuple(parts)

    def forward(self, *maps: Tensor) -> list[Tensor]:
        """The inputs of all parts in turn to the output of each."""
        outputs, given = [], iter(maps)
        for part in self.parts:
            done = {node: next(given) for node in part.reads}
            for node in part.calls:
                call: Any = self.get_submodule(str(node.target)) if node.op == "call_module" else node.target
                done[node] = call(*fx.node.map_arg(node.args, done.__getitem__))
            outputs.append(done[part.calls[-1]])
        return outputs


def _parts(
    network: Network, calls: Iterator[fx.Node], written: Sequence[fx.Node], sizes: Mapping[fx.Node, torch.Size]
) -> list[_Part]:
    """The calls of a network's module, layer by layer.

    `written` holds each layer's output and `sizes` the real size of each.
    """
    parts: list[_Part] = []
    begun: set[fx.Node] = set()
    for index, (layer, last) in enumerate(zip(network.layers, written, strict=True)):
        if last in begun or last.op == "placeholder":  # the layer hands on what another one computed
            continue
        own = []
        for node in calls:
            own.append(node)
            if node is last:
                break
        begun.update(own)
        reads = tuple(dict.fromkeys(read for node in own for read in node.all_input_nodes if read not in own))
        alone = replace(layer, sources=tuple(range(len(layer.sources))))
        parts.append(_Part(index, (alone, *(sizes[node] for node in reads)), tuple(own), reads))
    return parts


def _analyse(module: nn.Module, sizes: Sequence[torch.Size]) -> dict[str, Counter[str]]:
    """What fvcore counts in each module that is called; the whole is called ''."""
    with torch.no_grad():
        analysis = FlopCountAnalysis(module, tuple(torch.empty(size) for size in sizes))
        analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False).tracer_warnings("none")
        # what a module's children do is added up here: fvcore would add it to every ancestor, call by call
        analysis.ancestor_mode("caller")
        for name in {*_HANDLES, *_DEFAULT_SUPPORTED_OPS}:
            analysis.set_op_handle(name, _both(_HANDLES.get(name), _DEFAULT_SUPPORTED_OPS.get(name)))
        by_module: dict[str, Counter[str]] = analysis.by_module_and_operator()
    return by_module


def _learn(module: fx.GraphModule, parts: Sequence[_Part], sizes: Mapping[fx.Node, torch.Size], known: Known) -> None:
    """Trace these parts, and remember what fvcore counted."""
    # on a thread of its own, because for every operation the tracer walks all callers
    with ThreadPoolExecutor(1) as thread:
        read = [sizes[node] for part in parts for node in part.reads]
        by_module = thread.submit(_analyse, _Parts(module, parts), read).result()
    roles: dict[str, dict[str, Counter[str]]] = defaultdict(dict)
    for path, counts in by_module.items():
        layer, _, role = path.rpartition(".")
        roles[layer][role] = counts
    inside = sum(counts[FVCORE] for path, counts in by_module.items() if path)
    if inside != by_module[""][FVCORE]:
        raise CountingError(
            "count.outside-modules",
            "fvcore counts a call outside of the layers' modules",
            expected=f"{inside}, the sum over the modules",
            found=str(by_module[""][FVCORE]),
            remedy="This is a defect of cspbench, please report it",
        )
    for part in parts:
        own = roles[f"layers.{part.index}"]
        known[part.key] = _layer(own), sum(counts[FVCORE] for counts in own.values())


def _module(network: Network) -> fx.GraphModule:
    """The network's module with the output of each layer, its arrays all in one place, as large as the largest.

    Nothing reads or writes them, so that the place costs addresses and no memory. It is there because torch cannot
    trace a convolution of the meta device, which has no arrays at all.
    """
    with torch.device("meta"):
        module = to_module(network, range(len(network.layers)))
    arrays = [*module.parameters(), *module.buffers()]
    largest = max((array.numel() for array in arrays), default=0)
    try:
        place = torch.empty(largest)
    except RuntimeError:
        raise DefinitionError(
            "network.too-large-to-count",
            "too little memory to count a layer this large",
            where=network.origin or network.name,
            expected=f"{4 * largest / 2**30:.1f} GiB that can be asked for, for one array",
            found="less",
            remedy="Raise the memory limit (ulimit -v), or correct filters= and size=",
        ) from None

    def placed(array: torch.Tensor) -> torch.Tensor:
        if not array.is_floating_point():  # the number of batches that a batch norm has seen
            return torch.zeros(array.shape, dtype=array.dtype)
        return place[: array.numel()].view(array.shape)

    module._apply(placed)  # type: ignore[no-untyped-call]
    return module


def trace(network: Network, known: Known | None = None) -> tuple[tuple[Operations, ...], int, dict[str, int]]:
    """Trace the network's module: operations of every layer, fvcore's own total, parameters by array role.

    The whole module runs once, on no images, so that every layer is given what it really reads. What fvcore counts in
    a layer depends on nothing else: of layers that are alike only the first is traced, and none that is `known`, to
    which the others are added. The roles are those the module has itself: `weight` for convolution and linear kernels,
    `learnable` for all.
    """
    known = {} if known is None else known
    module = _module(network)
    image = torch.empty(0, *network.input)
    with torch.no_grad():
        maps = module(image)
    placeholder, *calls, output = module.graph.nodes
    written: Any = output.args[0]
    if len(network.layers) == 1:
        maps, written = (maps,), (written,)
    sizes = {placeholder: image.shape, **{node: each.shape for node, each in zip(written, maps, strict=True)}}
    parts = _parts(network, iter(calls), written, sizes)
    unknown = list({part.key: part for part in parts if part.key not in known}.values())
    for start in range(0, len(unknown), AT_ONCE):
        _learn(module, unknown[start : start + AT_ONCE], sizes, known)
    found = {part.index: known[part.key] for part in parts}
    layers = tuple(found[index][0] if index in found else Operations() for index in range(len(network.layers)))
    kernels = sum(each.weight.numel() for each in module.modules() if isinstance(each, nn.Conv2d | nn.Linear))
    parameters = {"weights": kernels, "learnable": sum(value.numel() for value in module.parameters())}
    return layers, sum(total for _, total in found.values()), parameters


logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
