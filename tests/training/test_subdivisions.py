"""`--subdivisions auto`: the smallest number that fits, recorded, agreed upon, and kept by a resumed run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from training_runs import SMALL, Heard, chosen, files, trained

from cspbench.evaluation.execution import SILENT
from cspbench.inference.memory import available
from cspbench.network import cfg
from cspbench.training import iteration
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.hardware import memory, subdivisions
from cspbench.training.hardware.subdivisions import candidates, divided, fits, largest, needed, settled, trial
from cspbench.training.recipes.chosen import Chosen, of_name, with_settings
from cspbench.training.run.session import train

CPU, WHOLE = torch.device("cpu"), Share(0, 1)
NORM = "[convolutional]\nbatch_normalize=1\nfilters=2\nsize=2\nstride=2\n"
NETS = {
    pooled: cfg.parse(f"[net]\nwidth=2\nheight=2\nchannels=3\n{NORM if pooled else ''}[avgpool]\n[softmax]\n", "net")
    for pooled in (False, True)
}


@given(batch=st.integers(1, 130), own=st.integers(1, 130), pooled=st.booleans())
def test_candidates(batch: int, own: int, pooled: bool) -> None:
    """As many images as the recipe has, in mini-batches no larger, nor of one before a batch norm of 1x1."""
    own = min(own, batch)
    reading = NETS[pooled]
    recipe = reading.training.recipe
    recipe = replace(recipe, net=replace(recipe.net, batch=batch, subdivisions=own))
    images = batch // own * own
    wanted = [
        number
        for number in range(own, batch + 1)
        if divided(recipe, number).net.images == images and not (pooled and batch // number == 1)
    ]
    assert candidates(reading.network, recipe) == wanted


def test_a_published_recipe() -> None:
    model = of_name("enetb0")
    assert candidates(model.network, model.recipe) == [4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60, 120]


def test_the_largest_size_of_multi_scale(tmp_path: Path) -> None:
    """64 pixels by 1.4 and 32 more, in steps of 32: round(2.8 + 1) * 32."""
    assert largest(chosen(tmp_path, "detector")[0]) == (128, 128)
    assert largest(chosen(tmp_path, "detector", "yolo.random=0")[0]) == (64, 64)


def test_the_memory_that_is_needed() -> None:
    """Two images of 3 x 8 x 8: the maps that a pass keeps, worked out by hand."""
    text = (
        "[net]\nwidth=8\nheight=8\nchannels=3\nbatch=2\nmax_batches=1\n[convolutional]\nfilters=4\nsize=1\nstride=1\n"
    )
    reading = cfg.parse(f"{text}activation=linear\n[avgpool]\n[softmax]\n", "net")
    one = Chosen(reading.network, reading.training.recipe, of_name("enetb0").era, reading.network)
    arrays = 4 * (3 * 4 + 4)
    images = 4 * 2 * 3 * 64
    # the convolution keeps its input and its weights; that mean and softmax keep less than 200 bytes
    kept = needed(one) - subdivisions.COPIES * arrays - 2 * images
    assert images * subdivisions.WORKING - 4 * 4 * 2 <= kept <= (images + 200) * subdivisions.WORKING
    doubled = replace(one, recipe=divided(replace(one.recipe, net=replace(one.recipe.net, batch=4)), 1))
    assert needed(doubled) - needed(one) >= images * (subdivisions.WORKING + 2) - 200


def test_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _ = chosen(tmp_path, "classifier")
    least = needed(work) / subdivisions.SHARE
    monkeypatch.setattr(subdivisions, "available", lambda: least + 1)
    assert fits(work, CPU, torch.float32)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert not fits(work, CPU, torch.float32)
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    monkeypatch.setattr(subdivisions, "available", lambda: least - 1)
    assert not fits(work, CPU, torch.float32)


@pytest.mark.parametrize("kind", ["classifier", "detector"])
def test_a_trial(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of the largest mini-batch, in the largest size; only memory that runs out is an answer."""
    work, _ = chosen(tmp_path, kind)
    shapes: list[tuple[int, ...]] = []
    original = iteration.Trainer.mini_batch

    def measured(self: iteration.Trainer, images: torch.Tensor, truths: torch.Tensor) -> Any:
        shapes.append(tuple(images.shape))
        return original(self, images, truths)

    monkeypatch.setattr(iteration.Trainer, "mini_batch", measured)
    assert trial(work, CPU, torch.float32)
    assert shapes == [(2, 3, *largest(work))]

    def failing(error: Exception) -> None:
        def fail(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(iteration.Trainer, "mini_batch", fail)

    for most, enough in ((900, True), (901, False)):  # a tenth of what is free must be left
        with monkeypatch.context() as patch:
            patch.setattr(memory, "free", lambda _: 1000)
            patch.setattr(memory, "peak", lambda _, most=most: most)
            patch.setattr(subdivisions, "COPIES", 2)
            assert trial(work, CPU, torch.float32) == enough
    shapes.clear()

    failing(torch.OutOfMemoryError("CUDA out of memory"))
    assert not trial(work, CPU, torch.float32)
    failing(RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        trial(work, CPU, torch.float32)


def test_the_first_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _ = chosen(tmp_path, "classifier")  # batch=8, subdivisions=4
    folder = Folder(tmp_path / "run", "net")
    tried: list[int] = []
    limit = [0]

    def small(attempt: Chosen, *_: Any) -> bool:
        tried.append(attempt.recipe.net.mini_batch)
        return tried[-1] <= limit[0]

    monkeypatch.setattr(subdivisions, "fits", small)
    for most, number, order in ((2, 4, [2]), (1, 8, [2, 1])):
        limit[0] = most
        tried.clear()
        heard = Heard()
        result = settled(work, folder, CPU, torch.float32, WHOLE, heard)
        assert (result.recipe.net.subdivisions, result.recipe.net.batch, tried) == (number, 8, order)
        assert len(heard.notes) == (number != 4)
        assert result.sources.get("subdivisions") == (subdivisions.SOURCE if number != 4 else None)
    limit[0] = 0
    with refuses("memory.exhausted"):
        settled(work, folder, CPU, torch.float32, WHOLE, SILENT)


def test_all_processes_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits here does not in another process; fewer mini-batches than processes are not tried."""
    work, _ = chosen(tmp_path, "classifier")
    work = with_settings(work, ["batch=8", "subdivisions=1"])
    answers = {2: [1, 1, 0], 1: [1, 1, 1]}  # by the images of a mini-batch, of three processes
    monkeypatch.setattr(subdivisions, "fits", lambda attempt, *_: attempt.recipe.net.mini_batch)
    monkeypatch.setattr(Share, "agreed", lambda self, value: answers.get(value, [0, 0, 0]))
    result = settled(work, Folder(tmp_path / "run", "net"), CPU, torch.float32, Share(1, 3), SILENT)
    assert result.recipe.net.subdivisions == 8
    with refuses("usage.too-many-processes"):
        settled(work, Folder(tmp_path / "run", "net"), CPU, torch.float32, Share(1, 9), SILENT)


def test_a_resumed_run_keeps_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = chosen(tmp_path, "classifier", "max_batches=4")
    monkeypatch.setattr(subdivisions, "fits", lambda attempt, *_: attempt.recipe.net.mini_batch == 1)
    done = trained(work, tmp_path / "run", fit=True)
    assert "subdivisions=8" in done.record.settings
    assert done.record.mini_batch is not None
    assert (done.record.mini_batch.images, done.record.mini_batch.recipe) == (1, 2)
    before = files(tmp_path / "run")
    monkeypatch.setattr(subdivisions, "fits", lambda *_: pytest.fail("tried again"))
    trained(work, tmp_path / "run", fit=True)
    trained((with_settings(work[0], ["subdivisions=8"]), work[1]), tmp_path / "run")
    assert files(tmp_path / "run") == before
    with refuses("run.other-settings"):
        trained(work, tmp_path / "run")


def test_what_the_machine_says_of_its_memory(tmp_path: Path) -> None:
    assert 0 < available() < 2**50
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:   1000 kB\n")
    assert available(tmp_path) == 1_024_000
    groups = tmp_path / "sys" / "fs" / "cgroup"
    (groups / "memory").mkdir(parents=True)
    for name, text in (("memory.max", "max"), ("memory.current", "5"), ("memory.stat", "inactive_file 3\n")):
        (groups / name).write_text(text)
    assert available(tmp_path) == 1_024_000  # no limit
    (groups / "memory.max").write_text("1000")
    assert available(tmp_path) == 1000 - 5 + 3
    old = {"limit_in_bytes": "700", "usage_in_bytes": "900", "stat": "cache 1\ntotal_inactive_file 250\n"}
    for name, text in old.items():
        (groups / "memory" / f"memory.{name}").write_text(text)
    assert available(tmp_path) == 50
    (tmp_path / "proc" / "meminfo").write_text("nothing")
    assert available(tmp_path) > 1_024_000  # half of this machine's


def test_a_number_of_the_command(tmp_path: Path) -> None:
    work, data = chosen(tmp_path, "classifier", "max_batches=1", "subdivisions=2")
    done = train(work, data, tmp_path / "run", SMALL)
    assert "subdivisions=2" in done.record.settings
    assert done.record.mini_batch is None
