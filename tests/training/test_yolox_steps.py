"""The paper's steps with anchors and without NMS in whole tiny runs, and the recipes of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from refusals import refuses
from safetensors.torch import load_file
from torch import nn

import cspbench
from cspbench.data.augment.images import open_detector_images
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.execution import SILENT, Execution
from cspbench.network.modular.network import ModuleNetwork
from cspbench.sample import detection
from cspbench.training.modular.chosen import YoloxChosen, for_module_images
from cspbench.training.modular.module import shown_module
from cspbench.training.run.options import Options
from cspbench.training.run.yolox import YoloxProcedure
from cspbench.training.train import choose
from cspbench.zoo.yolox.csp import CspDarknet, PathAggregation
from cspbench.zoo.yolox.designs import YoloxDarknetDesign
from cspbench.zoo.yolox.heads import CoupledHead, DecoupledHead, Yolox
from cspbench.zoo.yolox.units import SWISH

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))
SETTINGS = ["width=64", "height=64", "sizes=2,2", "batch=4", "subdivisions=2", "warmup=0", "closing=0", "mosaic=0"]


@dataclass(frozen=True, kw_only=True)
class Small(YoloxDarknetDesign):
    """The heads of the steps on a small backbone."""

    def module(self) -> nn.Module:
        neck = PathAggregation(CspDarknet(SWISH, 8, 1), SWISH, 8, 1)
        if self.head == "coupled":
            return Yolox(neck, CoupledHead(SWISH, (32, 64, 128), self.classes, self.anchors, self.more))
        return Yolox(neck, DecoupledHead(SWISH, (32, 64, 128), 32, self.classes, self.anchors, self.more))


def small(design: Small) -> ModuleNetwork:
    return ModuleNetwork("small", (3, 64, 64), design, "yolox-nms-free" if design.more else "yolox-legacy")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    detection.write(tmp_path / "coco", 4)
    return tmp_path / "coco"


@pytest.mark.parametrize(
    "design", [Small(head="coupled", anchors=3), Small(more=2), Small(head="coupled", anchors=3, more=2)]
)
def test_train_and_evaluate(tmp_path: Path, data: Path, design: Small) -> None:
    """A network without NMS is evaluated without it, and the others as YOLOX's are."""
    how = [*SETTINGS, "rate_of_image=0.0001"]
    done = cspbench.train(small(design), data, tmp_path / "run", settings=how, iterations=1, execution=HERE)
    assert f"assignment={'one' if design.more else 'anchors'}" in done.record.settings
    state = load_file(tmp_path / "run" / "checkpoint.safetensors")
    assert all(bool(array.isfinite().all()) for array in state.values())
    assert isinstance(done.result, DetectionResult)
    settings = done.result.run.record.settings
    assert settings is not None
    assert (settings.name, settings.nms) == (("yolox-nms-free", 1.0) if design.more else ("yolox-legacy", 0.65))


@pytest.mark.parametrize("design", [Small(anchors=3), Small(more=2), Small(anchors=3, more=2)])
def test_the_loss_falls(data: Path, design: Small) -> None:
    """On the same four pictures."""
    images = open_detector_images(data)
    chosen = choose(small(design), [*SETTINGS, "rate_of_image=0.005", "l1=0"])
    assert isinstance(chosen, YoloxChosen)
    procedure = YoloxProcedure(for_module_images(chosen, images), images, Options(execution=HERE), SILENT)
    learner = procedure.learner(torch.device("cpu"), compiled=False)
    batches = procedure.mini_batches()
    made = [batches.make(1, part) for part in range(2)]
    costs = [learner.iterate([(batch.x, batch.y) for batch in made]).loss for _ in range(12)]
    assert costs[-1] < 0.9 * costs[0]


def chosen(name: str, *settings: str) -> YoloxChosen:
    result = choose(name, settings)
    assert isinstance(result, YoloxChosen)
    return result


@pytest.mark.parametrize(
    ("row", "model", "assignment", "weak"),
    [
        ("yolox-roadmap:yolov3-baseline", "yolox-darknet53-coupled", "anchors", True),
        ("yolox-roadmap:decoupled-head", "yolox-darknet53-anchors", "anchors", True),
        ("yolox-roadmap:strong-augmentation", "yolox-darknet53-anchors", "anchors", False),
        ("yolox-roadmap:anchor-free", "yolox-darknet53-legacy", "centre", False),
        ("yolox-roadmap:multi-positives", "yolox-darknet53-legacy", "multi", False),
        ("yolox-roadmap:simota", "yolox-darknet53-legacy", "simota", False),
        ("yolox-roadmap:nms-free", "yolox-darknet53-nms-free", "one", False),
        ("yolox-heads:vanilla-coupled", "yolox-darknet53-coupled", "anchors", True),
        ("yolox-heads:vanilla-decoupled", "yolox-darknet53-anchors", "anchors", True),
        ("yolox-heads:end-to-end-coupled", "yolox-darknet53-coupled-nms-free", "one", True),
        ("yolox-heads:end-to-end-decoupled", "yolox-darknet53-anchors-nms-free", "one", True),
    ],
)
def test_the_rows_of_the_paper(row: str, model: str, assignment: str, weak: bool) -> None:
    own = chosen(row)
    assert (own.network.name, own.recipe.assignment, own.recipe.batch) == (model, assignment, 128)
    assert (own.recipe.mosaic, own.recipe.mixup) == ((0, ()) if weak else (1, (0.8, 1.6)))
    assert own.normalised
    assert own.row is not None
    sources = {line["setting"]: line["source"] for line in shown_module(own)}
    assert sources["batch=128"] == "the paper"
    assert own.changed == ()
    reconstructed = assignment in ("anchors", "one")
    assert any("code of this step" in text for text in own.unknown) is reconstructed
    # what is set is set last, and said
    later = chosen(row, "batch=64")
    assert (later.recipe.batch, later.sources["batch"], later.changed) == (64, "--set", ("batch=64",))


def test_a_row_is_its_model_with_settings() -> None:
    """As docs/yolox.md has it."""
    assert (
        chosen("yolox-roadmap:anchor-free").digest()
        == chosen("yolox-darknet53-legacy", "batch=128", "assignment=centre").digest()
    )
    assert (
        chosen("yolox-heads:vanilla-coupled").digest()
        == chosen("yolox-darknet53-coupled", "batch=128", "mosaic=0", "mixup=none").digest()
    )


FREE = "simota or simota-r15 or simota-mmdet or multi or centre, for a network with one box at each point"


@pytest.mark.parametrize(
    ("model", "assignment", "expected"),
    [
        ("yolox-s", "anchors", FREE),
        ("yolox-darknet53", "one", FREE),
        ("yolox-darknet53-anchors", "simota", "anchors, for a network with anchors"),
        ("yolox-darknet53-coupled", "one", "anchors, for a network with anchors"),
        ("yolox-darknet53-nms-free", "simota", "one, for a network without suppression"),
        ("yolox-darknet53-anchors-nms-free", "anchors", "one, for a network without suppression"),
    ],
)
def test_assignments_that_are_not_for_a_network(model: str, assignment: str, expected: str) -> None:
    with refuses("usage.assignment", expected=expected, found=assignment, where=f"assignment={assignment}"):
        choose(model, [f"assignment={assignment}"])


def test_a_coupled_head_keeps_the_anchors() -> None:
    own = chosen("yolox-darknet53-anchors", "head=coupled")
    assert own.network.design == YoloxDarknetDesign(head="coupled", anchors=3)
    assert own.recipe.assignment == "anchors"
