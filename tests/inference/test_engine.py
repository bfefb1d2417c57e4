"""The engine changes how fast a network runs, not what it says."""

from __future__ import annotations

import warnings

import pytest
import torch
from refusals import refuses
from torch import Tensor, nn

from cspbench.inference import engine, onednn
from cspbench.network.builder import Builder
from cspbench.network.module import to_module

ACTIVATIONS = ("leaky", "relu", "logistic", "swish", "mish", "tanh", "linear", "relie")


def network() -> torch.fx.GraphModule:
    b = Builder("net", (3, 24, 20))
    for at, activation in enumerate(ACTIVATIONS):
        skip = b.conv(
            8, 3 if at % 2 else 1, stride=2 if at == 2 else 1, groups=4 if at == 3 else 1, activation=activation
        )
    b.conv(8, 3, activation="leaky")
    b.shortcut(skip, activation="leaky")
    b.route(b.last, skip)
    b.conv(5, activation="linear", batch_normalize=False)
    module = to_module(b.network())
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if "running_var" in name else torch.randn_like(value) * 0.3)
    return module


@pytest.fixture
def batch() -> Tensor:
    return torch.rand(5, 3, 24, 20, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_engine_computes_what_the_module_computes(batch: Tensor) -> None:
    expected = network()(batch)
    (result,) = engine.prepare(network(), torch.device("cpu"))(batch)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_fusing_leaves_no_activation_behind_a_convolution() -> None:
    ready = engine.prepare(network(), torch.device("cpu"))
    assert isinstance(ready.module, nn.Module)
    kinds = [module.kind for module in ready.module.modules() if isinstance(module, onednn.FusedConvolution)]
    assert kinds == [
        "leaky_relu",
        "relu",
        "sigmoid",
        "swish",
        "none",
        "tanh",
        "none",
        "leaky_relu",
        "leaky_relu",
        "none",
    ]
    left = [type(each) for each in ready.module.modules() if isinstance(each, nn.LeakyReLU | nn.ReLU | nn.Mish)]
    assert left == [nn.Mish, nn.LeakyReLU]  # mish has no fused form, and one leaky follows the shortcut


@torch.no_grad()
def test_without_the_operator_the_module_stays_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, batch: Tensor
) -> None:
    monkeypatch.setattr(onednn, "available", lambda: False)
    with pytest.warns(RuntimeWarning, match="no fused convolution: .*slower") as caught:
        ready = engine.prepare(network(), torch.device("cpu"))
    assert len(caught) == 1
    assert isinstance(ready.module, nn.Module)
    assert not any(isinstance(module, onednn.FusedConvolution) for module in ready.module.modules())
    torch.testing.assert_close(ready(batch)[0], network()(batch), rtol=1e-4, atol=1e-5)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")  # as Python does by itself, not as pytest is set here
        for _ in range(3):
            onednn.fuse(network())
    assert len(shown) == 1


def test_memory_that_runs_out_halves_the_batch(batch: Tensor) -> None:
    seen: list[int] = []

    def greedy(x: Tensor) -> Tensor:
        seen.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x.sum((1, 2, 3))

    ready = engine.Engine(greedy, torch.device("cpu"), "fp32")
    (result,) = ready(batch)
    torch.testing.assert_close(result, batch.sum((1, 2, 3)))
    assert seen == [5, 2, 2, 1]
    ready(batch)
    assert seen[4:] == [2, 2, 1]  # remembered


def test_other_failures_are_not_hidden(batch: Tensor) -> None:
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("shapes do not fit")

    ready = engine.Engine(broken, torch.device("cpu"), "fp32")
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        ready(batch)

    def starving(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with refuses("memory.exhausted", found="out of memory") as caught:
        engine.Engine(starving, torch.device("cpu"), "fp32")(batch)
    assert caught.value.exit_code == 4


@torch.no_grad()
def test_bf16_is_near_and_full_precision_is_asked_of_gpus(batch: Tensor) -> None:
    expected = network()(batch)
    (result,) = engine.prepare(network(), torch.device("cpu"), "bf16")(batch)
    assert result.dtype == torch.float32
    assert float((result - expected).norm() / expected.norm()) < 0.05  # 8 bits of mantissa, 11 layers deep
    assert not torch.backends.cuda.matmul.allow_tf32


def test_unknown_devices_are_told() -> None:
    for name in ("abc", "cuda:99", "cpu:x", "meta"):
        with refuses("usage.device"):
            engine.choose_device(name)
    assert engine.choose_device("cpu").type == "cpu"


@pytest.mark.parametrize(
    ("name", "rank", "device"),
    [(None, None, 0), ("cuda", None, 0), (None, "1", 1), ("cuda", "3", 1), ("cuda:1", "0", 1), ("cpu", "1", None)],
)
def test_a_process_of_torchrun_has_its_own_gpu(
    name: str | None, rank: str | None, device: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whatever names no device, such as pinned memory, goes there too."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)

    def empty(*size: int, device: torch.device) -> Tensor:
        assert current == ([device] if device.type == "cuda" else [])  # nothing is allocated before
        return Tensor()

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    wanted = torch.device("cpu") if device is None else torch.device("cuda", device)
    assert engine.choose_device(name) == wanted
    assert current == [] if device is None else [wanted]
