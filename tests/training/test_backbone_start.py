"""A YOLOX that begins with a classifier's backbone, which may stay as it is at first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from refusals import refuses
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from training_runs import Heard, Killed, kill_in

import cspbench
from cspbench.evaluation.execution import Execution
from cspbench.network.modular.network import ModuleNetwork
from cspbench.retrained.record import RECORD, load
from cspbench.sample import detection
from cspbench.training.checkpoint import State
from cspbench.training.distributed import _add, _Packed, _size
from cspbench.training.modular.criterion import Cost, Summary
from cspbench.training.modular.freezing import Freezing, iterations_of
from cspbench.training.modular.learner import ModuleLearner, prepared
from cspbench.training.run import session
from cspbench.training.run.backbone import begun
from cspbench.training.run.options import Options
from cspbench.training.train import choose
from cspbench.training.yolox.optimiser import sgd
from cspbench.weights.arrays import digest
from cspbench.zoo.yolox.designs import CspClassifierDesign, YoloxDesign
from cspbench.zoo.yolox.keys import to_mmdetection

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))
SMALL = ModuleNetwork("small", (3, 64, 64), YoloxDesign(channels=8, depth=1, separable=True), "yolox")
CLASSIFIER = CspClassifierDesign(channels=8, depth=1, separable=True, classes=3)
SETTINGS = ["width=64", "height=64", "sizes=2,2", "batch=4", "subdivisions=2", "warmup=0", "closing=0", "l1=0"]
PART = "backbone.backbone."
FINAL = "small-10-classes_final.safetensors"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    detection.write(tmp_path / "coco", 8)  # two iterations an epoch
    return tmp_path / "coco"


def classifier() -> dict[str, Tensor]:
    """The state dict of a classifier whose running statistics are not those of a new one."""
    torch.manual_seed(1)
    module = CLASSIFIER.module()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return module.state_dict()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(classifier(), tmp_path / "classifier.safetensors")
    return tmp_path / "classifier.safetensors"


def trained(data: Path, run: Path, backbone: Path | None, iterations: int, *settings: str, **options: Any) -> Path:
    """The run directory, after iterations without an evaluation."""
    chosen = choose(SMALL, [*SETTINGS, *settings])
    listener = options.pop("listener", Heard())
    how = Options(backbone=backbone, iterations=iterations, execution=HERE, **options)
    session.train(chosen, data, run, how, listener)
    return run


def backbone_of(path: Path, begin: str = PART) -> dict[str, Tensor]:
    return {
        name.removeprefix(begin): array
        for name, array in load_file(path).items()
        if name.startswith(begin) and array.is_floating_point()
    }


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> set[str]:
    """Names of arrays of equal bytes; both have the same names."""
    assert one.keys() == other.keys()
    return {name for name, array in one.items() if torch.equal(array, other[name])}


def test_begin_with_a_backbone(tmp_path: Path, data: Path, file: Path) -> None:
    """At a rate of 0 nothing but statistics changes: the backbone is the file's, and the rest that of the seed."""
    run = trained(data, tmp_path / "run", file, 1, "rate_of_image=0")
    drawn = trained(data, tmp_path / "drawn", None, 1, "rate_of_image=0")
    one, other = (load_file(each / "checkpoint.safetensors") for each in (run, drawn))
    wanted = backbone_of(file, "backbone.")
    for name, array in one.items():
        if not name.startswith("module.") or "running" in name or "num_batches" in name:
            continue
        own = name.removeprefix(f"module.{PART}")
        assert torch.equal(array, other[name] if own == name else wanted[own]), name
    changed = f"module.{PART}stem.conv.conv.weight"
    assert not torch.equal(one[changed], other[changed])
    record = load(run / RECORD)
    assert record.start.arrays == f"file:{digest(file)}"
    assert record.start.layers == len([name for name in wanted if name.endswith(("conv.weight", "bn.weight"))])
    assert record.changed == [*SETTINGS, "rate_of_image=0"]
    assert load(drawn / RECORD).start.arrays is None


