"""Convolution and activation in one oneDNN call on the CPU: half the passes over memory, equal results."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn

_UNARY: dict[type[nn.Module], str] = {
    nn.LeakyReLU: "leaky_relu",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.SiLU: "swish",
    nn.Tanh: "tanh",
}


class FusedConvolution(nn.Module):
    """A convolution with its activation, which is applied while the result is in the cache."""

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None) -> None:
        super().__init__()
        self.geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.weight, self.bias = conv.weight, conv.bias
        self.kind = _UNARY[type(activation)] if activation is not None else "none"
        self.scalars = [activation.negative_slope] if isinstance(activation, nn.LeakyReLU) else []

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, filters, H', W')."""
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *self.geometry, self.kind, self.scalars, ""
        )
        return result


def available() -> bool:
    """Whether this torch has the fused operator."""
    return bool(torch._C._has_mkldnn) and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def fuse(module: fx.GraphModule) -> fx.GraphModule:
    """Replace every convolution, and its activation if that is its only reader, by one fused call; in place.

    The operator is torch's, as emitted by its compiler. A torch without it leaves the module unchanged, with a
    `RuntimeWarning`, which Python shows once.
    """
    if not available():
        text = f"torch {torch.__version__} has no fused convolution: forward passes are slower, their results equal"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return module
    modules: dict[str, nn.Module] = dict(module.named_modules())
    for node in list(module.graph.nodes):
        conv = modules.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(conv, nn.Conv2d) or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
            continue
        activation = _sole_activation(node, modules)
        module.add_submodule(
            f"{node.target}_fused", FusedConvolution(conv, modules[activation.target] if activation else None)
        )
        node.target = f"{node.target}_fused"
        if activation:
            activation.replace_all_uses_with(node)
            module.graph.erase_node(activation)
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _sole_activation(node: fx.Node, modules: dict[str, nn.Module]) -> Any:
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module":
        return None
    return users[0] if type(modules[str(users[0].target)]) in _UNARY else None
