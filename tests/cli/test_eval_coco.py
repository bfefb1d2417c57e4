"""eval-coco, score and compare on detectors, as processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_commands import annotate
from processes import run
from refusals import error_of

from cspbench.network.builder import Builder
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.weights.darknet import write as write_weights

METRICS = ("ap", "ap50", "ap75", "aps", "apm", "apl")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with coco/, small.cfg and small.weights: a random detector over 300 drawn images."""
    folder = tmp_path_factory.mktemp("coco")
    annotate(folder / "coco", 300)
    b = Builder("small", (3, 32, 32))
    b.conv(8, 3, stride=4)
    b.conv(16, 3, stride=2)
    b.conv(2 * 85, activation="linear", batch_normalize=False)
    b.yolo((0, 1), ((10.0, 12.0), (18.0, 20.0)), nms_kind="greedynms")
    network = b.network()
    rng = np.random.default_rng(1)
    arrays = [
        {
            array.role: (
                rng.uniform(0.5, 1.5, array.shape) if array.role == "variance" else rng.normal(0, 1, array.shape)
            ).astype(np.float32)
            for array in network.weights(index)
        }
        for index in range(len(network.layers))
    ]
    arrays[2]["bias"].reshape(2, 85)[:, 5:] -= 8  # or each box would be of most classes, and suppressing slow
    (folder / "small.cfg").write_text(cfg_text(network))
    write_weights(folder / "small.weights", network, arrays)
    return folder


def arguments(sample: Path, *more: str) -> list[str]:
    files = ["--cfg", str(sample / "small.cfg"), "--weights", str(sample / "small.weights")]
    return ["eval-coco", str(sample / "coco"), *files, *more]