def test_every_form_of_the_file(tmp_path: Path, file: Path) -> None:
    """Our classifier's names and mmpretrain's, and all that `cspbench export` writes, with prefix and without."""
    state = classifier()
    renamed = {to_mmdetection(name, detects=False): array for name, array in state.items()}
    assert renamed.keys() != state.keys()
    bare = {name.removeprefix("backbone."): array for name, array in renamed.items()}
    own = {name.removeprefix("backbone."): array for name, array in state.items() if name.startswith("backbone.")}
    torch.save({"state_dict": renamed, "meta": {}}, tmp_path / "mm.pth")
    torch.save(bare, tmp_path / "bare.pth")
    torch.save({"model": {f"{PART}{name}": array for name, array in own.items()}}, tmp_path / "yolox.pth")
    save_file({f"{PART}{name}": array for name, array in own.items()}, tmp_path / "yolox.safetensors")
    save_file(own, tmp_path / "own.safetensors")
    for name in ("classifier.safetensors", "mm.pth", "bare.pth", "yolox.pth", "yolox.safetensors", "own.safetensors"):
        module = SMALL.design.module()
        begun(tmp_path / name, SMALL, Heard()).load(module)
        loaded = {key: array for key, array in module.get_submodule(PART[:-1]).state_dict().items() if array.dim()}
        assert same(loaded, {key: own[key] for key in loaded}) == set(loaded), name


def test_frozen_then_full(tmp_path: Path, data: Path, file: Path) -> None:
    """Three quarters of an epoch of two iterations are both of them; in the first one the rate is 0."""
    start = backbone_of(file, "backbone.")
    frozen = trained(data, tmp_path / "frozen", file, 2, freeze_backbone=0.75)
    state = load_file(frozen / "checkpoint.safetensors")
    for begin in (f"module.{PART}", f"average.{PART}"):
        assert same(backbone_of(frozen / "checkpoint.safetensors", begin), start) == set(start)
    assert same(backbone_of(frozen / FINAL), start) == set(start)
    velocities = {name for name in state if name.startswith("optimiser.") and state[name].any()}
    assert not [name for name in velocities if name.startswith(f"optimiser.{PART}")]
    # what is not frozen learns all the same
    assert "optimiser.backbone.C3_p4.conv1.conv.weight" in velocities
    assert not torch.equal(state["module.head.obj_preds.0.bias"], torch.tensor([-math.log(99)]))
    assert state["module.backbone.C3_p4.conv1.bn.running_mean"].any()
    thawed = trained(data, tmp_path / "thawed", file, 3, freeze_backbone=0.75)
    kept = same(backbone_of(thawed / "checkpoint.safetensors", f"module.{PART}"), start)
    assert not [name for name in kept if "running" in name or name.endswith("conv.weight")]
    whole = trained(data, tmp_path / "whole", file, 3, freeze_backbone=math.inf)
    assert same(backbone_of(whole / FINAL), start) == set(start)
    record = load(thawed / RECORD)
    assert record.settings[-1] == record.changed[-1] == "freeze_backbone=0.75"
    assert load(whole / RECORD).settings[-1] == "freeze_backbone=all"
    assert load(whole / RECORD).recipe == record.recipe


