"""fvcore's count of a module network, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from cspbench.errors import CountingError
from cspbench.network.fvcore_counter import (
    FVCORE,
    Traced,
    analyse,
    corrected,
    operations_of,
    parameters_of,
)
from cspbench.network.layers import Shape
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.modular.one_buffer import on_one_buffer
from cspbench.network.operations import NAMES


def trace_parts(network: ModuleNetwork) -> list[Traced]:
    """What torch and fvcore say of each part of a network, in the order of its `layers`.

    The module runs on no image at all (a batch of zero), as in `fvcore_counter`. Raises `CountingError` if fvcore
    counts operations elsewhere than in those parts.
    """
    with torch.device("meta"):
        module = network.design.module().eval()
    on_one_buffer(module)
    outputs = _outputs(module)
    image = (torch.empty(0, *network.input),)
    # in a thread, for a short call stack: the tracer walks it for every operation
    with ThreadPoolExecutor(1) as thread:
        by_module = thread.submit(analyse, module, image).result()
    modules = dict(module.named_modules())
    traced, inside = [], Counter[str]()
    for part in network.layers:
        leaf, counts = modules[part.path], by_module.get(part.path, Counter())
        operations = operations_of(corrected(leaf, counts))
        traced.append(Traced(_shape(outputs[part.path]), operations, counts[FVCORE], parameters_of(leaf)))
        inside += counts
    if different := [name for name in (FVCORE, *NAMES) if inside[name] != by_module[""][name]]:
        raise CountingError(
            "count.outside-modules",
            "fvcore counts operations outside the layers' modules",
            where=f"{network.name}, {different[0]}",
            expected=f"{inside[different[0]]}, the sum over the modules",
            found=str(by_module[""][different[0]]),
            remedy="This is a bug in cspbench; please report it",
        )
    return traced


def _outputs(module: nn.Module) -> dict[str, Tensor]:
    """The outputs of all modules by path, once it has run. Their shapes are read then: a tracer would record that."""
    outputs: dict[str, Tensor] = {}

    def record(path: str) -> Callable[[nn.Module, object, object], None]:
        def hook(leaf: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                outputs[path] = output

        return hook

    for path, part in module.named_modules():
        part.register_forward_hook(record(path))
    return outputs


def _shape(output: Tensor) -> Shape:
    channels, height, width = (*output.shape[1:], 1, 1)[:3]
    return channels, height, width
