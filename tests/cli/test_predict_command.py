"""predict, as a process."""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from processes import run
from refusals import error_of

from cspbench.sample import detection, one
from cspbench.sample.seeds import HELD_OUT

DETECTOR, CLASSIFIER = ["-m", "sample-csp-detector"], ["-m", "sample-csp-classifier"]
FIRST = ("crescent", 0.9967, [67.1, 21.75, 68.95, 60.54])
"""The best box on the bundled picture: class, score, place."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures with objects, and one file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        Image.fromarray(detection.draw(HELD_OUT + number)[0]).save(folder / f"{number}.png")
    (folder / "3.png").write_text("no picture")
    return folder


def test_without_arguments() -> None:
    done = run(["predict", "--format", "json"])
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["model"] == "sample-csp-detector"
    assert (document["preset"]["name"], document["preset"]["conf"], document["size"]) == ("readme", 0.25, [224, 224])
    assert document["weights"].startswith("arrays:")
    assert document["session"]["command"] == ["cspbench", "predict", "--format", "json"]
    assert document["unreadable"] == []
    (picture,) = document["predictions"]
    assert (picture["image"], picture["width"], picture["height"]) == ("000000000008.jpg", 241, 273)
    best = picture["boxes"][0]
    assert (best["name"], best["category_id"]) == ("crescent", 8)
    assert best["score"] == pytest.approx(FIRST[1], abs=1e-4)
    assert best["bbox"] == pytest.approx(FIRST[2], abs=0.05)
    scores = [box["score"] for box in picture["boxes"]]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0.25


def test_a_classifier() -> None:
    done = run(["predict", *CLASSIFIER, "--topk", "2", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["rank"], row["class"], row["label"]) for row in rows] == [
        ("1", "dotted square", "7"),
        ("2", "checked square", "6"),
    ]
    assert 0.9 < float(rows[0]["score"]) < 1


def test_bytes_of_stdin(pictures: Path) -> None:
    command = [sys.executable, "-m", "cspbench", "predict", "-", *CLASSIFIER, "--format", "json"]
    data = one.one("classification")[1]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["predictions"]
    assert (result["image"], result["top"][0]["name"]) == ("stdin", "dotted square")


def test_files(pictures: Path, tmp_path: Path) -> None:
    arguments = [
        "predict",
        str(pictures / "[0-2].png"),
        *DETECTOR,
        "--draw",
        "--save-txt",
        "--out",
        str(tmp_path / "o"),
    ]
    done = run(arguments)
    assert done.returncode == 0, done.stderr
    drawn = [f"{number}.png" for number in range(3)]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [*drawn, "labels"]
    assert sorted(path.name for path in (tmp_path / "o/labels").iterdir()) == [f"{number}.txt" for number in range(3)]
    with Image.open(tmp_path / "o/0.png") as image:
        assert max(image.size) == 640
    rows = list(csv.DictReader(io.StringIO(run([*arguments, "--force", "--format", "csv"]).stdout)))
    with Image.open(pictures / "1.png") as image:
        width, height = image.size
    expected = []
    for row in (row for row in rows if row["image"].endswith("1.png")):
        left, top, across, down = (float(row[name]) for name in ("left", "top", "width", "height"))
        numbers = (left + across / 2) / width, (top + down / 2) / height, across / width, down / height
        label = list(detection.CATEGORIES.values()).index(row["class"])
        expected += [label, *numbers, float(row["score"])]
    written = [float(word) for word in (tmp_path / "o/labels/1.txt").read_text().split()]
    assert len(written) > 3 * 6
    assert written == pytest.approx(expected, abs=1e-6)


def test_nothing_is_replaced(pictures: Path, tmp_path: Path) -> None:
    arguments = ["predict", str(pictures / "0.png"), *DETECTOR, "--out", str(tmp_path)]
    (tmp_path / "0.png").write_text("precious")
    done = run([*arguments, "--draw", "all"])
    assert (done.returncode, error_of(done)) == (2, "usage.file-exists")
    assert (tmp_path / "0.png").read_text() == "precious"
    assert run([*arguments, "--force"]).returncode == 0  # --out alone draws
    assert (tmp_path / "0.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    ("which", "names"),
    [
        (["--draw", "2"], ["0.png", "1.png"]),
        (["--draw", "image:2"], ["2.png"]),
        (["--draw=class:triangle"], ["1.png", "2.png"]),
        (["--draw", "class:ring"], []),
    ],
)
def test_which_are_drawn(pictures: Path, tmp_path: Path, which: list[str], names: list[str]) -> None:
    files = [str(pictures / f"{number}.png") for number in range(3)]
    done = run(["predict", *DETECTOR, *which, *files, "--out", str(tmp_path)])
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize(("model", "near"), [(DETECTOR, "crescent"), (CLASSIFIER, "dotted square")])
def test_a_class_that_the_model_does_not_have(pictures: Path, tmp_path: Path, model: list[str], near: str) -> None:
    done = run(["predict", *model, str(pictures / "0.png"), "--draw", f"class:{near}s", "--out", str(tmp_path)])
    assert (done.returncode, error_of(done)) == (2, "usage.draw")
    assert f"class:{near}?" in done.stderr
    assert not [*tmp_path.iterdir()]


def test_pictures_of_the_same_name(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("0.png", "a/0.PNG", "a/0-2.png"):
        (tmp_path / name).write_bytes((pictures / "0.png").read_bytes())
    files = [str(tmp_path / name) for name in ("0.png", "a/0.PNG", "a/0-2.png")]
    assert run(["predict", *files, *CLASSIFIER, "--draw", "--out", str(tmp_path / "o")]).returncode == 0
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["0-2-2.png", "0-2.png", "0.png"]


def test_cocos_format(pictures: Path) -> None:
    done = run(["predict", *DETECTOR, "--format", "coco", str(pictures / "1.png")])
    results = json.loads(done.stdout)
    assert {result["image_id"] for result in results} == {1}
    # without --conf as many as an evaluation has, which scores them all
    assert min(result["score"] for result in results) < 0.02
    few = json.loads(run(["predict", *DETECTOR, "--format", "coco", "--conf", "0.5", str(pictures / "1.png")]).stdout)
    assert few == [result for result in results if result["score"] > 0.5]
    done = run(["predict", *DETECTOR, "--format", "coco", "--conf", "1", str(pictures / "1.png")])
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_one_bad_picture_among_many(pictures: Path, tmp_path: Path) -> None:
    arguments = ["predict", str(pictures), *DETECTOR, "--format", "json", "--save-txt", "--out", str(tmp_path)]
    done = run(arguments)
    assert (done.returncode, error_of(done)) == (3, "image.some-unreadable")
    assert "3.png" in done.stderr
    document = json.loads(done.stdout)
    assert [Path(each["image"]).name for each in document["predictions"]] == ["0.png", "1.png", "2.png"]
    assert [(each["image"], each["code"]) for each in document["unreadable"]] == [
        (str(pictures / "3.png"), "image.undecodable")
    ]
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["0.txt", "1.txt", "2.txt"]
    assert run([*arguments, "--force", "--allow-bad", "1"]).returncode == 0


def test_a_picture_without_boxes(pictures: Path) -> None:
    arguments = ["predict", str(pictures / "0.png"), *DETECTOR, "--conf", "1"]
    assert f"| {pictures / '0.png'} | - | - |" in run(arguments).stdout
    assert run([*arguments, "--format", "csv"]).stdout == "image,class,score,left,top,width,height\n"


@pytest.mark.reference("weights/tiny.weights", "weights/yolov3-tiny.weights", "data/imagenet-mini")
def test_weights_say_which_model_they_are_of(shared: Path) -> None:
    """By their size, or by the .cfg beside them."""
    photo = str(shared / "data/imagenet-mini/val/n01558993/n01558993_robin.JPEG")
    done = run(["predict", photo, "--weights", str(shared / "weights/tiny.weights"), "--format", "json"])
    document = json.loads(done.stdout)
    assert document["model"] == "tiny"
    assert document["predictions"][0]["top"][0]["wnid"] == "n01558993"
    done = run(["predict", photo, "--weights", str(shared / "weights/yolov3-tiny.weights"), "--format", "json"])
    document = json.loads(done.stdout)
    assert (document["model"], document["predictions"][0]["boxes"][0]["name"]) == ("yolov3-tiny", "bird")


def test_bad_input(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.weights").write_bytes(struct.pack("<iiiq7f", 0, 2, 5, 0, *range(7)))
    one_picture = str(pictures / "0.png")
    for arguments, code, exit_code in (
        ([str(pictures / "3.png"), *DETECTOR], "image.undecodable", 3),
        ([str(tmp_path / "empty"), *DETECTOR], "usage.no-pictures", 2),
        ([str(tmp_path / "no.jpg"), *DETECTOR], "usage.no-such-picture", 2),
        ([one_picture], "usage.needs-model", 2),
        ([one_picture, "-m", "csresnext50"], "usage.no-weights", 2),
        (["-m", "yolov3-tiny", "--weights", one_picture], "usage.nothing-to-predict", 2),
        ([one_picture, "-m", "nobody"], "usage.unknown-model", 2),
        ([one_picture, "--cfg", str(tmp_path / "x.cfg")], "cfg.unreadable", 3),
        ([one_picture, "--weights", str(tmp_path / "x.weights")], "weights.unknown-model", 3),
        ([one_picture, *CLASSIFIER, "--format", "coco"], "usage.coco-of-classes", 2),
        ([one_picture, *CLASSIFIER, "--conf", "0.5"], "usage.other-kind", 2),
        ([one_picture, *DETECTOR, "--conf", "1.5"], "usage.out-of-range", 2),
        ([one_picture, *DETECTOR, "--nms", "2"], "usage.nms", 2),
        ([one_picture, *DETECTOR, "--nms", "0.4,0.5"], "usage.one-threshold", 2),
        ([one_picture, *DETECTOR, "--draw", "0"], "usage.draw", 2),
        ([one_picture, *DETECTOR, "--draw", "worst:3"], "usage.draw", 2),
        ([one_picture, *DETECTOR, "--draw", "image:7"], "usage.draw", 2),
        ([one_picture, *DETECTOR, "--preset", "timm"], "usage.unknown-preset", 2),
        ([one_picture, *DETECTOR, "--format", "latex"], "usage.option", 2),
    ):
        done = run(["predict", *arguments], tmp_path)
        assert (done.returncode, error_of(done)) == (exit_code, code), arguments
        assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "x.weights"]


def test_nothing_heavy_but_torch_is_imported(pictures: Path) -> None:
    script = (
        "import sys; from cspbench.cli import app; sys.argv[1:] = ['predict', *sys.argv[1:]]\n"
        "try:\n    app.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'timm', 'pandas', 'matplotlib', 'pycocotools', 'faster_coco_eval', 'torchvision', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, str(pictures / "0.png"), *DETECTOR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[]"
