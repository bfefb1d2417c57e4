"""`cspbench data check` as its users run it: as a process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import processes
import pytest
from PIL import Image
from refusals import error_of


def run(*arguments: str, dataset: str = "imagenet", **environment: str) -> processes.Done:
    """Run `cspbench data check DATASET` in a process."""
    return processes.run(["data", "check", dataset, *arguments], None, None, **environment)


def picture(path: Path, colour: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (60, 50), colour).save(stream, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The report's lines by their names."""
    return {line[:13].strip(): line[14:] for line in done.stdout.splitlines()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good images of two classes."""
    picture(tmp_path / "n01440764" / "a.JPEG", "red")
    picture(tmp_path / "n01443537" / "b.JPEG", "blue")
    return tmp_path


def test_a_usable_folder(folder: Path) -> None:
    done = run(str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    report = lines(done)
    assert report["images"] == "2 (a part of the validation set), 0 other files"
    assert report["classes"] == "2 of 1000, 1 image each"
    assert report["verdict"] == "usable (headers and ends of files; --full decodes)"
    assert report["missing"].startswith("998: n01484850, ")


def test_the_folder_of_the_environment(folder: Path) -> None:
    done = run("--full", CSPBENCH_IMAGENET=str(folder))
    assert done.returncode == 0
    assert lines(done)["verdict"] == "usable (every image decoded)"


def test_json_and_the_exit_code_of_bad_images(folder: Path) -> None:
    picture(folder / "cats" / "c.JPEG", "green")
    (folder / "n01440764" / "two\nlines.JPEG").write_bytes(b"")
    (folder / "n01440764" / "text.JPEG").write_bytes(b"no image")
    done = run(str(folder), "--json")
    assert done.returncode == 3
    facts = json.loads(done.stdout)
    assert facts["usable"] is False
    assert facts["empty"] == ["n01440764/two\nlines.JPEG"]
    assert list(facts["unreadable"]) == ["n01440764/text.JPEG"]
    assert facts["unlabelled"] == ["cats/c.JPEG"]
    done = run(str(folder))
    assert done.returncode == 3
    assert lines(done)["empty"] == "1: n01440764/two\\nlines.JPEG"
    assert lines(done)["verdict"].startswith("not usable as it is")


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Two images and an object."""
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / "val2017" / name, "red")
    data = {
        "images": [{"id": key, "file_name": f"{key}.jpg", "width": 60, "height": 50} for key in (1, 2)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(data))
    return tmp_path


def test_a_coco_folder(coco: Path) -> None:
    done = run(str(coco), dataset="coco")
    assert (done.returncode, done.stderr) == (0, "")
    report = lines(done)
    assert report["split"] == "custom"
    assert report["images"] == "2, 0 other images in the folder"
    assert report["objects"] == "1, of them 0 crowds"
    assert report["categories"].startswith("1, not COCO's 80: 79: 2: none instead of bicycle, ")
    assert report["verdict"] == "usable, by a network of these 1 categories, not of COCO's 80"
    assert run(dataset="coco", CSPBENCH_COCO=str(coco)).stdout == done.stdout


def test_a_part_of_a_coco_folder(coco: Path) -> None:
    """One of two images is read, whichever; the annotations are those of both."""
    done = run(str(coco), "--limit", "50%", "--seed", "3", "-j", "2", "--json", dataset="coco")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["images"], facts["images_read"], facts["objects"]) == (0, 2, 1, 1)
    assert facts["modes"] == {"RGB": 1}
    report = lines(run(str(coco), "--limit", "1", dataset="coco"))
    assert report["images read"] == "1 of 2, drawn at random"
    for options in (("--limit", "0"), ("-j", "few"), ("-j", "-1")):
        assert run(str(coco), *options, dataset="coco").returncode == 2


def test_a_broken_coco_folder(coco: Path) -> None:
    (coco / "val2017" / "2.jpg").unlink()
    picture(coco / "val2017" / "1.jpg", "blue")
    text = (coco / "annotations" / "instances_val2017.json").read_text()
    (coco / "annotations" / "instances_val2017.json").write_text(text.replace('"height": 50', '"height": 51'))
    done = run(str(coco), "--json", dataset="coco")
    assert done.returncode == 3
    facts = json.loads(done.stdout)
    assert (facts["usable"], facts["missing"]) == (False, ["2.jpg"])
    assert facts["other_size"] == ["1.jpg: 60x50 instead of 60x51"]
    done = run(str(coco), dataset="coco")
    assert lines(done)["missing"] == "1: 2.jpg"
    assert lines(done)["verdict"] == "not usable as it is"


def test_no_coco_folder(coco: Path) -> None:
    done = run(str(coco), "--split", "val2017", dataset="coco")
    assert (done.returncode, done.stdout) == (3, "")
    assert error_of(done) == "coco.other-split"
    assert run(str(coco), "--split", "x", dataset="coco").returncode == 2
    (coco / "annotations" / "instances_val2017.json").write_text("[" * 10_000)
    done = run(str(coco), dataset="coco")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--full",)])
def test_nothing_there(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(str(tmp_path / "missing"), *arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert error_of(done) == "imagenet.not-a-data-set"


def test_no_path_at_all() -> None:
    done = run(CSPBENCH_IMAGENET="")
    assert (done.returncode, error_of(done)) == (2, "usage.nothing-to-check")


def test_the_path_by_option_or_variable(folder: Path) -> None:
    named = lines(run(str(folder)))
    assert lines(run("--data", str(folder))) == lines(run(CSPBENCH_IMAGENET=str(folder))) == named
    facts = json.loads(run(str(folder), "--format", "json").stdout)
    assert facts == json.loads(run(str(folder), "--json").stdout)
    assert run(str(folder), "--format", "csv").stdout.startswith("name,value\n")
    done = run(str(folder), "--data", str(folder))
    assert error_of(done) == "usage.named-twice"


def test_a_flat_folder_and_its_labels(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "ILSVRC2012_val_00000001.JPEG", "red")
    done = run(str(tmp_path / "images"))
    assert done.returncode == 3
    assert "--labels" in done.stderr
    (tmp_path / "truth.txt").write_text("490\n")
    done = run(str(tmp_path / "images"), "--labels", str(tmp_path / "truth.txt"))
    assert done.returncode == 0
    assert lines(done)["classes from"] == "the label file truth.txt"


def test_the_commands_show_themselves() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--full" in done.stdout


@pytest.mark.parametrize("dataset", ["imagenet", "coco"])
def test_the_check_needs_no_torch(request: pytest.FixtureRequest, dataset: str) -> None:
    code = (
        "import sys; from cspbench.cli.app import app; app(['data', 'check', *sys.argv[1:]], standalone_mode=False); "
        "assert 'torch' not in sys.modules and 'timm' not in sys.modules"
    )
    place = request.getfixturevalue("coco" if dataset == "coco" else "folder")
    command = [sys.executable, "-c", code, dataset, str(place)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
