"""Training in bfloat16 and half precision: loss scale, skipped iterations, float32 arrays, the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refuses
from torch import Tensor
from training_runs import Killed, chosen, files, kill_in, trained

from cspbench.network import cfg
from cspbench.training.checkpoint import State, restore
from cspbench.training.hardware import loss_scale, precision
from cspbench.training.hardware.loss_scale import FIRST, INTERVAL, LEAST, LossScale
from cspbench.training.iteration import Trainer
from cspbench.training.loop import Loop
from cspbench.training.start import start

NET = """[net]\nwidth=4\nheight=4\nchannels=3\nbatch=4\nsubdivisions=2\nlearning_rate=.1\nmax_batches=40
[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky
[convolutional]\nfilters=3\nactivation=linear\n[avgpool]\n[softmax]\n"""
HALF = torch.float16


def trainer(kind: torch.dtype, text: str = NET) -> Trainer:
    reading = cfg.parse(text, "small")
    made = Trainer(reading.network, reading.training.recipe, precision=kind)
    torch.manual_seed(2)
    start(made.module, reading.network, reading.training.recipe)
    return made


def pairs(factor: float = 1.0) -> list[tuple[Tensor, Tensor]]:
    images = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(3)) * factor
    labels = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    return [(images[:2], labels[:2]), (images[2:], labels[2:])]


@pytest.mark.parametrize("kind", [torch.bfloat16, HALF])
def test_the_loss_falls_and_arrays_stay_float32(kind: torch.dtype) -> None:
    of = trainer(kind)
    exact = trainer(torch.float32)
    losses = [of.iterate(pairs()).loss for _ in range(12)]
    wanted = [exact.iterate(pairs()).loss for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    assert losses == pytest.approx(wanted, rel=0.05)
    assert losses != wanted  # it is another arithmetic
    assert {values.dtype for values in of.module.state_dict().values()} == {torch.float32, torch.int64}  # a counter
    assert {values.dtype for values in of.optimiser.state().values()} == {torch.float32}


def test_gradients_without_the_scale_are_those_of_float32() -> None:
    half, exact = trainer(HALF), trainer(torch.float32)
    assert half.scale is not None
    for value in (2.0**8, 2.0**12):
        half.scale.state[0] = value
        for one, other in zip(*(of.mini_batch(*pairs()[0]).gradients for of in (half, exact)), strict=True):
            assert one is not None
            assert other is not None
            torch.testing.assert_close(one, other, rtol=0.02, atol=2e-3)


def test_an_iteration_that_overflows_changes_only_the_scale() -> None:
    of = trainer(HALF)
    assert of.scale is not None
    first = 2.0**10
    of.scale.state[0] = first
    assert not of.iterate(pairs()).skipped
    before = State.of(of, 0.0).tensors
    good, bad = pairs()[0], pairs(1e6)[1]  # the second mini-batch overflows, after the first was added
    update = of.iterate([good, bad])
    assert (update.skipped, update.iteration, of.seen) == (True, 2, 8)
    after = State.of(of, 0.0).tensors
    assert after["loss_scale"].tolist() == [first / 2, 0]
    for name in before.keys() - {"loss_scale"}:
        assert torch.equal(before[name], after[name]), name
    assert not of.iterate(pairs()).skipped
    assert of.scale.state.tolist() == [first / 2, 1]
    name = "module.layers.1.conv.weight"
    assert not torch.equal(State.of(of, 0.0).tensors[name], after[name])


def test_the_scale_grows_after_enough_iterations() -> None:
    tensor = torch.ones(2)
    scale = LossScale([tensor])
    for count in range(1, INTERVAL):
        scale.begin()
        assert scale.end()
        assert scale.state.tolist() == [FIRST, count]
    scale.begin()
    scale.end()
    assert scale.state.tolist() == [2 * FIRST, 0]
    scale.begin()
    tensor[1] = torch.inf
    scale.begin()  # of the second mini-batch: the values are those of before the first
    assert not scale.end()
    assert tensor.tolist() == [1, 1]
    assert scale.state.tolist() == [FIRST, 0]
    for value, exhausted in ((LEAST, False), (LEAST / 2, True)):
        scale.state[0] = value
        assert scale.exhausted == exhausted
    assert scale.unscaled([torch.tensor([LEAST]), None]) == [torch.tensor([2.0]), None]


def test_a_checkpoint_has_the_scale(tmp_path: Path) -> None:
    one, other = trainer(HALF), trainer(HALF)
    assert one.scale is not None
    assert other.scale is not None
    one.scale.state.copy_(torch.tensor([2.0**9, 17], dtype=torch.float64))
    State.of(one, 3.0).save(tmp_path / "a.safetensors")
    assert restore(tmp_path / "a.safetensors", other) == 3.0
    assert other.scale.state.tolist() == [2.0**9, 17]
    with refuses("run.checkpoint-unreadable"):
        restore(tmp_path / "a.safetensors", trainer(torch.float32))


@pytest.mark.parametrize("name", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", ["classifier", "detector"])
def test_killed_and_resumed_gives_the_same_bytes(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fp16 the first iterations overflow, so that the scale falls before and after the kill."""
    work = chosen(tmp_path, kind, "max_batches=10")
    trained(work, tmp_path / "whole", precision=name)
    with monkeypatch.context() as patch:
        kill_in(patch, lambda iteration: iteration == 5)
        with pytest.raises(Killed):
            trained(work, tmp_path / "killed", precision=name)
    record = trained(work, tmp_path / "killed", precision=name).record
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert record.precision == name
    with refuses("run.other-settings"):
        trained(work, tmp_path / "killed")


def test_skipped_iterations_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third iteration's loss is no number; the average that is printed leaves it out."""
    original = Loop._mini_batches

    def damaged(self: Loop, stream: Any, iteration: int) -> Any:
        for images, truths in original(self, stream, iteration):
            yield (images * torch.nan if iteration == 3 else images), truths

    monkeypatch.setattr(Loop, "_mini_batches", damaged)
    monkeypatch.setattr(loss_scale, "FIRST", 2.0**8)
    work = chosen(tmp_path, "classifier", "max_batches=4")
    trained(work, tmp_path / "run", precision="fp16")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line.get("skipped", False) for line in lines] == [False, False, True, False]
    assert lines[2]["loss"] is None
    assert lines[3]["loss"] > 0


def test_numbers_that_no_scale_helps(tmp_path: Path) -> None:
    work = chosen(
        tmp_path,
        "classifier",
        "learning_rate=2e9",
        "burn_in=0",
        "policy=constant",
        "max_batches=60",
        "batch=2",
        "subdivisions=1",
    )
    with refuses("incomplete.diverged"):
        trained(work, tmp_path / "run", precision="fp16", every=100)


def test_a_device_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    precision.check(cpu, torch.float32)
    precision.check(cpu, torch.bfloat16)

    def unsupported(*_: Any) -> Tensor:
        raise RuntimeError("not implemented for 'Half'\nmore")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "conv2d", unsupported)
        with refuses("usage.training-precision", found="not implemented for 'Half'"):
            precision.check(cpu, HALF)
    # torch disables autocast where it has no kernels, with a warning only
    monkeypatch.setattr(torch, "conv2d", lambda x, weight: x.float() * weight.sum())
    with refuses("usage.training-precision", found="a result in float32"):
        precision.check(cpu, HALF)
