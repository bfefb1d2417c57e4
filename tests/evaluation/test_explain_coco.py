"""Each variant of a detector's protocol has the AP of an evaluation under it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from refusals import refuses

from cspbench.data.coco.source import open_coco
from cspbench.data.decode import decode
from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.compare import compare
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.explain_coco import Explained, explain_coco
from cspbench.evaluation.part import part_of
from cspbench.sample import detection

MODEL = "sample-csp-detector"
HERE = Execution(workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    detection.write(folder, 6)
    return folder


@pytest.fixture(scope="module")
def explained(data: Path) -> Explained:
    return explain_coco(MODEL, data, bootstrap=True, execution=HERE)


def evaluated(data: Path, store: Path, **about: Any) -> DetectionResult:
    result = evaluate_coco(about.pop("model", MODEL), data, store=store, execution=HERE, **about)
    assert result is not None
    return result


def line(explained: Explained, part: str, to: str) -> tuple[float, float, float]:
    (change,) = (each for each in explained.changes if (each.part, each.to) == (part, to))
    base = explained.changes[0]
    assert change is base or change.delta == pytest.approx(change.ap - base.ap)
    return change.ap, change.ap50, change.ap75


def numbers(result: DetectionResult) -> tuple[float, ...]:
    (threshold,) = result.metrics.thresholds
    return tuple(float(threshold.ap[name] or 0) for name in ("ap", "ap50", "ap75"))


@pytest.mark.parametrize(
    ("part", "to", "about"),
    [
        ("nothing", "readme", {}),
        ("decoder", "stb_image", {"decoder": "stb"}),
        ("letterbox", "centred on grey 127.5", {"preset": "letterbox", "decoder": "opencv"}),
        ("score threshold", "0.25", {"conf": 0.25}),
        ("NMS threshold", "0.6", {"nms": 0.6}),
        ("NMS kind", "greedy", {"nms_kind": "greedy"}),
        ("everything", "head", {"preset": "head"}),
        ("everything", "pjreddie", {"preset": "pjreddie"}),
    ],
)
def test_a_variant_is_an_evaluation(
    data: Path, explained: Explained, tmp_path: Path, part: str, to: str, about: dict[str, Any]
) -> None:
    expected = numbers(evaluated(data, tmp_path, **about))
    assert line(explained, part, to) == pytest.approx(expected, abs=1e-9)
    assert expected[0] > 10
    assert part == "nothing" or explained.changes[0].ap != expected[0]


def test_another_order_is_an_evaluation_of_swapped_pixels(data: Path, explained: Explained, tmp_path: Path) -> None:
    swapped = tmp_path / "swapped"
    (swapped / "val2017").mkdir(parents=True)
    (swapped / "annotations").symlink_to(data / "annotations")
    for file in (data / "val2017").iterdir():
        stored = BytesIO()
        Image.fromarray(decode(file, decoder="opencv")[..., ::-1]).save(stored, "PNG")
        (swapped / "val2017" / file.name).write_bytes(stored.getvalue())
    expected = numbers(evaluated(swapped, tmp_path / "runs"))
    assert line(explained, "channel order", "blue first") == pytest.approx(expected, abs=1e-9)


def test_boxes_of_other_classes_are_suppressed_only_across_classes(explained: Explained) -> None:
    across = line(explained, "NMS classes", "across classes")
    assert 0 < across[0] != explained.changes[0].ap


def test_the_interval_is_that_of_a_comparison(data: Path, explained: Explained, tmp_path: Path) -> None:
    for preset in ("readme", "head"):
        evaluated(data, tmp_path / preset, preset=preset)
    difference = compare(tmp_path / "readme", tmp_path / "head").differences["ap"]  # type: ignore[union-attr]
    (change,) = (each for each in explained.changes if each.to == "head")
    assert difference is not None
    assert change.delta == pytest.approx(difference.delta)
    assert change.interval == difference.interval


def test_an_unreadable_image_has_no_detections(data: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    (damaged / "val2017").mkdir(parents=True)
    (damaged / "annotations").symlink_to(data / "annotations")
    files = sorted((data / "val2017").iterdir())
    for file in files:
        (damaged / "val2017" / file.name).write_bytes(b"" if file == files[0] else file.read_bytes())
    source = part_of(open_coco(damaged), "6")
    result = explain_coco(MODEL, source, execution=HERE)
    assert result.bad == (files[0].name,)
    assert line(result, "nothing", "readme") == pytest.approx(numbers(evaluated(damaged, tmp_path / "runs")))
    assert all(change.interval is None for change in result.changes)


def test_at_most_so_many_images(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.detection.ablation.explain.MOST_IMAGES", 2)
    assert explain_coco(MODEL, data, seed=3, execution=HERE).images == 2


def test_what_cannot_be_explained(data: Path, tmp_path: Path) -> None:
    with refuses("usage.one-threshold"):
        explain_coco(MODEL, data, nms="0.45,0.6")
    with refuses("usage.preset-of-other-heads"):
        explain_coco(MODEL, data, preset="yolox")
    with refuses("usage.bootstrap-engine"):
        explain_coco(MODEL, data, engine="pycocotools", bootstrap=True)


def test_yolox_under_its_presets(shared: Path, tmp_path: Path) -> None:
    name = "yolox-nano-legacy"
    about: dict[str, Any] = {"model": name, "weights": shared / "weights" / f"{name}.safetensors"}
    coco = part_of(open_coco(shared / "data" / "coco-mini"), "2")
    result = explain_coco(name, coco, weights=about["weights"], size=(128, 128), execution=HERE)
    for preset in {"yolox", "yolox-legacy", "mmdet"} - {result.changes[0].to}:
        expected = numbers(evaluated(coco, tmp_path, preset=preset, size=(128, 128), **about))  # type: ignore[arg-type]
        assert line(result, "everything", preset) == pytest.approx(expected, abs=1e-9)
    expected = numbers(evaluated(coco, tmp_path, nms=0.45, size=(128, 128), **about))  # type: ignore[arg-type]
    assert line(result, "NMS threshold", "0.45") == pytest.approx(expected, abs=1e-9)
