"""Files as sources of images: which names are images', which bytes are read, and what a result says of them."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from pictures import GOLDFISH, TENCH, archive, fill, jpeg
from refusals import refuses

from cspbench.data import source as module
from cspbench.data import tar as tar_module
from cspbench.data.check import Report, check
from cspbench.data.imagenet import open_imagenet, scan
from cspbench.data.source import Entry, FileSource, Region, Sample, Source, is_image
from cspbench.data.tar import members


@pytest.mark.parametrize("suffix", ["jpeg", "jpg", "png", "bmp", "gif", "ppm", "tif", "tiff", "webp"])
def test_the_names_of_images(suffix: str) -> None:
    for name in (f"a.{suffix}", f"a.{suffix.upper()}", f"a.b.{suffix}", f"a b.{suffix.title()}"):
        assert is_image(name)
    for name in (f"._a.{suffix}", f".{suffix}", f"a{suffix}", f"a.{suffix}x", f"a.{suffix}.txt", suffix):
        assert not is_image(name)


def parts(folder: Path) -> FileSource:
    """A whole file of 10 bytes, and the bytes 2 to 5 of it."""
    path = fill(folder, {"all": b"0123456789"}) / "all"
    return FileSource("list", [Entry("b", TENCH), Entry("a", GOLDFISH)], [Region(str(path)), Region(str(path), 2, 4)])


@pytest.mark.parametrize(
    ("head", "tail", "whole", "part"),
    [
        (None, 0, (10, b"0123456789", b""), (4, b"2345", b"")),
        (None, 3, (10, b"0123456789", b"789"), (4, b"2345", b"345")),
        (3, 3, (10, b"012", b"789"), (4, b"234", b"345")),
        (10, 10, (10, b"0123456789", b"0123456789"), (4, b"2345", b"2345")),
        (99, 99, (10, b"0123456789", b"0123456789"), (4, b"2345", b"2345")),
        (0, 1, (10, b"", b"9"), (4, b"", b"5")),
    ],
)
def test_both_ends_of_a_file_and_of_a_part_of_one(
    tmp_path: Path, head: int | None, tail: int, whole: tuple[int, bytes, bytes], part: tuple[int, bytes, bytes]
) -> None:
    source = parts(tmp_path)
    assert [source.key(index) for index in range(len(source))] == ["a", "b"]  # by their keys
    assert source.ends(1, head, tail) == whole
    assert source.ends(0, head, tail) == part


def test_the_largest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = parts(tmp_path)
    monkeypatch.setattr(module, "FILE_LIMIT", 10)
    assert source.sample(1).data == b"0123456789"
    monkeypatch.setattr(module, "FILE_LIMIT", 9)
    with refuses("image.unreadable", where="b"):
        source.sample(1)
    assert source.sample(0).data == b"2345"
    assert source.ends(1, 3, 3) == (10, b"012", b"789")  # a look at the ends is no matter of size


@pytest.mark.parametrize(("offset", "length", "whole"), [(6, 4, True), (7, 4, False), (10, 0, True), (0, 11, False)])
def test_a_part_that_reaches_beyond_its_file(tmp_path: Path, offset: int, length: int, whole: bool) -> None:
    path = fill(tmp_path, {"all": b"0123456789"}) / "all"
    source = FileSource("tar", [Entry("a", TENCH)], [Region(str(path), offset, length)])
    if whole:
        assert source.sample(0).data == b"0123456789"[offset:]
        return
    with refuses("image.unreadable", where="a"):
        source.sample(0)


def test_the_digest_is_of_keys_and_classes() -> None:
    def digest(*entries: Entry) -> str:
        text: str = FileSource("list", entries, [Region("x")] * len(entries)).as_json()["sha256"]
        return text

    a, b = Entry("a", TENCH), Entry("b", GOLDFISH)
    base = digest(a, b)
    assert digest(b, a) == base
    assert digest(a._replace(label=7), b) == base
    others = [
        digest(a),
        digest(a._replace(key="c"), b),
        digest(a._replace(wnid=GOLDFISH), b),
        digest(a._replace(wnid=None), b),
        digest(a, b._replace(wnid=TENCH)),
        digest(a, b, b._replace(key="c")),
    ]
    assert len({base, *others}) == 7


class Two(Source):
    """The least that a source can be."""

    kind = "two"

    def __len__(self) -> int:
        return 2

    def sample(self, index: int) -> Sample:
        return Sample("key", b"", None, None)


def test_a_source_that_says_no_more_than_it_must() -> None:
    source = Two()
    assert [source.key(index) for index in (0, 1)] == ["0", "1"]
    assert (source.path(0), source.random_access) == (None, True)
    assert source.as_json() == {"kind": "two", "images": 2}


# --- archives


def test_of_two_members_of_one_name_the_later_one(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in (("a", b"1"), ("./b", b"22"), ("a", b"333"), ("./a", b"4444")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    result = members(path)
    contents = {
        name: path.read_bytes()[region.offset : region.offset + (region.length or 0)] for name, region in result.items()
    }
    assert contents == {"a": b"4444", "b": b"22"}


def long_name(path: Path) -> int:
    """A tar whose name needs an extension; the bytes of that extension."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("x" * 300 + ".jpg")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    return int(path.read_bytes()[124:135], 8)


