"""Our timm networks are timm's own: the same arrays in the same order, the same outputs with the same values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from random_networks import fill
from torch import Tensor, nn

from cspbench.network.module import to_module
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm

NAMES = ("cspdarknet53", "cspresnet50", "cspresnext50")
Arrays = list[Tensor]


def units(module: nn.Module) -> Iterator[tuple[str, Arrays]]:
    """Every convolution or linear layer with the batch norm that follows it: name, and arrays as they are stored."""
    name, arrays = "", list[Tensor]()
    for path, each in module.named_modules():
        if isinstance(each, nn.Conv2d | nn.Linear):
            if arrays:
                yield name, arrays
            name = path
            arrays = [each.weight] if each.bias is None else [each.weight, each.bias]
        elif isinstance(each, nn.BatchNorm2d):
            assert each.running_mean is not None
            assert each.running_var is not None
            arrays += [each.weight, each.bias, each.running_mean, each.running_var]
    yield name, arrays


def as_darknet_has_them(theirs: nn.Module) -> Iterator[Arrays]:
    """The arrays of timm's CSPDarkNet-53 as the published cfg has them.

    One convolution computes both parts of a stage there, of which the first passes by, and the parts are joined the
    other way round.
    """
    for name, arrays in units(theirs):
        if name.endswith("conv_exp.conv"):
            yield from ([array.chunk(2)[part] for array in arrays] for part in (0, 1))
        elif name.endswith("conv_transition.conv"):
            passing, computed = arrays[0].chunk(2, dim=1)
            yield [torch.cat([computed, passing], dim=1), *arrays[1:]]
        else:
            yield arrays


@pytest.mark.parametrize("name", NAMES)
def test_arrays_and_outputs_are_timms(name: str) -> None:
    network = model(f"timm/{name}").build()
    theirs = import_timm().create_model(name).eval()
    fill(theirs)
    ours = to_module(network.resized(64, 64))
    mine = [arrays for _, arrays in units(ours)]
    given = list(as_darknet_has_them(theirs)) if name == "cspdarknet53" else [arrays for _, arrays in units(theirs)]
    # the classifier is a 1x1 convolution here and linear there
    assert [[each.squeeze().shape for each in arrays] for arrays in mine] == [
        [each.squeeze().shape for each in arrays] for arrays in given
    ]
    assert sum(parameter.numel() for parameter in ours.parameters()) == sum(
        each.numel() for each in theirs.parameters()
    )
    with torch.no_grad():
        for target, source in zip(mine, given, strict=True):
            for array, value in zip(target, source, strict=True):
                array.copy_(value.view_as(array))
        x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        expected = theirs(x)
        result = ours(x).flatten(1)
    assert (result - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert expected.std() > 0


@pytest.mark.parametrize("name", ["cspresnet50", "cspresnext50"])
def test_every_array_has_timms_shape_and_place(name: str) -> None:
    with torch.device("meta"):
        ours = to_module(model(f"timm/{name}").build())
        theirs = import_timm().create_model(name)
    shapes = [tuple(parameter.shape) for parameter in theirs.parameters()]
    *body, kernel, bias = [tuple(each.shape) for each in ours.parameters()]
    assert [*body, kernel[:2], bias] == shapes


def test_timm_is_imported_quietly_in_a_fresh_process() -> None:
    code = (
        "from cspbench.zoo.timm_import import import_timm\n"
        "assert import_timm() is import_timm()\n"
        "import torchvision\n"
        "print(len(import_timm().list_models('cspresne*t50')))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) >= 2


def test_another_failure_of_the_import_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise RuntimeError("operator torchvision::roi_align has another signature")

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(RuntimeError, match="another signature"):
        import_timm()
