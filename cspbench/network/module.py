"""A network as a torch module: an fx graph of plain calls, whose forward is generated code."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from cspbench.network import layers, local_modules, roi_modules
from cspbench.network import modules as blocks
from cspbench.network.activations import activation
from cspbench.network.network import Network

BATCH_NORM_EPS = 1e-5
"""Inside the square root, as Darknet folds it since 2020-02-20 (spec d.3)."""


class GraphWriter:
    """Appends the calls of one layer to an fx graph; the modules of layer i live at `layers.i.<role>`."""

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.modules: dict[str, nn.Module] = {}
        self.index = 0

    def call(self, role: str, module: nn.Module | None, *arguments: fx.Node) -> fx.Node:
        """One module call; the argument itself if `module` is None."""
        if module is None:
            return arguments[0]
        path = f"layers.{self.index}.{role}"
        self.modules[path] = module
        return self.graph.call_module(path, arguments)

    def function(self, target: Callable[..., Any], *arguments: Any) -> fx.Node:
        return self.graph.call_function(target, arguments)

    def module(self, output: fx.Node | tuple[fx.Node, ...]) -> fx.GraphModule:
        """The module that computes `output`, in eval mode."""
        self.graph.output(output)
        root: dict[str, Any] = dict(self.modules)
        return fx.GraphModule(root, self.graph, class_name="Darknet").eval()

    def layer(self, index: int, layer: layers.Layer, inputs: list[fx.Node], shapes: list[layers.Shape]) -> fx.Node:
        """The node of layer `index`'s output, from those of its inputs and their shapes."""
        self.index = index
        match layer:
            case layers.Convolution():
                return self._convolution(layer, inputs[0], shapes[0][0])
            case layers.Connected():
                return self._connected(layer, inputs[0], shapes[0])
            case layers.BatchNorm():
                return self.call("bn", _batch_norm(shapes[0][0]), inputs[0])
            case layers.Activation():
                return self.call("activation", activation(layer.activation, inplace=False), inputs[0])
            case layers.MaxPool() | layers.LocalAvgPool():
                pool = blocks.WindowPool(layer, shapes[0][1:], layer.pooled(shapes)[1:])
                pooled = self.call("pool", pool, inputs[0])
                if isinstance(layer, layers.LocalAvgPool) or not layer.antialiasing:
                    return pooled
                return self.call("blur", blocks.Blur(shapes[0][0], layer.blur_size, layer.strides), pooled)
            case layers.Local():
                product = self.call("conv", local_modules.LocalConv(layer, shapes[0]), inputs[0])
                return self.call("activation", activation(layer.activation), product)
            case layers.ResponseNorm():
                return self.call("norm", local_modules.ResponseNormalisation(layer), inputs[0])
            case layers.MaxPoolDepth():
                return self.call("pool", blocks.DepthMaxPool(layer.channels), inputs[0])
            case layers.AvgPool():
                return self.call("pool", nn.AdaptiveAvgPool2d(1), inputs[0])
            case layers.Route():
                return self._route(layer, inputs, shapes)
            case layers.Shortcut():
                total = self.call("sum", blocks.ShortcutSum(layer, shapes), *inputs)
                return self.call("activation", activation(layer.activation), total)
            case layers.ScaleChannels() | layers.Sam():
                product = self.function(operator.mul, inputs[1], inputs[0])
                return self.call("activation", activation(layer.activation), product)
            case layers.Upsample():
                if layer.reverse:
                    resized = self.function(blocks.block_sum, inputs[0], layer.stride)
                else:
                    mode = "bilinear" if layer.bilinear else "nearest"
                    resized = self.call("resize", nn.Upsample(scale_factor=layer.stride, mode=mode), inputs[0])
                return resized if layer.scale == 1 else self.function(operator.mul, resized, layer.scale)
            case layers.Resize():
                settings: dict[str, Any] = {"mode": "bilinear", "align_corners": True} if layer.bilinear else {}
                return self.call("resize", nn.Upsample(shapes[1][1:], **settings), inputs[0])
            case layers.Shuffle():
                return self.function(blocks.shuffle, inputs[0], layer.groups)
            case layers.Proposals():
                return self.call("regions", roi_modules.ProposalBoxes(layer, shapes[0][1:]), *inputs)
            case layers.RoiAlign():
                return self.call("regions", roi_modules.PsRoiAlign(layer), *inputs)
            case layers.Reorg(reverse=True):
                return self.function(torch.reshape, inputs[0], (-1, *layer.output(shapes)))
            case layers.Reorg():
                return self.function(blocks.reorg, inputs[0], layer.stride, layer.legacy)
            case layers.Crop():
                return self.function(blocks.centre_crop, inputs[0], layer.height, layer.width, not layer.noadjust)
            case layers.Softmax():
                plain = layer.groups == 1 and layer.temperature == 1 and shapes[0][1:] == (1, 1)
                if plain:
                    return self.call("softmax", nn.Softmax(1), inputs[0])
                return self.function(blocks.group_softmax, inputs[0], layer.groups, layer.temperature)
            case layers.Implicit():
                return self.call("vector", blocks.Vector(layer.filters * layer.atoms), inputs[0])
            case _:  # dropout, detection and loss layers pass their input on; evaluation decodes it
                return inputs[0]

    def _convolution(self, layer: layers.Convolution, x: fx.Node, channels: int) -> fx.Node:
        if layer.share is None:
            conv: nn.Module = (blocks.XnorConv if layer.binary else blocks.Conv)(
                channels,
                layer.filters,
                layer.size,
                layer.step,
                layer.padding * layer.dilation,
                layer.dilation,
                layer.groups,
                bias=not layer.batch_normalize and layer.bias,
            )
            bn: nn.Module | None = _batch_norm(layer.filters) if layer.batch_normalize else None
        else:
            owner = self.modules[f"layers.{layer.share}.conv"]
            assert isinstance(owner, nn.Conv2d)
            conv = blocks.SharedConv(owner, layer.step, layer.padding * layer.dilation, layer.dilation)
            norm = self.modules.get(f"layers.{layer.share}.bn")
            bn = blocks.SharedBatchNorm(norm) if isinstance(norm, nn.BatchNorm2d) else None
        x = self.call("bn", bn, self.call("conv", conv, x))
        x = self.call("activation", activation(layer.activation), x)
        if layer.antialiasing:
            blur = blocks.Blur(layer.filters, layer.blur_size, layer.stride)
            x = self.call("blur", blur, x)
        return x

    def _connected(self, layer: layers.Connected, x: fx.Node, shape: layers.Shape) -> fx.Node:
        size = shape[0] * shape[1] * shape[2]
        x = self.function(torch.flatten, x, 1)
        x = self.call("linear", blocks.Linear(size, layer.outputs, bias=not layer.batch_normalize), x)
        if layer.batch_normalize:
            x = self.call("bn", nn.BatchNorm1d(layer.outputs, BATCH_NORM_EPS, 0.01), x)
        x = self.call("activation", activation(layer.activation), x)
        return self.function(torch.unflatten, x, 1, (layer.outputs, 1, 1))

    def _route(self, layer: layers.Route, inputs: list[fx.Node], shapes: list[layers.Shape]) -> fx.Node:
        if layer.groups > 1:
            for index, shape in enumerate(shapes):
                width = shape[0] // layer.groups
                inputs[index] = self.function(torch.narrow, inputs[index], 1, layer.group_id * width, width)
        return inputs[0] if len(inputs) == 1 else self.function(torch.cat, inputs, 1)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, BATCH_NORM_EPS, momentum=0.01)