def test_killed_and_resumed(tmp_path: Path, data: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the backbone is frozen, and after: the same bytes; other backbones and epochs are other trainings."""
    whole = trained(data, tmp_path / "whole", file, 4, freeze_backbone=1, every=1)
    killed = tmp_path / "killed"
    for last in (2, 4):
        with monkeypatch.context() as patch:
            kill_in(patch, lambda iteration, last=last: iteration == last)  # type: ignore[misc]
            with pytest.raises(Killed):
                trained(data, killed, file, 4, freeze_backbone=1, every=1)
    trained(data, killed, file, 4, freeze_backbone=1, every=1)
    for name in ("checkpoint.safetensors", "log.jsonl", FINAL):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    with refuses(
        "run.other-settings",
        where=str(killed),
        expected="the settings with which it began",
        found="freeze_backbone=2 in place of freeze_backbone=1",
        remedy="Use those settings to resume it, or choose another --run; --weights "
        f"{killed / 'small-10-classes_last.safetensors'} begins from where it is",
    ):
        trained(data, killed, file, 4, freeze_backbone=2)
    other = tmp_path / "other.safetensors"
    save_file({name: array * 2 if array.is_floating_point() else array for name, array in classifier().items()}, other)
    with refuses("run.other-settings"):
        trained(data, killed, other, 4, freeze_backbone=1)


class Two(nn.Module):
    """Two convolutions with batch norms, the second of them the rest of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
        self.bn = nn.BatchNorm2d(1)
        nn.init.constant_(cast("nn.Conv2d", self.first[0]).weight, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.bn(self.first(x))
        return result


class Weighted:
    """The mean of the outputs times their labels."""

    figures = 1

    def cost(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Cost:
        loss = (raw * labels.reshape(-1, 1, 1, 1)).mean().reshape(())
        return Cost(loss, loss.detach().double().reshape(1))

    def summary(self, total: Tensor, count: int) -> Summary:
        return Summary(count, float(total) / count)


def two(iterations: float = 1, precision: torch.dtype = torch.float32) -> ModuleLearner:
    module = prepared(Two())
    return ModuleLearner(
        SMALL, module, Weighted(), sgd(module), lambda iteration: 0.1, images=4, subdivisions=2, precision=precision,
        freezing=Freezing(module, "first", iterations),
    )  # fmt: skip


PAIRS = [
    (torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1), torch.tensor([3.0, 1.0])),
    (torch.tensor([0.0, 8.0]).reshape(2, 1, 1, 1), torch.tensor([5.0, 2.0])),
]


def test_an_iteration_by_hand() -> None:
    """The frozen norm has a mean of 0 and a variance of 1: it hands 2x on, whose statistics the second one takes."""
    learner = two()
    learner.iterate(PAIRS)
    state = {name: value.item() for name, value in learner.module.state_dict().items()}
    assert [state[f"first.{name}"] for name in ("0.weight", "1.weight", "1.bias")] == [2, 1, 0]
    assert [state[f"first.1.running_{name}"] for name in ("mean", "var")] == [0, 1]
    # means 4 and 8 of 2x (the frozen norm divides by the root of 1.00001), unbiased variances 8 and 128
    assert state["bn.running_mean"] == pytest.approx(0.03 * 6, rel=1e-4)
    assert state["bn.running_var"] == pytest.approx(0.97 + 0.03 * 68, rel=1e-4)
    # the gradient of the bias is the mean label: 2 and 3.5, on average 2.75
    assert state["bn.bias"] == pytest.approx(-0.1 * 1.9 * 2.75)
    learner.iterate(PAIRS)
    thawed = {name: value.item() for name, value in learner.module.state_dict().items()}
    # a thawed norm takes the mini-batch's own statistics and hands on ±1
    assert thawed["first.1.running_mean"] == pytest.approx(0.03 * 6)
    assert thawed["first.1.running_var"] == pytest.approx(0.97 + 0.03 * 68)
    assert thawed["bn.running_mean"] == pytest.approx(0.97 * state["bn.running_mean"], rel=1e-4)
    # decay alone moves the weight that two batch norms make free of scale
    assert thawed["first.0.weight"] != 2
    assert two(0).freezing is not None


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_mini_batches_of_other_processes_give_the_same_bytes(precision: torch.dtype) -> None:
    pairs = [(images, labels / 64) for images, labels in PAIRS]
    one, other = two(2, precision), two(2, precision)
    sizes = []
    for _ in range(4):
        assert not one.iterate(pairs).skipped
        for pair in pairs:
            packed = _Packed.of(other, other.mini_batch(*pair)).values
            assert len(packed) == _size(other)
            sizes.append(len(packed))
            _add(other, packed)
        other.seen += 4
        other.update(torch.zeros(1))
    states = State.of(one, 0.0).tensors, State.of(other, 0.0).tensors
    assert {name for name in states[0] if not torch.equal(states[0][name], states[1][name])} == set()
    # a convolution and a norm's scale and bias less while they are frozen
    assert sizes == [6] * 4 + [9] * 4


def test_epochs_to_iterations() -> None:
    pairs = ((0.0, 0), (0.5, 4), (0.1, 1), (1.0, 7), (3.0, 21), (math.inf, math.inf))
    assert [iterations_of(epochs, 7) for epochs, _ in pairs] == [iterations for _, iterations in pairs]


# --- pixels


def scaled(file: Path, factor: float) -> Path:
    """The same with a first convolution for pixels of another size."""
    state = load_file(file)
    state["backbone.stem.conv.conv.weight"] *= factor
    save_file(state, file)
    return file


def test_other_pixels_are_warned_of(tmp_path: Path, data: Path, file: Path) -> None:
    heard = Heard()
    raw = tmp_path / "raw.safetensors"
    raw.write_bytes(file.read_bytes())
    trained(data, tmp_path / "own", scaled(raw, 1 / 57), 1, listener=heard)
    assert not [note for note in heard.notes if "convolution" in note]
    name = str(file)
    trained(data, tmp_path / "other", file, 1, listener=heard)
    first, command = heard.notes[[name in note and "convolution" in note for note in heard.notes].index(True) :][:2]
    assert first.startswith(f"warning: {name}: the first convolution looks like one for normalised pixels")
    assert command == (
        f"cspbench export small --weights {name} --to yolox-backbone --fold-pixels imagenet "
        f"--out {tmp_path / 'classifier-folded.safetensors'}"
    )


# --- what is refused


def test_files_that_do_not_fit(tmp_path: Path, data: Path, file: Path) -> None:
    state = load_file(file)
    lacking = {name: array for name, array in state.items() if name != "backbone.dark5.2.conv3.bn.bias"}
    more = state | {"backbone.dark6.0.weight": torch.ones(1)}
    wide = {name: array.repeat_interleave(2, 0) if array.dim() else array for name, array in state.items()}
    bare = {name.removeprefix("backbone."): array for name, array in state.items()} | {"neck.weight": torch.ones(1)}
    torch.manual_seed(0)
    detector = SMALL.design.module().state_dict()
    cases = (
        (lacking, "weights.other-tensors"),
        (more, "weights.other-tensors"),
        (bare, "weights.other-tensors"),
        (wide, "weights.other-width"),
        (detector, "weights.no-backbone"),
        ({to_mmdetection(name, detects=True): array for name, array in detector.items()}, "weights.no-backbone"),
    )
    for number, (arrays, code) in enumerate(cases):
        save_file(arrays, tmp_path / f"{number}.safetensors")
        with refuses(code):
            trained(data, tmp_path / "run", tmp_path / f"{number}.safetensors", 1)
    assert not (tmp_path / "run" / RECORD).exists()


def test_options_that_do_not_go(tmp_path: Path, data: Path, file: Path) -> None:
    with refuses("usage.not-together"):
        cspbench.train(SMALL, data, tmp_path / "run", backbone=file, weights=file)
    with refuses("usage.nothing-to-freeze"):
        cspbench.train(SMALL, data, tmp_path / "run", freeze_backbone="all")
    for wrong in (-1, math.nan):
        with refuses("usage.out-of-range", found=str(wrong)):
            cspbench.train(SMALL, data, tmp_path / "run", backbone=file, freeze_backbone=wrong)
    for model in ("sample-csp-detector", "yolox-darknet53"):
        for options in ({"backbone": file}, {"weights": file, "freeze_backbone": 1}):
            with refuses("usage.no-csp-backbone", found=model):
                cspbench.train(model, tmp_path / "nothing-is-read", tmp_path / "run", **cast("Any", options))