def test_the_longest_extension_of_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.tar"
    length = long_name(path)
    monkeypatch.setattr(tar_module, "LONGEST", length)
    ((name, region),) = members(path).items()
    assert name == "x" * 300 + ".jpg"
    assert path.read_bytes()[region.offset : region.offset + (region.length or 0)] == b"abc"
    monkeypatch.setattr(tar_module, "LONGEST", length - 1)
    with refuses("imagenet.not-a-tar", where=str(path)):
        members(path)


@pytest.mark.parametrize(
    ("text", "wnid", "label"),
    [
        *((b"0", TENCH, 0), (b"1", GOLDFISH, 1), (b" 1\n", GOLDFISH, 1), (b"999", "n15075141", 999)),
        *((b"1000", None, 1000), (b"-1", None, None), (b"1.0", None, None), (b"", None, None), (b"x", None, None)),
        (b"9" * 30, None, int("9" * 20)),
    ],
)
def test_the_number_of_a_webdataset_sample(tmp_path: Path, text: bytes, wnid: str | None, label: int | None) -> None:
    path = archive(tmp_path / "val.tar", {"a.jpg": jpeg(1), "a.cls": text})
    (entry,) = scan(f"wds/{path}").entries
    assert (entry.wnid, entry.label) == (wnid, label)


@pytest.mark.parametrize(
    "inside", ["val", "validation", "ILSVRC2012_img_val", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val"]
)
def test_every_folder_that_downloads_have(tmp_path: Path, inside: str) -> None:
    fill(tmp_path, {f"{inside}/{TENCH}/a.JPEG": jpeg(1)})
    assert [entry.key for entry in scan(tmp_path).entries] == [f"{TENCH}/a.JPEG"]
    fill(tmp_path, {f"{GOLDFISH}/b.JPEG": jpeg(1)})  # classes of its own come first
    assert [entry.key for entry in scan(tmp_path).entries] == [f"{GOLDFISH}/b.JPEG"]


def test_two_images_of_one_key(tmp_path: Path) -> None:
    for name in ("a", "b", "z"):
        files = {f"1/{TENCH}/{name}.JPEG": b"1", f"2/{TENCH}/{name}.JPEG": b"2", f"1/{TENCH}/k.JPEG": b"3"}
        with refuses("imagenet.same-names", where=str(tmp_path / "t.tar"), found=f"'{TENCH}/{name}.JPEG'"):
            open_imagenet(archive(tmp_path / "t.tar", files))


# --- what a check finds


@pytest.mark.parametrize(
    ("size", "tiny"), [((32, 32), False), ((31, 32), True), ((32, 31), True), ((100, 31), True), ((33, 100), False)]
)
def test_a_tiny_image_has_a_side_below_32(tmp_path: Path, size: tuple[int, int], tiny: bool) -> None:
    report = check(scan(fill(tmp_path, {f"{TENCH}/a.JPEG": jpeg(1, size=size)})))
    assert report.tiny == ([f"{TENCH}/a.JPEG"] if tiny else [])
    assert report.usable


def whole(images: int = 50_000, classes: int = 1000, each: int = 50) -> Report:
    counts = dict.fromkeys(map(str, range(classes)), each)
    counter = Counter(counts)
    return Report(images, "folders", None, 0, images, False, counter)


@pytest.mark.parametrize(
    ("images", "classes", "each", "complete"),
    [
        (50_000, 1000, 50, True),
        (49_999, 1000, 50, False),
        (50_001, 1000, 50, False),
        (50_000, 999, 50, False),
        (50_000, 1001, 50, False),
        (50_000, 1000, 49, False),
        (50_000, 1000, 51, False),
        (0, 0, 50, False),
    ],
)
def test_the_whole_set_is_50_images_of_each_of_1000_classes(
    images: int, classes: int, each: int, complete: bool
) -> None:
    assert whole(images, classes, each).complete is complete


@pytest.mark.parametrize(("right", "there", "usable"), [(0, 0, True), (4, 4, True), (3, 4, False), (0, 1, False)])
def test_one_known_image_of_another_class_makes_a_set_unusable(right: int, there: int, usable: bool) -> None:
    report = whole()
    report.known = (right, there)
    assert (report.usable, report.mislabelled) == (usable, not usable)


@pytest.mark.parametrize("finding", ["unlabelled", "empty", "unreadable"])
def test_any_image_that_a_run_would_stumble_over_makes_a_set_unusable(finding: str) -> None:
    report = whole()
    setattr(report, finding, {"a": "b"} if finding == "unreadable" else ["a"])
    assert not report.usable


@pytest.mark.parametrize("finding", ["missing_classes", "cmyk", "grey", "tiny", "exif_rotated"])
def test_what_is_merely_odd_does_not(finding: str) -> None:
    report = whole()
    setattr(report, finding, ["a"])
    assert report.usable