def to_module(network: Network, outputs: Sequence[int] | None = None) -> fx.GraphModule:
    """The network as a module in eval mode: (N, C, H, W) float to the outputs of the selected layers.

    `outputs` are layer indices; by default the detection layers, or else the last layer. A single output is a tensor,
    several are a tuple. Convolution and linear arrays are uninitialised until weights are loaded. Every layer is
    computed, even if no output depends on it, as in Darknet.
    """
    writer = GraphWriter()
    nodes = [writer.graph.placeholder("x")]  # of layer -1, the input, and all others
    for index, layer in enumerate(network.layers):
        inputs = [nodes[source + 1] for source in layer.sources]
        nodes.append(writer.layer(index, layer, inputs, network.inputs(index)))
    indices = outputs if outputs is not None else network.detections or (len(network.layers) - 1,)
    chosen = [nodes[index + 1] for index in indices]
    return writer.module(chosen[0] if len(chosen) == 1 else tuple(chosen))


def side_by_side(alone: Sequence[tuple[layers.Layer, Sequence[layers.Shape]]]) -> fx.GraphModule:
    """Layers that do not read each other, as one module: the inputs of all layers, in order, to a tuple of outputs.

    The second item of each pair is the shapes of the layer's inputs.
    """
    writer = GraphWriter()
    inputs = [
        [writer.graph.placeholder(f"x{index}_{at}") for at in range(len(shapes))]
        for index, (_, shapes) in enumerate(alone)
    ]
    return writer.module(
        tuple(writer.layer(index, layer, inputs[index], list(shapes)) for index, (layer, shapes) in enumerate(alone))
    )


@torch.no_grad()
def fold_batch_norm(module: fx.GraphModule) -> fx.GraphModule:
    """Fold every convolution's own batch norm into it, in double as Darknet does (spec d.3); in place.

    Weights become W * gamma / sqrt(var + eps), biases beta - gamma * mean / sqrt(var + eps), each rounded to float
    once. Shared arrays are folded once, for all layers that share them. A [batchnorm] layer stays, since other layers
    may read its input.
    """
    modules = dict(module.named_modules())
    for node in list(module.graph.nodes):
        layer, _, role = str(node.target).rpartition(".")
        if node.op != "call_module" or role != "bn" or str(node.args[0].target) != f"{layer}.conv":
            continue
        norm, conv = modules[f"{layer}.bn"], modules[f"{layer}.conv"]
        if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
            bias = norm.bias.double() - norm.running_mean.double() * factor
            weight: Tensor = conv.weight.double() * factor[:, None, None, None]
            conv.weight = nn.Parameter(weight.to(conv.weight.dtype))
            conv.bias = nn.Parameter(bias.to(conv.weight.dtype))
        node.replace_all_uses_with(node.args[0])
        module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()
    return module
