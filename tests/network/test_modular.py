"""Networks that are torch modules: their parts and operations by hand, both counters, digests and messages."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from refusals import refuses
from torch import Tensor, nn

from cspbench.network.counter import Counter
from cspbench.network.counting import ModuleCount, count, count_module
from cspbench.network.layers import Softmax, Weight
from cspbench.network.modular import formulas
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.modular.sum import Sum
from cspbench.network.network import Network, digest
from cspbench.network.operations import Operations

BUILT: list[str] = []


class Block(nn.Module):
    """Every kind of part once, and the sum twice."""

    def __init__(self, extra: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.act = nn.SiLU()
        self.depthwise = nn.Conv2d(6, 6, 3, 1, 1, groups=3)
        self.leaky = nn.LeakyReLU(0.1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.up = nn.Upsample(scale_factor=2)
        self.sum = Sum()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 4)
        self.extra = {"unknown": nn.ReLU(), "unused": nn.Linear(2, 2)}.get(extra)
        self.outside = extra == "outside"

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn(self.conv(x)))
        x = self.sum(self.pool(self.leaky(self.depthwise(x))), x)
        x = self.sum(x, x)
        if isinstance(self.extra, nn.ReLU):
            x = self.extra(x)
        if self.outside:
            x = torch.relu(x)
        out: Tensor = self.fc(torch.flatten(self.mean(self.up(x)), 1))
        return out


@dataclass(frozen=True, kw_only=True)
class Toy:
    """The design of `Block`."""

    kind: ClassVar[str] = "toy"
    strides: ClassVar[tuple[int, ...]] = (2,)
    detects: ClassVar[bool] = False
    priors: ClassVar[tuple[tuple[float, float], ...]] = ()
    classes: int = 4
    extra: str = ""

    def module(self) -> nn.Module:
        BUILT.append(self.kind)
        return Block(self.extra)

    def with_classes(self, classes: int) -> Toy:
        return replace(self, classes=classes)


TOY = ModuleNetwork("toy", (3, 4, 8), Toy())


def test_parts_by_hand() -> None:
    """3x4x8 becomes 6x2x4, 48 values; enlarged 6x4x8, 192 values."""
    parts = {part.path: part for part in TOY.layers}
    assert list(parts) == ["conv", "bn", "act", "depthwise", "leaky", "pool", "sum", "up", "mean", "fc"]
    operations = {path: part.operations for path, part in parts.items()}
    assert operations == {
        "conv": Operations(conv=48 * 3 * 9),
        "bn": Operations(batch_norm=48),
        "act": Operations(activation=48),
        "depthwise": Operations(conv=48 * 2 * 9),
        "leaky": Operations(activation=48),
        "pool": Operations(pool_taps=48 * 25, pool_input=48),
        "sum": Operations(shortcut=2 * 48),
        "up": Operations(upsample=192),
        "mean": Operations(global_pool_input=192, global_pool_output=6),
        "fc": Operations(linear=24),
    }
    assert TOY.operations == tuple(operations.values())
    assert [TOY.shape(index) for index in (-1, 0, 7, 8, 9)] == [(3, 4, 8), (6, 2, 4), (6, 4, 8), (6, 1, 1), (4, 1, 1)]
    assert TOY.inputs(6) == [(6, 2, 4)] * 2
    assert TOY.weights(0) == (Weight("weight", (6, 3, 3, 3)),)
    assert TOY.weights(1) == tuple(Weight(role, (6,)) for role in ("scale", "bias", "mean", "variance"))
    assert parts["bn"].names == ("weight", "bias", "running_mean", "running_var")
    assert TOY.weights(9) == (Weight("weight", (4, 6)), Weight("bias", (4,)))
    assert (parts["act"].activation, parts["leaky"].activation, parts["conv"].activation) == (
        "swish",
        "leaky",
        "linear",
    )
    assert TOY.place(3) == "toy, depthwise"
    assert parts["depthwise"].describe() == "depthwise 6 3x3/1 groups=3 bias"


def test_both_counters_and_the_countings_by_hand() -> None:
    counted = count(TOY)
    assert counted.network is TOY
    conv, linear = 48 * 27 + 48 * 18, 24
    assert counted.total("mac") == conv + linear
    assert counted.total("thop-2021") == 2 * (conv + linear + 2 * 48 + 48)  # the leaky activation, not the other
    assert counted.total("conv+maxpool+shortcut") == 2 * conv + 48 * 25 + 2 * 48
    assert counted.total("thop") == conv + 48 + 192 + 6  # without the classifier
    assert counted.total("fvcore") == conv + linear + 2 * 48 + 192 + 192
    assert counted.parameters == {
        "weights": 6 * 27 + 6 * 18 + 24,
        "learnable": 6 * 27 + 12 + 6 * 18 + 6 + 28,
        "stored": 6 * 27 + 24 + 6 * 18 + 6 + 28,
    }
    with torch.device("cpu"):
        whole = count_module(Block(""), TOY.input)
    assert isinstance(whole, ModuleCount)
    assert whole.fvcore == counted.total("fvcore")
    assert whole.parameters["learnable"] == counted.parameters["learnable"]


def test_a_wrong_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = formulas.KINDS[nn.SiLU]
    monkeypatch.setitem(formulas.KINDS, nn.SiLU, replace(kind, formula=lambda *_: Operations(activation=1)))
    with refuses("count.disagree", where="toy, act, activation"):
        count(ModuleNetwork("toy", (3, 4, 8), Toy()))


@pytest.mark.parametrize(
    ("extra", "code"),
    [("unknown", "count.unknown-module"), ("unused", "count.outside-parts"), ("outside", "count.outside-modules")],
)
def test_what_no_formula_counts_is_an_error(extra: str, code: str) -> None:
    with refuses(code):
        count(ModuleNetwork("toy", (3, 4, 8), Toy(extra=extra)))


def test_an_input_whose_channels_do_not_fit() -> None:
    with refuses("network.module-shapes", where="toy"):
        _ = ModuleNetwork("toy", (4, 4, 8), Toy()).layers


@pytest.mark.parametrize("size", [(0, 2), (1, 2), (2, 3), (2**14 + 2, 2)])
def test_an_input_that_is_no_multiple_of_the_stride(size: tuple[int, int]) -> None:
    with refuses("network.input-out-of-range", where="toy"):
        TOY.resized(*size)
    assert TOY.resized(2**14, 2).input == (3, 2**14, 2)


def test_a_module_is_built_when_its_parts_are_asked_for() -> None:
    BUILT.clear()
    network = ModuleNetwork("toy", (3, 4, 8), Toy())
    assert (network.resized(6, 6).input, network.detects, network.places, digest(network)[:3]) == (
        (3, 6, 6),
        False,
        (),
        "v2:",
    )
    assert BUILT == []
    assert len(network.layers) == len(network.layers) == 10
    assert BUILT == ["toy"]


def test_digests_are_of_input_and_design() -> None:
    same = ModuleNetwork("other", (3, 4, 8), Toy(), preset="mine")
    assert digest(same) == digest(TOY)
    others: list[Architecture] = [
        TOY.resized(4, 4),
        replace(TOY, design=Toy(classes=5)),
        Network("toy", (3, 4, 8), (Softmax(sources=(-1,)),)),
    ]
    assert len({digest(TOY), *(digest(other) for other in others)}) == 4


def test_one_count_serves_every_name_of_a_design() -> None:
    counter = Counter()
    first = counter("toy", lambda: TOY, None)
    BUILT.clear()
    second = counter("other", lambda: replace(TOY, name="other"), None)
    assert second.total("thop-2021") == first.total("thop-2021")  # which reads the parts
    assert BUILT == []
    assert (second.network.name, second.operations) == ("other", first.operations)
    assert counter("toy", lambda: TOY, (2, 2)).total("mac") < first.total("mac")


def test_it_can_be_sent_to_another_process() -> None:
    _ = TOY.layers
    assert pickle.loads(pickle.dumps(TOY)) == TOY


def test_what_needs_layers_refuses_it() -> None:
    network = Network("net", (3, 4, 8), (Softmax(sources=(-1,)),))
    assert layered(network) is network
    with refuses("usage.not-of-layers"):
        layered(TOY)
