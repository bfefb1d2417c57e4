"""What the integrity check finds in a data set with one of everything."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from pictures import GOLDFISH, TENCH, archive, fill, jpeg
from PIL import Image

from cspbench.cli.files.data_facts import imagenet_facts
from cspbench.data.check import Report, check
from cspbench.data.imagenet import scan
from cspbench.data.source import FileSource

LARGE = jpeg(0, size=(300, 200))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(3, exif=exif)


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (40, 40)).save(stream, "PNG")
    return stream.getvalue()


def gif() -> bytes:
    stream = io.BytesIO()
    Image.new("P", (40, 40)).save(stream, "GIF")
    return stream.getvalue()


EVERYTHING = {
    f"{TENCH}/good.JPEG": LARGE,
    f"{TENCH}/grey.JPEG": jpeg(1, "L"),
    f"{TENCH}/cmyk.JPEG": jpeg(2, "CMYK"),
    f"{TENCH}/tiny.JPEG": jpeg(4, size=(31, 100)),
    f"{TENCH}/turned.JPEG": turned(),
    f"{TENCH}/other.png": png(),
    f"{TENCH}/other.gif": gif(),
    f"{TENCH}/empty.JPEG": b"",
    f"{TENCH}/cut.JPEG": LARGE[:-3000],
    f"{TENCH}/text.JPEG": b"<html>not found</html>",
    f"{TENCH}/trailing.JPEG": jpeg(7) + bytes(10_000),
    f"{TENCH}/long-header.JPEG": jpeg(8, icc_profile=bytes(100_000)),
    f"{GOLDFISH}/copy.JPEG": LARGE,
    "cats/cat.JPEG": jpeg(9),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_one_of_everything(tmp_path: Path, full: bool, kind: str) -> None:
    place = fill(tmp_path, EVERYTHING) if kind == "folder" else archive(tmp_path / "t.tar", EVERYTHING)
    seen: list[str] = []
    report = check(scan(place), full=full, step=seen.append)
    assert sorted(seen) == sorted(EVERYTHING)
    assert report.images == 14
    assert report.classes == Counter({TENCH: 12, GOLDFISH: 1})
    assert len(report.missing_classes) == 998
    assert report.unlabelled == ["cats/cat.JPEG"]
    assert report.empty == [f"{TENCH}/empty.JPEG"]
    assert set(report.unreadable) == {f"{TENCH}/cut.JPEG", f"{TENCH}/text.JPEG"}
    assert "truncated" in report.unreadable[f"{TENCH}/cut.JPEG"]
    assert report.cmyk == [f"{TENCH}/cmyk.JPEG"]
    assert report.grey == [f"{TENCH}/grey.JPEG"]
    assert report.tiny == [f"{TENCH}/tiny.JPEG"]
    assert report.exif_rotated == [f"{TENCH}/turned.JPEG"]
    assert report.formats == {"JPEG": 9, "PNG": 1, "GIF": 1}
    assert not report.usable
    assert not report.complete


@pytest.mark.reference("data/imagenet-mini")
def test_a_good_part_of_the_set_is_usable(shared: Path) -> None:
    report = check(scan(shared / "data" / "imagenet-mini"))
    assert report.usable
    assert not report.complete
    facts = report.as_json()
    assert (facts["images"], facts["classes"], facts["images_per_class"]) == (200, 200, [1, 1])
    assert facts["modes"] == {"RGB": 197, "L": 3}
    assert len(facts["missing_classes"]) == 800


def test_the_whole_set_is_complete() -> None:
    classes = Counter({str(number): 50 for number in range(1000)})
    report = Report(50_000, "folders", None, 0, 50_000, False, classes)
    assert report.complete
    classes["0"] += 1
    classes["1"] -= 1
    assert not report.complete


@pytest.mark.parametrize("workers", [None, 0, 1, 3])
def test_a_part_of_the_files(tmp_path: Path, workers: int | None) -> None:
    """Names and classes are of all 14 images; the cut one is the only one that is read."""
    source = scan(fill(tmp_path, EVERYTHING))
    (cut,) = (index for index in range(len(source)) if source.key(index) == f"{TENCH}/cut.JPEG")
    seen: list[str] = []
    report = check(source, indices=[cut], workers=workers, step=seen.append)
    assert seen == [f"{TENCH}/cut.JPEG"] == list(report.unreadable)
    assert (report.images, report.images_read, report.unlabelled) == (14, 1, ["cats/cat.JPEG"])
    assert (report.formats, report.empty) == ({}, [])
    assert imagenet_facts(report)["images read"] == "1 of 14, drawn at random"


def test_files_are_queued_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.data.image_facts.AHEAD", 4)
    report = check(scan(fill(tmp_path, EVERYTHING)))
    assert report.formats == {"JPEG": 9, "PNG": 1, "GIF": 1}
    assert list(report.unreadable) == [f"{TENCH}/cut.JPEG", f"{TENCH}/text.JPEG"]


def test_an_unreadable_file_is_a_finding(tmp_path: Path) -> None:
    source = scan(fill(tmp_path, {f"{TENCH}/a.JPEG": jpeg(1), f"{TENCH}/b.JPEG": jpeg(2)}))
    (tmp_path / TENCH / "a.JPEG").unlink()
    report = check(source)
    assert report.unreadable == {f"{TENCH}/a.JPEG": "No such file or directory"}
    assert report.formats == {"JPEG": 1}


def test_only_the_ends_of_intact_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = scan(fill(tmp_path, {f"{TENCH}/{name}.JPEG": jpeg(name, size=(400, 300)) for name in range(5)}))

    def sample(self: FileSource, index: int) -> None:
        raise AssertionError("a whole file was read")

    monkeypatch.setattr(FileSource, "sample", sample)
    assert check(source).formats == {"JPEG": 5}


def test_numbers_in_another_order_are_seen_at_known_images(tmp_path: Path) -> None:
    names = [f"ILSVRC2012_val_{number:08d}" for number in (1, 2, 3, 4)]

    def listed(numbers: list[int], first: int = 0) -> Report:
        lines = "".join(f"{name}.JPEG {number - first}\n" for name, number in zip(names, numbers, strict=True))
        place = tmp_path / f"{names[0]}-{first}"
        return check(scan(fill(place, {**{f"{name}.JPEG": LARGE for name in names}, "val.txt": lines.encode()})))

    right = listed([65, 970, 230, 809])
    assert (right.known, right.numbered, right.usable) == ((4, 4), True, True)
    assert imagenet_facts(right)["class order"].startswith("right: 4 of 4 ")
    wrong = listed([490, 361, 171, 822], first=1)  # as the devkit counts, less one
    assert (wrong.known, wrong.usable) == ((0, 4), False)
    assert imagenet_facts(wrong)["class order"].startswith("wrong: only 0 of 4 ")
    names = [f"x{number}" for number in range(4)]
    unknown = listed([65, 970, 230, 809])
    assert (unknown.known, unknown.usable) == ((0, 0), True)
    assert imagenet_facts(unknown)["class order"].startswith("numbers are read as the sorted order")
