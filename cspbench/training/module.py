"""A network as a torch module for training (spec training, layers in training mode)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from cspbench.network import layers
from cspbench.network import modules as blocks
from cspbench.network.activations import Activation, activation
from cspbench.network.module import GraphWriter
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe
from cspbench.training.statistics import BatchNorm, FrozenBatchNorm, SharingBatchNorm


class Dropout(nn.Module):
    """[dropout]: each value stays if its uniform number is at least p, and is divided by 1 - p."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.uniform: Callable[[Tensor], Tensor] = torch.rand_like
        """Numbers in [0, 1) in the shape of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        kept = (self.uniform(x) >= self.probability).to(x.dtype)
        return x * kept.mul_(1 / (1 - self.probability) if self.probability < 1 else 0.0)


class WeightedSum(blocks.ShortcutSum):
    """A weighted [shortcut]: the sum that normalises its factors is a constant to the gradient; relu has no floor."""

    def factors(self) -> Tensor:
        assert self.weight is not None
        if self.normalization == "relu":
            raised = functional.relu(self.weight)
        elif self.normalization == "softmax":
            raised = torch.exp(self.weight - self.weight.detach().amax(0, keepdim=True))
        else:
            return self.weight
        return raised / raised.detach().sum(0, keepdim=True).add(1e-4)


class LocalMean(blocks.WindowPool):
    """[local_avgpool]: its gradient is divided by the whole window's area, at the border too."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H', W')."""
        padded = functional.pad(x, self.border)
        passing = functional.avg_pool2d(padded, self.size, self.stride)
        return super().forward(x).detach() + (passing - passing.detach())


class ChannelNormalisation(torch.autograd.Function):
    """normalize_channels and its softmax forms, with Darknet's gradient, which is not theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, formula: Activation) -> Tensor:
        y: Tensor = formula(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        (gradient,) = gradients
        # the signs of both factors are opposite to Darknet's
        return -gradient * (y * gradient).sum(1, keepdim=True), None


class Normalised(nn.Module):
    """An activation over channels in training."""

    def __init__(self, formula: Activation) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        result: Tensor = ChannelNormalisation.apply(x, self.formula)  # type: ignore[no-untyped-call]
        return result


class _Unchanged(torch.autograd.Function):
    """Softmax whose gradient is handed on as it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: int, temperature: float) -> Tensor:
        return blocks.group_softmax(x, groups, temperature)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0], None, None


class Softmax(nn.Module):
    """[softmax] for the layers behind it; its own loss reads its input."""

    def __init__(self, layer: layers.Softmax) -> None:
        super().__init__()
        self.settings = (layer.groups, layer.temperature)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        result: Tensor = _Unchanged.apply(x, *self.settings)  # type: ignore[no-untyped-call]
        return result


class TrainingWriter(GraphWriter):
    """Appends the layers of a network in training mode."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        self.nodes = [self.graph.placeholder("x")]
        """Outputs of layer -1, the input, and all others so far."""

    def call(self, role: str, module: nn.Module | None, *arguments: fx.Node) -> fx.Node:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            frozen = self.index < self.recipe.stop
            module = FrozenBatchNorm(module.num_features, module.eps) if frozen else BatchNorm(module)
        elif isinstance(module, blocks.SharedBatchNorm):
            module = SharingBatchNorm(module.owner[0])
        elif isinstance(module, nn.SiLU | nn.Mish):
            module.inplace = False  # its gradient needs the input, of which torch would make a copy
        elif isinstance(module, Activation) and module.kind.startswith("normalize"):
            module = Normalised(module)
        return super().call(role, module, *arguments)

    def layer(self, index: int, layer: layers.Layer, inputs: list[fx.Node], shapes: list[layers.Shape]) -> fx.Node:
        self.index = index
        match layer:
            case layers.Dropout():
                return self.call("dropout", Dropout(layer.probability), inputs[0])
            case layers.Softmax():
                return self.call("softmax", Softmax(layer), inputs[0])
            case layers.LocalAvgPool():
                pool = LocalMean(layer, shapes[0][1:], layer.pooled(shapes)[1:])
                return self.call("pool", pool, inputs[0])
            case layers.Shortcut() if layer.weighting != "none":
                total = self.call("sum", WeightedSum(layer, shapes), *inputs)
                return self.call("activation", activation(layer.activation), total)
        return super().layer(index, layer, inputs, shapes)

    def append(self, index: int) -> None:
        """Write layer `index` after those before it."""
        layer = self.network.layers[index]
        inputs = [self.nodes[source + 1] for source in layer.sources]
        node = self.layer(index, layer, inputs, self.network.inputs(index))
        if self.recipe.layers[index].onlyforward:
            node = self.function(torch.detach, node)
        self.nodes.append(node)
        while isinstance(layer, layers.Dropout | layers.Empty) and index > 0:
            # it works in place: whoever reads the layer before, however late, gets this
            index -= 1
            self.nodes[index + 1] = node
            layer = self.network.layers[index]


def to_training_module(network: Network, recipe: Recipe, outputs: Collection[int]) -> fx.GraphModule:
    """The network in training mode: (N, C, H, W) float to the tuple of what the layers `outputs` read.

    These are the layers of `losses`. Arrays are uninitialised; those of layers without a gradient require none.
    """
    writer = TrainingWriter(network, recipe)
    read = []
    for index, layer in enumerate(network.layers):
        if index in outputs:
            read.append(writer.nodes[layer.sources[0] + 1])
        writer.append(index)
    return finished(writer, tuple(read))


def finished(writer: TrainingWriter, outputs: tuple[fx.Node, ...]) -> fx.GraphModule:
    """The writer's module in training mode, with what is frozen."""
    module = writer.module(outputs).train()
    for index in range(writer.recipe.untrained):
        for path, part in writer.modules.items():
            if path.startswith(f"layers.{index}."):
                part.requires_grad_(False)
    return module