def results(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


@pytest.fixture(scope="module")
def finished(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("finished")
    done = run(arguments(sample, "--nms", "0.45,0.6", "--format", "json"), folder)
    return folder / "runs", results(done)


def test_one_pass_serves_every_threshold(sample: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    runs, both = finished
    assert [each["nms"] for each in both["thresholds"]] == [0.45, 0.6]
    assert both["thresholds"][0]["detections"] < both["thresholds"][1]["detections"]
    alone = results(run(arguments(sample, "--nms", "0.6", "--format", "json"), tmp_path))
    assert alone["thresholds"][0]["ap"] == both["thresholds"][1]["ap"]
    (path,) = runs.glob("*/")
    again = results(run(["score", str(path), "--nms", "0.6", "--format", "json"], tmp_path))
    assert again["thresholds"] == alone["thresholds"]
    assert both["thresholds"][0]["ap"]["ap"] > 0


@pytest.fixture(scope="module")
def part(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run over 40 of the images."""
    folder = tmp_path_factory.mktemp("part")
    done = run(arguments(sample, "--nms", "0.45", "--limit", "40", "--format", "json"), folder)
    (path,) = (folder / "runs").glob("*/")
    return path, results(done)


def test_flips_are_a_difference_of_ap(sample: Path, tmp_path: Path) -> None:
    done = run(arguments(sample, "--limit", "40", "--precision", "bf16", "--flips", "--format", "json"), tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    stored = [json.loads((tmp_path / path / "run.json").read_text())["identity"]["precision"] for path in found["runs"]]
    assert stored == ["fp32", "bf16"]
    predicted = [(tmp_path / path / "predictions" / "000000.npz").read_bytes() for path in found["runs"]]
    assert predicted[0] != predicted[1]
    assert run(["compare", *found["runs"], "--json"], tmp_path).stdout == done.stdout
    done = run(arguments(sample, "--nms", "0.4,0.5", "--precision", "bf16", "--flips"), tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.one-threshold")


def test_engines_agree(part: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, ours = part
    other = results(run(["score", str(path), "--nms", "0.45", "--engine", "pycocotools", "--format", "json"], tmp_path))
    assert other["thresholds"][0]["engine"] == "pycocotools"
    assert other["thresholds"][0]["ap"] == ours["thresholds"][0]["ap"]


def test_three_processes_make_the_same_bytes(
    sample: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """By torchrun itself; tests/faults starts one to three in its way, and kills them."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    more = ["--nms", "0.45,0.6", "--run-dir", "runs", "-j", "0"]
    done = run(arguments(sample, *more), tmp_path, [*launcher, "-m", "cspbench"])
    assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "runs").glob("*/predictions")
    (known,) = finished[0].glob("*/predictions")
    for shard in sorted(known.iterdir()):
        assert (made / shard.name).read_bytes() == shard.read_bytes()


def test_presets_and_overrides_are_recorded(sample: Path, tmp_path: Path) -> None:
    done = run(
        arguments(sample, "--preset", "head", "--nms-kind", "diou", "--conf", "0.2", "--format", "json"), tmp_path
    )
    result = results(done)
    assert (result["preset"], result["identity"]["preset"]["conf"]) == ("head", 0.2)
    assert (result["thresholds"][0]["nms"], result["thresholds"][0]["kind"]) == (0.6, "diou")
    record = json.loads(next((tmp_path / "runs").glob("*/run.json")).read_text())
    assert record["settings"]["nms_kind"] == "diou"


def test_intervals_classes_pictures_and_json(sample: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    more = [
        "--bootstrap",
        "--per-class",
        "--draw",
        "3",
        "--out",
        "drawn",
        "--plots",
        "plots",
        "--save-json",
        "found.json",
    ]
    done = run(arguments(sample, "--nms", "0.45,0.6", *more, "--limit", "30"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "In brackets the 95 % interval" in done.stdout
    assert "| person |" in done.stdout
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 3
    names = ("ap-by-size", "ap-over-nms", "precision-recall")
    written = {path.name for path in (tmp_path / "plots").iterdir()}
    assert written == {f"{name}.{form}" for name in names for form in ("png", "svg", "pdf")}
    for line in (
        "drew 3 images in drawn: scores from 0.25, NMS 0.45",
        "plotted in plots: precision-recall.png, ap-by-size.png, ap-over-nms.png",
    ):
        assert line in done.stderr
    result = json.loads((tmp_path / "found.json").read_text())
    assert set(result[0]) == {"image_id", "category_id", "bbox", "score"}


@pytest.mark.parametrize(
    ("more", "exit_code", "code"),
    [
        (["--nms", "1.5"], 2, "usage.nms"),
        (["--nms", "x"], 2, "usage.nms"),
        (["--conf", "2"], 2, "usage.out-of-range"),
        (["--preset", "yolov5"], 2, "usage.option"),
        (["--engine", "best"], 2, "usage.option"),
        (["--split", "train"], 2, "usage.option"),
        (["--decoder", "libjpeg"], 2, "usage.option"),
        (["--draw", "3", "drawn"], 2, "usage.option"),
        (["--split", "val2017"], 3, "coco.other-split"),
        (["--draw", "0"], 2, "usage.draw"),
        (["--draw", "class:unicorn"], 2, "usage.draw"),
        (["--data", "elsewhere"], 2, "usage.named-twice"),
        (["--engine", "pycocotools", "--bootstrap"], 2, "usage.bootstrap-engine"),
    ],
)
def test_options_that_cannot_be_used(
    sample: Path, part: tuple[Path, dict[str, Any]], tmp_path: Path, more: list[str], exit_code: int, code: str
) -> None:
    done = run(arguments(sample, "--limit", "40", "--run", str(part[0].parent), *more), tmp_path)
    assert (done.returncode, error_of(done), done.stdout) == (exit_code, code, "")
    assert "Traceback" not in done.stderr


def test_another_size_is_another_run(sample: Path, tmp_path: Path) -> None:
    result = results(run(arguments(sample, "--size", "64", "--limit", "8", "--format", "json"), tmp_path))
    assert result["identity"]["size"] == [64, 64]


def test_a_part_is_drawn_by_its_seed(sample: Path, part: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    import random

    other = results(run(arguments(sample, "--limit", "40", "--seed", "7", "--format", "json"), tmp_path))
    data = other["identity"]["data"]
    assert (data["images"], data["limit"], data["seed"]) == (300, 40, 7)
    assert part[1]["identity"]["data"]["seed"] == 0
    (path,) = (tmp_path / "runs").glob("*/predictions/000000.npz")
    with np.load(path) as arrays:
        keys = [int(Path(key).stem) for key in arrays["key"]]
    assert keys == sorted(1 + index for index in random.Random(7).sample(range(300), 40))


@pytest.mark.parametrize(
    ("which", "drawn"), [("image:7", ["000000000007"]), ("all", [f"{number:012d}" for number in range(1, 11)])]
)
def test_which_images_are_drawn(sample: Path, tmp_path: Path, which: str, drawn: list[str]) -> None:
    folder = tmp_path / "coco"
    annotate(folder, 10)
    files = ["--cfg", str(sample / "small.cfg"), "--weights", str(sample / "small.weights")]
    few = ["--conf", "0.9", "--nms", "0.1"]  # boxes to draw
    done = run(["eval-coco", "--data", str(folder), *files, *few, "--draw", which], tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.stem for path in tmp_path.glob("runs/*/pictures/*.png")) == drawn


def test_the_wrong_kind_of_network_data_or_weights(sample: Path, tmp_path: Path) -> None:
    coco, files = str(sample / "coco"), arguments(sample)[2:]
    done = run(["eval-coco", coco, "-m", "darknet53", "--weights", str(sample / "small.weights")], tmp_path)
    assert (done.returncode, done.stderr.count("\n"), error_of(done)) == (2, 1, "usage.other-task")
    done = run(["eval-imagenet", coco, *files], tmp_path)
    assert error_of(done) == "usage.other-task"
    done = run(["eval-coco", "-m", "csresnext50-panet-spp"], tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.no-data")
    done = run(["eval-coco", "--nms", "0.6"], tmp_path, CSPBENCH_COCO=coco)
    assert (done.returncode, error_of(done)) == (2, "usage.no-weights")
    done = run(["eval-coco", str(tmp_path), *files], tmp_path)
    assert (done.returncode, error_of(done)) == (3, "coco.not-a-data-set")


def test_score_repeats_what_was_asked_for(sample: Path, tmp_path: Path) -> None:
    made = results(run(arguments(sample, "--nms", "0.6", "--nms-kind", "greedy", "--format", "json"), tmp_path))
    (path,) = (tmp_path / "runs").glob("*/")
    again = results(run(["score", str(path), "--format", "json"], tmp_path))
    assert again["thresholds"] == made["thresholds"]


def test_a_cfg_called_like_a_catalogue_model_is_still_a_file(sample: Path, tmp_path: Path) -> None:
    named = tmp_path / "yolov3-tiny.cfg"
    named.write_text((sample / "small.cfg").read_text())
    files = ["--cfg", str(named), "--weights", str(sample / "small.weights"), "--limit", "8", "--format", "json"]
    result = results(run(["eval-coco", str(sample / "coco"), *files], tmp_path))
    assert (result["identity"]["size"], result["thresholds"][0]["claims"]) == ([32, 32], [])
    both = run(["eval-coco", str(sample / "coco"), *files, "-m", "yolov3-tiny"], tmp_path)
    assert (both.returncode, error_of(both)) == (2, "usage.two-networks")


def test_outputs_that_are_not_finite_are_refused(sample: Path, tmp_path: Path) -> None:
    from cspbench.network.cfg import read
    from cspbench.weights.darknet import read as read_weights

    network = read(sample / "small.cfg").network
    arrays = [
        {role: np.array(value) for role, value in layer.items()}
        for layer in read_weights(sample / "small.weights", network).arrays
    ]
    arrays[2]["weight"][:] = 3e38
    write_weights(tmp_path / "huge.weights", network, arrays)
    files = ["--cfg", str(sample / "small.cfg"), "--weights", str(tmp_path / "huge.weights")]
    done = run(["eval-coco", str(sample / "coco"), *files], tmp_path)
    assert (done.returncode, error_of(done), done.stderr.count("\n")) == (3, "network.not-finite", 1)


GOLDEN = {
    ("head",): (15.324, 32.755, 11.650, 3.861, 14.117, 26.420),
    ("readme",): (15.480, 35.100, 11.201, 3.570, 13.264, 27.121),
    ("readme", "--nms", "0.60"): (15.578, 33.893, 11.683, 3.378, 14.051, 26.943),
    ("letterbox",): (13.909, 31.481, 10.900, 4.370, 9.969, 27.403),
}


@pytest.mark.reference("data/coco-mini", "weights/yolo-fastest-1.1.weights")
@pytest.mark.parametrize("preset", list(GOLDEN))
def test_the_original_binarys_ap(shared: Path, tmp_path: Path, preset: tuple[str, ...]) -> None:
    """A really trained detector on real images: AP as from the C binary's own detections, within 0.05 points."""
    weights = shared / "weights" / "yolo-fastest-1.1.weights"
    files = ["--cfg", str(weights.with_suffix(".cfg")), "--weights", str(weights)]
    more = ["--preset", *preset, "--decoder", "stb", "--format", "json"]
    done = run(["eval-coco", str(shared / "data" / "coco-mini"), *files, *more], tmp_path)
    measured = results(done)["thresholds"][0]["ap"]
    assert [measured[name] for name in METRICS] == pytest.approx(GOLDEN[preset], abs=0.05)
