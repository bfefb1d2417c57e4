"""fvcore's count of a network's torch module, operation by operation.

The trace runs on a batch of zero images: torch then checks every shape but multiplies nothing, so that counting a
608x608 detector takes a tenth of a second and almost no memory. The batch size is set to 1 before fvcore reads a shape.
All arrays of the module share one buffer that is never read or written, so that huge layers are as cheap to count.

Besides fvcore's public interface this needs its table of handles by operator, for fvcore's own total.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from cspbench.errors import CountingError, CspbenchError, DefinitionError
from cspbench.network.layers import Convolution, Layer, Shape
from cspbench.network.local_modules import LocalConv
from cspbench.network.modular.one_buffer import on_one_buffer
from cspbench.network.module import side_by_side
from cspbench.network.modules import Blur, DepthMaxPool, ShortcutSum, Vector, WindowPool, XnorConv
from cspbench.network.network import Network
from cspbench.network.operations import NAMES, Operations
from cspbench.network.roi_modules import ProposalBoxes, PsRoiAlign

try:
    with warnings.catch_warnings():
        # importing fvcore compiles a function with torch.jit, which newer versions of torch call deprecated
        warnings.filterwarnings("ignore", "`torch.jit")
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


def _one_image(values: Values) -> None:
    for value in values:
        sizes = get_shape(value)
        if sizes and sizes[0] == 0:
            value.setType(value.type().with_sizes([1, *sizes[1:]]))


def _elements(value: Any) -> int:
    return prod(get_shape(value) or [])


def _window(inputs: Values, outputs: Values) -> Counter[str]:
    taps = _elements(outputs[0]) * prod(item.toIValue() for item in inputs[1].node().inputs())
    return Counter(pool_taps=taps, pool_input=_elements(inputs[0]))


def _linear(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(linear=_elements(outputs[0]) * get_shape(inputs[0])[-1])


def _addition(inputs: Values, outputs: Values) -> Counter[str]:
    # a constant, which has no dimensions, is added by an activation, a map by a shortcut
    return Counter(shortcut=_elements(outputs[0])) if get_shape(inputs[1]) else Counter()


def _per_output(name: str, operations: int = 1) -> Handle:
    return lambda inputs, outputs: Counter({name: operations * _elements(outputs[0])})


_HANDLES: dict[str, Handle] = {
    "aten::_convolution": lambda inputs, outputs: Counter(conv=_elements(outputs[0]) * prod(get_shape(inputs[1])[1:])),
    "aten::linear": _linear,
    "aten::addmm": _linear,
    "aten::matmul": lambda inputs, outputs: Counter(linear=_elements(outputs[0]) * get_shape(inputs[0])[-1]),
    "aten::max_pool2d": _window,
    "aten::avg_pool2d": _window,
    "aten::amax": lambda inputs, outputs: Counter(depth_input=_elements(inputs[0])),
    "aten::adaptive_avg_pool2d": lambda inputs, outputs: Counter(
        global_pool_input=_elements(inputs[0]), global_pool_output=_elements(outputs[0])
    ),
    "aten::add": _addition,
    "aten::add_": _addition,
    "aten::addcmul": _per_output("shortcut", 2),
    "aten::pad": lambda inputs, outputs: Counter(padding=_elements(outputs[0]) - _elements(inputs[0])),
    "aten::batch_norm": _per_output("batch_norm"),
    "aten::upsample_nearest2d": _per_output("upsample"),
    "aten::upsample_bilinear2d": _per_output("upsample", 4),
}
for _name in ("leaky_relu", "relu", "hardtanh", "relu6", "sigmoid", "silu", "mish", "tanh", "exp", "elu", "remainder"):
    _HANDLES[f"aten::{_name}"] = _HANDLES[f"aten::{_name}_"] = _per_output("activation")


def _both(ours: Handle | None, default: Any) -> Handle:
    """A handle that counts operations by kind and, under FVCORE, what fvcore's own handle counts."""

    def both(inputs: Values, outputs: Values) -> Counter[str]:
        _one_image([*inputs, *outputs])
        counts = ours(inputs, outputs) if ours else Counter[str]()
        if default is not None:
            theirs = default(inputs, outputs)
            counts[FVCORE] = int(sum(theirs.values()) if isinstance(theirs, Counter) else theirs)
        return counts

    return both


def corrected(module: nn.Module, counts: Counter[str]) -> Counter[str]:
    """The counts of one of our modules by kinds of `Operations`, where the operators alone do not tell them."""
    match module:
        case ProposalBoxes() | PsRoiAlign():  # box and coordinate arithmetic is not counted
            return Counter({FVCORE: counts[FVCORE]})
        case Blur():
            return Counter({"blur": counts["conv"], FVCORE: counts[FVCORE]})
        case XnorConv():
            return counts + Counter(xnor=counts["conv"])
        case DepthMaxPool():
            return Counter(pool_taps=counts["depth_input"], pool_input=counts["depth_input"])
        case WindowPool():  # explicit padding around the map is not read from the map
            return counts + Counter(pool_input=-counts["padding"])
        case ShortcutSum():  # normalising the factors is not an activation
            return Counter({name: value for name, value in counts.items() if name != "activation"})
    return counts


@dataclass(frozen=True)
class Traced:
    """What torch and fvcore say about one layer."""

    output: Shape
    operations: Operations
    fvcore: int
    """fvcore's own total."""
    parameters: dict[str, int]
    """As in `parameters_of`."""


