"""eval-coco --explain as a process."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from processes import run
from refusals import error_of

from cspbench.sample import detection

PARTS = [
    *("nothing", "decoder", "channel order", "normalisation", "resize", "letterbox", "epsilon", "score threshold"),
    *("NMS threshold", "NMS kind", "NMS classes", "everything"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    detection.write(folder, 3)
    return folder


def arguments(data: Path, *more: str) -> list[str]:
    return ["eval-coco", str(data), "-m", "sample-csp-detector", "--explain", *more]


def test_each_part_has_its_lines(data: Path, tmp_path: Path) -> None:
    done = run(arguments(data, "--limit", "2", "--preset", "head", "--nms", "0.5", "--format", "csv"), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert list(dict.fromkeys(line["part"] for line in lines)) == PARTS
    assert (lines[0]["to"], lines[0]["delta"], lines[0]["images"]) == ("head", "", "2")
    assert {line["to"] for line in lines if line["part"] == "NMS threshold"} == {"0.45", "0.6", "0.65", "0.7"}
    for line in lines[1:]:
        assert float(line["delta"]) == pytest.approx(float(line["ap"]) - float(lines[0]["ap"]))
    assert not (tmp_path / "runs").exists()


def test_intervals_in_a_table(data: Path, tmp_path: Path) -> None:
    done = run(arguments(data, "--limit", "2", "--bootstrap"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# sample-csp-detector, 224×224, 2 images\n")
    for words in ("| nothing | readme |", "none is stored or judged", "In brackets the 95 % interval of the change"):
        assert words in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("| decoder | stb_image |")]
    assert len(lines) == 1
    assert re.search(r" [+-]\d+\.\d{3} \[[+-]\d+\.\d\d, [+-]\d+\.\d\d\] \|$", lines[0])


def test_unreadable_images_are_named(data: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    (damaged / "val2017").mkdir(parents=True)
    (damaged / "annotations").symlink_to(data / "annotations")
    for number, file in enumerate(sorted((data / "val2017").iterdir())):
        (damaged / "val2017" / file.name).write_bytes(file.read_bytes()[: 10**9 if number else 100])
    done = run(arguments(damaged, "--format", "json"), tmp_path)
    assert done.returncode == 4, done.stderr
    assert "could not be read and has no detections: 000000000001.jpg" in done.stderr
    (result,) = json.loads(done.stdout)
    assert (result["bad"], result["images"], result["size"]) == (["000000000001.jpg"], 3, [224, 224])
    assert (result["changes"][0]["to"], result["changes"][0]["interval"]) == ("readme", None)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--draw", "1"], "usage.explain-alone"),
        (["--per-class"], "usage.explain-alone"),
        (["--save-json", "a.json"], "usage.explain-alone"),
        (["--map", "voc11"], "usage.explain-alone"),
        (["--nms", "0.45,0.6"], "usage.one-threshold"),
        (["--bootstrap", "--engine", "pycocotools"], "usage.bootstrap-engine"),
        (["--preset", "yolox"], "usage.preset-of-other-heads"),
    ],
)
def test_mistakes_get_one_line(data: Path, tmp_path: Path, more: list[str], code: str) -> None:
    done = run(arguments(data, *more), tmp_path)
    assert (done.returncode, error_of(done)) == (2, code), done.stderr
    assert (done.stderr.count("\n"), done.stdout) == (1, "")


def test_torchrun_and_quoted_detectors_are_refused(data: Path, tmp_path: Path) -> None:
    done = run(arguments(data), tmp_path, WORLD_SIZE="2", RANK="0", LOCAL_RANK="0")
    assert (done.returncode, error_of(done)) == (2, "usage.explain-alone"), done.stderr
    (tmp_path / "a.pth").write_bytes(b"a")
    quoted = ["eval-coco", str(data), "-m", "pelee-304", "--weights", "a.pth", "--explain"]
    done = run(quoted, tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.own-protocol"), done.stderr
