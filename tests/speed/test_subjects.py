"""Which networks are timed, and at which sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusals import refuses

from cspbench.claims import tables
from cspbench.speed.subjects import of_models, of_tables
from cspbench.zoo import registry


def test_every_row_with_a_frame_rate_is_timed_beside_those_of_its_table() -> None:
    groups = of_tables(tables.load_all())
    layered = ["coco-headline", "coco-gpu", "coco-cpu", "coco-necks", "timm"]
    yolox = ["standard", "standard-legacy", "roadmap", "yolov5", "state-of-the-art"]
    assert [group.name for group in groups] == [*layered, *(f"yolox-{name}" for name in yolox)]
    by_name = {group.name: [(each.name, each.network.input[1:]) for each in group.subjects] for group in groups}
    assert by_name["coco-cpu"][:3] == [
        ("yolov3-tiny", (416, 416)),
        ("yolov3-tiny-prn", (416, 416)),
        ("snet49-thundernet", (320, 320)),
    ]
    # one network at two sizes, though two tables claim it
    assert by_name["coco-headline"][:2] == [
        ("csresnext50-panet-spp-original-optimal", (512, 512)),
        ("csresnext50-panet-spp-original-optimal", (608, 608)),
    ]
    steps = ("yolox-darknet53-coupled", "yolox-darknet53-anchors", "yolox-darknet53-legacy", "yolox-darknet53-nms-free")
    assert by_name["yolox-roadmap"] == [(step, (640, 640)) for step in steps]
    assert by_name["yolox-standard"][0] == ("yolox-s", (640, 640))  # a latency, in milliseconds
    assert by_name["timm"] == [("timm/cspdarknet53", (256, 256))]
    assert [len(names) for names in by_name.values()] == [len(set(names)) for names in by_name.values()]


def test_a_table_without_frame_rates_is_refused() -> None:
    with refuses("usage.no-frame-rates", where="imagenet-big, coco-loss"):
        of_tables([tables.load("imagenet-big"), tables.load("coco-loss")])


def test_a_model_is_timed_at_the_sizes_of_its_claims_else_at_its_own(tmp_path: Path) -> None:
    names = ("csresnext50-panet-spp-original-optimal", "yolov3-tiny", "csresnet50")
    group = of_models([registry.model(name) for name in names], None)
    sizes = [(each.name, each.network.input[1]) for each in group.subjects]
    assert sizes == [(names[0], 512), (names[0], 608), ("yolov3-tiny", 416), ("csresnet50", 256)]
    assert [each.network.input[1:] for each in of_models([registry.model("yolov3-tiny")], (96, 128)).subjects] == [
        (96, 128)
    ]
    file = tmp_path / "yolov3-tiny.cfg"
    file.write_text(
        "[net]\nwidth=64\nheight=64\nchannels=3\n[convolutional]\nfilters=8\nsize=1\nactivation=linear\n[avgpool]\n"
    )
    (yours,) = of_models([registry.of_file(file)], None).subjects
    assert (yours.network.input[1:], yours.definition) == ((64, 64), "file")


@pytest.mark.parametrize(
    ("name", "size", "error"),
    [
        ("pelee-304", (320, 320), "usage.own-size"),
        ("csresnext50-panet-spp", (8192, 8192), "usage.too-much-memory"),
    ],
)
def test_what_cannot_be_timed_is_refused(name: str, size: tuple[int, int], error: str) -> None:
    with refuses(error):
        of_models([registry.model(name)], size)


def test_a_quoted_detector_at_its_own_size_is_not_refused() -> None:
    assert of_models([registry.model("pelee-304")], (304, 304)).subjects[0].protocol is not None
