"""torch.compile of a network in training: the gradients of the plain module, recorded, and done without if need be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refuses
from torch import Tensor, nn
from training_runs import SMALL, Heard, chosen, files, trained

from cspbench.network import cfg
from cspbench.training.hardware import compilation
from cspbench.training.iteration import Trainer
from cspbench.training.start import start

CPU = torch.device("cpu")
NET = """[net]\nwidth=8\nheight=8\nchannels=3\nbatch=2\nlearning_rate=.1
[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=mish
[convolutional]\nfilters=3\nactivation=linear\n[avgpool]\n[softmax]\n"""


@pytest.fixture(scope="module")
def compiler() -> None:
    heard = Heard()
    if not compilation.available(CPU, heard):
        pytest.skip(heard.notes[0])


def trainer(compiled: bool) -> Trainer:
    reading = cfg.parse(NET, "small")
    made = Trainer(reading.network, reading.training.recipe, compiled=compiled)
    torch.manual_seed(2)
    start(made.module, reading.network, reading.training.recipe)
    return made


@pytest.mark.usefixtures("compiler")
@pytest.mark.filterwarnings("ignore:.*autograd.function.Function:DeprecationWarning")  # within torch itself
def test_gradients_are_those_of_the_plain_module() -> None:
    """And so is the loss of some iterations."""
    plain, compiled = trainer(False), trainer(True)
    drawn = torch.Generator().manual_seed(1)
    labels = torch.eye(3)[torch.tensor([0, 2])]
    images = torch.rand(2, 3, 8, 8, generator=drawn)
    one, other = plain.mini_batch(images, labels), compiled.mini_batch(images, labels)
    for wanted, gradient in zip(one.gradients, other.gradients, strict=True):
        assert wanted is not None
        assert gradient is not None
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    torch.testing.assert_close(other.statistics, one.statistics)
    losses = [[of.iterate([(images, labels)]).loss for _ in range(4)] for of in (plain, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[1][-1] < losses[1][0]


def test_it_is_recorded_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever writes the passes; here nothing does, and the calls are counted."""
    calls = []

    def counting(module: nn.Module, **how: Any) -> Any:
        assert how == {"dynamic": False}  # each size for itself, so that the numbers of a size depend on it alone

        def call(x: Tensor) -> Any:
            calls.append(tuple(x.shape))
            return module(x)

        return call

    monkeypatch.setattr(torch, "compile", counting)
    work = chosen(tmp_path, "detector", "max_batches=3")
    record = trained(work, tmp_path / "run", compiled=True).record
    assert record.compiled
    assert calls[1:] == [(2, 3, 128, 128)] * 6  # the first is the attempt
    again = trained(work, tmp_path / "run", compiled=True)
    assert (again.record.compiled, again.standing) == (True, None)
    with refuses("run.other-settings"):
        trained(work, tmp_path / "run")


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError("no g++\nbut much more")

    work = chosen(tmp_path, "classifier", "max_batches=2")
    trained(work, tmp_path / "plain")
    monkeypatch.setattr(torch, "compile", broken)
    heard = Heard()
    assert not compilation.available(CPU, heard)
    (note,) = heard.notes
    assert "no g++" in note
    assert "\n" not in note
    assert not trained(work, tmp_path / "run", compiled=True).record.compiled
    assert files(tmp_path / "run") == files(tmp_path / "plain")
    assert SMALL.execution.compiled is False


def test_memory_that_runs_out_is_no_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(torch.OutOfMemoryError):
        compilation.available(CPU, Heard())