Alone = tuple[Layer, tuple[Shape, ...]]
"""A layer whose sources are 0, 1, .., and the shapes of its inputs: all that its counts depend on."""
Traces = dict[Alone, Traced]


def analyse(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Counter[str]]:
    """Fvcore's counts by module path; '' is the whole. Any other error than fvcore's own is torch's."""
    with torch.no_grad():
        analysis = FlopCountAnalysis(module, inputs)
        analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False).tracer_warnings("none")
        # sums over children are made here: fvcore would add every call to every ancestor
        analysis.ancestor_mode("caller")
        for name in {*_HANDLES, *_DEFAULT_SUPPORTED_OPS}:
            analysis.set_op_handle(name, _both(_HANDLES.get(name), _DEFAULT_SUPPORTED_OPS.get(name)))
        by_module: dict[str, Counter[str]] = analysis.by_module_and_operator()
    return by_module


def operations_of(counts: Counter[str]) -> Operations:
    return Operations(**{name: counts[name] for name in NAMES})


_KERNELS = (_ConvNd, nn.Linear, LocalConv)
"""Modules whose `weight` is a kernel."""


def parameters_of(module: nn.Module) -> dict[str, int]:
    """Parameters by counting: `weights` (kernels of convolution and linear modules), `learnable` (all), `stored`."""
    children = list(module.modules())
    statistics = [child.running_mean for child in children if isinstance(child, _NormBase)]
    learnable = sum(value.numel() for value in module.parameters())
    return {
        "weights": sum(child.weight.numel() for child in children if isinstance(child, _KERNELS)),
        "learnable": learnable,
        "stored": learnable + 2 * sum(mean.numel() for mean in statistics if mean is not None),
    }


def knows_kernels(module: nn.Module) -> bool:
    """Whether every parameter belongs to a class of modules whose kernels are known."""
    known = (*_KERNELS, _NormBase, nn.LayerNorm, nn.GroupNorm, nn.PReLU, ShortcutSum, Vector)
    return all(isinstance(child, known) or not [*child.parameters(recurse=False)] for child in module.modules())


def _module(layers: Sequence[Alone]) -> fx.GraphModule:
    """The layers' module, without memory for its arrays."""
    with torch.device("meta"):
        module = side_by_side(layers)
    on_one_buffer(module)
    return module


def _trace(layers: Sequence[Alone]) -> Iterator[Traced]:
    """Trace these layers side by side."""
    module = _module(layers)
    images = tuple(torch.empty(0, *shape) for _, shapes in layers for shape in shapes)
    outputs: list[Tensor] = []
    module.register_forward_hook(lambda _, inputs, results: outputs.extend(results))
    # in a thread, for a short call stack: the tracer walks it for every operation
    with ThreadPoolExecutor(1) as thread:
        by_module = thread.submit(analyse, module, images).result()
    inside = sum(counts[FVCORE] for path, counts in by_module.items() if path)
    if inside != by_module[""][FVCORE]:
        raise CountingError(
            "count.outside-modules",
            "fvcore counts operations outside the layers' modules",
            expected=f"{inside}, the sum over the modules",
            found=str(by_module[""][FVCORE]),
            remedy="This is a bug in cspbench; please report it",
        )
    containers = dict(module.named_modules())
    for index, output in enumerate(outputs):
        path = f"layers.{index}"
        container = containers.get(path, nn.Module())  # a layer of plain functions has no modules
        counts: Counter[str] = Counter()
        for role, child in container.named_children():
            counts.update(corrected(child, by_module[f"{path}.{role}"]))
        channels, height, width = output.shape[1:]
        yield Traced((channels, height, width), operations_of(counts), counts[FVCORE], parameters_of(container))


def trace(network: Network, traces: Traces | None = None) -> list[Traced]:
    """Trace every layer of a network by itself, on inputs of the shapes that the network gives it.

    Equal layers are traced once; layers in `traces` are not traced again, and the others are added.
    """
    traces = {} if traces is None else traces
    layers = [_alone(layer, network.inputs(index)) for index, layer in enumerate(network.layers)]
    untraced = [layer for layer in dict.fromkeys(layers) if layer not in traces]
    for start in range(0, len(untraced), AT_ONCE):
        some = untraced[start : start + AT_ONCE]
        try:
            traces.update(zip(some, _trace(some), strict=True))
        except DefinitionError as error:
            raise error.at(network.origin or network.name) from None
    return [
        replace(traces[alone], parameters={})
        if isinstance(layer, Convolution) and layer.share is not None
        else traces[alone]
        for layer, alone in zip(network.layers, layers, strict=True)
    ]


def _alone(layer: Layer, shapes: Sequence[Shape]) -> Alone:
    layer = replace(layer, sources=tuple(range(len(layer.sources))))
    return (replace(layer, share=None) if isinstance(layer, Convolution) else layer), tuple(shapes)


def trace_module(module: nn.Module, shape: Shape) -> tuple[Operations, int]:
    """Operations of any module on one zero image of `shape`, and fvcore's own total.

    The module runs once, in eval mode, where its arrays are. Any error is the module's own.
    """
    training = [child for child in module.modules() if child.training]
    array = next(module.parameters(), torch.empty(0))
    module.eval()
    try:
        by_module = analyse(module, (array.new_zeros(1, *shape),))
    finally:
        for child in training:
            child.training = True
    counts = Counter(by_module[""])
    for path, child in module.named_modules():
        if path:
            counts.subtract(by_module[path])
            counts.update(corrected(child, by_module[path]))
    return operations_of(counts), counts[FVCORE]


logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
