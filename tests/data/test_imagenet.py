"""Every form of the validation set, and every way in which it can be broken."""

from __future__ import annotations

import errno
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pictures import ALP, GOLDFISH, SEA_SNAKE, TENCH, archive, fill, jpeg
from PIL import Image
from refusals import refuses

from cspbench.data.decode import decode
from cspbench.data.imagenet import open_imagenet, scan
from cspbench.data.labels import FILES
from cspbench.data.source import Sample, Source

VAL = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (1, 2, 3)]
SHETLAND = "n02105855"
"""The first three validation images are a sea snake, an alp and a Shetland sheepdog."""


def samples(source: Source) -> list[Sample]:
    return [source.sample(index) for index in range(len(source))]


def classes(source: Source) -> list[str | None]:
    return [sample.wnid for sample in samples(source)]


def flat(folder: Path, names: list[str] = VAL) -> dict[str, bytes]:
    files = {name: jpeg(index) for index, name in enumerate(names)}
    fill(folder, files)
    return files


def test_class_folders_in_a_fixed_order(tmp_path: Path) -> None:
    files = {f"{GOLDFISH}/b.JPEG": jpeg(1), f"{TENCH}/z.JPEG": jpeg(2), f"{TENCH}/a.png": jpeg(3)}
    source = open_imagenet(fill(tmp_path, {**files, f"{TENCH}/.hidden.jpg": b"", "notes.txt": b""}))
    expected = [f"{TENCH}/a.png", f"{TENCH}/z.JPEG", f"{GOLDFISH}/b.JPEG"]
    assert samples(source) == [Sample(key, files[key], key[:9], None) for key in expected]
    assert source.kind == "folders"
    assert pickle.loads(pickle.dumps(source)).sample(0) == source.sample(0)


@pytest.mark.parametrize("inside", ["val", "validation", "ILSVRC/Data/CLS-LOC/val"])
def test_a_folder_above_the_validation_images(tmp_path: Path, inside: str) -> None:
    fill(tmp_path, {f"{inside}/{TENCH}/a.JPEG": jpeg(1)})
    assert classes(open_imagenet(tmp_path)) == [TENCH]


@pytest.mark.reference("data/imagenet-mini", "golden/eval")
def test_the_mini_set(shared: Path) -> None:
    source = open_imagenet(shared / "data" / "imagenet-mini")
    assert len(source) == 200
    lines = (shared / "golden" / "eval" / "tiny.imagenet-mini.csv").read_text().splitlines()[1:]
    assert [(sample.key, sample.wnid) for sample in samples(source)] == [tuple(line.split(",")[:2]) for line in lines]


LABEL_FILES: dict[str, tuple[str, list[int | None]]] = {
    "ILSVRC2012_validation_ground_truth.txt": ("490\n361\n171\n", [490, 361, 171]),
    "imagenet_2012_validation_synset_labels.txt": (f"{SEA_SNAKE}\n{ALP}\n{SHETLAND}\n", [None] * 3),
    "val.txt": (f"{VAL[2]} {SHETLAND}\nval/{VAL[0]}\t{SEA_SNAKE}\n\n{VAL[1][:-5]} {ALP}\n", [None] * 3),
    "synset_labels.txt": (f"{VAL[0]} 65\n{VAL[1]} 970\n{VAL[2]} 230\n", [65, 970, 230]),
    "LOC_val_solution.csv": (
        f"ImageId,PredictionString\n{VAL[1][:-5]},{ALP} 1 2 3 4 \n{VAL[0][:-5]},{SEA_SNAKE} 85 1 499 272 \n"
        f"{VAL[2][:-5]},{SHETLAND} 1 2 3 4 {SHETLAND} 5 6 7 8 \n",
        [None] * 3,
    ),
}


@pytest.mark.parametrize("name", LABEL_FILES)
@pytest.mark.parametrize("place", ["", "..", "../ILSVRC2012_devkit_t12/data"])
def test_a_flat_folder_with_each_kind_of_labels(tmp_path: Path, name: str, place: str) -> None:
    text, numbers = LABEL_FILES[name]
    folder = tmp_path / "images"
    files = flat(folder)
    fill((folder / place).resolve(), {name: text.encode()})
    source = open_imagenet(folder)
    expected = zip(VAL, files.values(), (SEA_SNAKE, ALP, SHETLAND), numbers, strict=True)
    assert samples(source) == [Sample(*each) for each in expected]
    assert source.as_json()["labels"] == name
    assert name in FILES


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize("name", LABEL_FILES)
def test_lines_may_end_otherwise(tmp_path: Path, name: str, end: str) -> None:
    flat(tmp_path)
    fill(tmp_path, {name: LABEL_FILES[name][0].replace("\n", end).encode()})
    assert classes(open_imagenet(tmp_path)) == [SEA_SNAKE, ALP, SHETLAND]


def test_labels_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat(tmp_path / "images")
    fill(tmp_path / "elsewhere", {"mine.txt": LABEL_FILES["val.txt"][0].encode()})
    monkeypatch.setenv("HOME", str(tmp_path))
    for labels in (tmp_path / "elsewhere" / "mine.txt", "~/elsewhere/mine.txt", Path("~/elsewhere/mine.txt")):
        assert classes(open_imagenet(tmp_path / "images", labels)) == [SEA_SNAKE, ALP, SHETLAND]


def test_a_part_of_the_images_finds_its_places_by_its_numbers(tmp_path: Path) -> None:
    flat(tmp_path, VAL[1:])
    fill(tmp_path, {FILES[0]: b"490\n361\n171\n"})
    assert classes(open_imagenet(tmp_path)) == [ALP, SHETLAND]


def test_images_of_other_names_go_by_their_order(tmp_path: Path) -> None:
    flat(tmp_path, ["c.jpg", "a.jpg", "b.jpg"])
    fill(tmp_path, {FILES[0]: b"490\n361\n171\n"})
    assert [(sample.key, sample.wnid) for sample in samples(open_imagenet(tmp_path))] == [
        ("a.jpg", SEA_SNAKE),
        ("b.jpg", ALP),
        ("c.jpg", SHETLAND),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "expected", "found"),
    [
        (b"", "labels.not-a-list", None, "", "empty"),
        (b"\xff\xfe\x00binary", "labels.not-a-list", None, "", "binary"),
        (b"0\n1\n2\n", "labels.unknown-class", 1, "1 to 1000", "'0'"),
        (b"490\n1001\n3\n", "labels.unknown-class", 2, "1 to 1000", "'1001'"),
        (b"n00000000\n", "labels.unknown-class", 1, "1 to 1000", "'n00000000'"),
        (b"a.JPEG 1000\n", "labels.unknown-class", 1, "0 to 999", "'1000'"),
        (b"a.JPEG trench\n", "labels.unknown-class", 1, "0 to 999", "'trench'"),
        (f"a.JPEG {TENCH}\na.jpg {GOLDFISH}\n".encode(), "labels.two-classes", 2, "", "a"),
        (f"other.JPEG {TENCH}\n".encode(), "labels.other-images", None, "", f"3 images, the first named '{VAL[0]}'"),
    ],
)
def test_broken_labels(tmp_path: Path, text: bytes, code: str, line: int | None, expected: str, found: str) -> None:
    flat(tmp_path)
    fill(tmp_path, {"val.txt": text})
    with refuses(code, where=f"{tmp_path / 'val.txt'}" + (f", line {line}" if line else "")) as caught:
        open_imagenet(tmp_path)
    assert str(caught.value.expected or "").endswith(expected)
    assert found in str(caught.value.found)


@pytest.mark.parametrize(
    ("text", "unlabelled"), [(f"{VAL[0]} {TENCH}\n".encode(), [VAL[1], VAL[2]]), (b"490\n361\n", [VAL[2]])]
)
def test_images_without_a_label(tmp_path: Path, text: bytes, unlabelled: list[str]) -> None:
    flat(tmp_path)
    fill(tmp_path, {"val.txt": text})
    with refuses("imagenet.unknown-classes", where=str(tmp_path), found=", ".join(map(repr, unlabelled))):
        open_imagenet(tmp_path)


def test_too_large_for_a_label_file(tmp_path: Path) -> None:
    flat(tmp_path)
    with (tmp_path / "val.txt").open("wb") as stream:
        stream.truncate(1 << 30)
    with refuses("labels.not-a-list", where=str(tmp_path / "val.txt"), found="more than 16,777,216 bytes"):
        open_imagenet(tmp_path)


def test_places_without_numbers(tmp_path: Path) -> None:
    flat(tmp_path, ["a.jpg", "b.jpg"])
    fill(tmp_path, {FILES[0]: b"490\n361\n171\n"})
    with refuses("labels.no-places", where=str(tmp_path / FILES[0]), found="2 images, the first named 'a'"):
        open_imagenet(tmp_path)


def test_the_official_tar_in_place(tmp_path: Path) -> None:
    files = {name: jpeg(index) for index, name in enumerate(VAL)}
    path = archive(tmp_path / "ILSVRC2012_img_val.tar", {**dict(reversed(files.items())), "readme.txt": b"x"})
    fill(tmp_path, {FILES[0]: b"490\n361\n171\n"})
    source = open_imagenet(path)
    expected = zip(VAL, files.values(), (SEA_SNAKE, ALP, SHETLAND), (490, 361, 171), strict=True)
    assert samples(source) == [Sample(*each) for each in expected]
    assert list(tmp_path.iterdir()) != []
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, FILES[0]]


def test_keys_do_not_depend_on_where_the_images_lie(tmp_path: Path) -> None:
    long = "x" * 120 + ".JPEG"
    files = {f"{TENCH}/a.JPEG": jpeg(1), f"{GOLDFISH}/{long}": jpeg(2)}
    folder = open_imagenet(fill(tmp_path / "folder", files))
    nested = open_imagenet(archive(tmp_path / "t.tar", {f"./deep/val/{name}": data for name, data in files.items()}))
    assert samples(nested) == samples(folder)
    assert folder.as_json() == nested.as_json()
    changed = open_imagenet(fill(tmp_path / "other", {f"{TENCH}/b.JPEG": jpeg(1)}))
    assert changed.as_json()["sha256"] != folder.as_json()["sha256"]


@pytest.mark.parametrize("cut", [1, 511, 512, 1000, 1024, 1030, 2500, "last", "mark"])
def test_a_tar_that_was_cut_off(tmp_path: Path, cut: int | str) -> None:
    path = archive(tmp_path / "t.tar", {f"{TENCH}/{name}.JPEG": jpeg(name) for name in range(5)})
    last = scan(path).regions[-1]
    # At the end of the last image, padded to whole blocks, nothing but the end mark is missing.
    end = last.offset + -(-(last.length or 0) // 512) * 512
    path.write_bytes(path.read_bytes()[: {"last": end, "mark": end + 100}.get(str(cut)) or int(cut)])
    with refuses("imagenet.not-a-tar", where=str(path)):
        open_imagenet(path)


@pytest.mark.parametrize("data", [b"", b"<html>404</html>" * 100, b"\x1f\x8b\x08" + bytes(600)])
def test_what_is_not_a_tar(tmp_path: Path, data: bytes) -> None:
    fill(tmp_path, {"t.tar": data})
    with refuses("imagenet.not-a-tar", where=str(tmp_path / "t.tar")):
        open_imagenet(tmp_path / "t.tar")


def test_images_of_one_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.tar", {f"a/{TENCH}/x.JPEG": jpeg(1), f"b/{TENCH}/x.JPEG": jpeg(2)})
    with refuses("imagenet.same-names", where=str(path), found=f"'{TENCH}/x.JPEG'"):
        open_imagenet(path)


def test_webdataset_shards(tmp_path: Path) -> None:
    for shard in range(2):
        files = {}
        for index in range(3):
            files[f"s{shard}{index}.cls"] = str(shard * 3 + index).encode()
            files[f"s{shard}{index}.jpg"] = jpeg(shard * 3 + index)
            files[f"s{shard}{index}.json"] = b"{}"
        archive(tmp_path / f"val-{shard}.tar", files)
    source = open_imagenet(f"wds/{tmp_path}")
    assert len(source) == 6
    assert source.sample(4) == Sample("val-1/s11.jpg", jpeg(4), "n01494475", 4)
    assert len(open_imagenet(f"wds/{tmp_path / 'val-1.tar'}")) == 3
    archive(tmp_path / "val-2.tar", {"a.jpg": jpeg(9), "b.jpg": jpeg(8), "b.cls": b"1000"})
    with refuses("imagenet.unknown-classes", found="'val-2/a.jpg', 'val-2/b.jpg'"):
        open_imagenet(f"wds/{tmp_path}")


def test_webdataset_samples_of_one_name_in_several_folders(tmp_path: Path) -> None:
    files = {"a.1/x.jpg": jpeg(1), "a.1/x.cls": b"0", "b/x.seg.jpg": jpeg(2), "b/x.cls": b"1"}
    source = open_imagenet(f"wds/{archive(tmp_path / 'val.tar', files)}")
    assert [(sample.key, sample.wnid) for sample in samples(source)] == [
        ("val/a.1/x.jpg", TENCH),
        ("val/b/x.seg.jpg", GOLDFISH),
    ]


@pytest.mark.parametrize(
    ("files", "code", "found"),
    [
        ({}, "no-images", None),
        ({f"{TENCH}/notes.txt": b""}, "no-images", None),
        ({f"{TENCH}/a.JPEG": b"", "cats/b.JPEG": b"", "dogs/c.JPEG": b""}, "unknown-classes", "'cats', 'dogs'"),
        ({"n00000000/a.JPEG": b""}, "unknown-classes", "'n00000000'"),
        ({"0/a.JPEG": b"", "1/a.JPEG": b""}, "unknown-classes", "'0', '1'"),
        ({"a.JPEG": b"", "b.JPEG": b""}, "no-labels", "2 images, the first named 'a.JPEG'"),
    ],
)
def test_folders_that_are_not_a_data_set(tmp_path: Path, files: dict[str, bytes], code: str, found: str | None) -> None:
    with refuses(f"imagenet.{code}", where=str(tmp_path), found=found) as caught:
        open_imagenet(fill(tmp_path, files))
    assert caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with refuses("imagenet.not-a-data-set", where=str(tmp_path / "missing"), found="nothing"):
        open_imagenet(tmp_path / "missing")
    with refuses("imagenet.not-a-data-set", where=str(tmp_path / "a.zip"), found="a file of another kind"):
        open_imagenet(fill(tmp_path, {"a.zip": b"PK"}) / "a.zip")
    with refuses("imagenet.not-a-data-set", where="wds/nowhere", found="nothing"):
        open_imagenet("wds/nowhere")
    (tmp_path / "empty").mkdir()
    with refuses("imagenet.no-images", where=f"wds/{tmp_path / 'empty'}"):
        open_imagenet(f"wds/{tmp_path / 'empty'}")


def test_a_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {f"val/{TENCH}/a.JPEG": jpeg(1)})
    archive(tmp_path / "shard.tar", {"a.jpg": jpeg(1), "a.cls": b"0"})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for place in ("~/val", Path("~/val"), "wds/~/shard.tar"):
        assert classes(open_imagenet(place)) == [TENCH]


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fill(tmp_path, {f"{TENCH}/a.JPEG": jpeg(1)}))
    assert classes(open_imagenet(".")) == [TENCH]
    for place, where in (("", None), ("wds/", "wds/")):
        with refuses("imagenet.not-a-data-set", where=where) as caught:
            open_imagenet(place)
        assert "empty path" in str(caught.value)


def test_labels_are_not_for_class_folders(tmp_path: Path) -> None:
    fill(tmp_path, {f"{TENCH}/a.JPEG": b"", "val.txt": b"490\n"})
    with refuses("usage.labels-with-folders"):
        open_imagenet(tmp_path, tmp_path / "val.txt")


def test_names_of_every_kind(tmp_path: Path) -> None:
    names = ["a b.JPEG", "two\nlines.JPEG", "grün 鱼.JPEG", "-rf.JPEG", "'\"$(x).JPEG"]
    source = open_imagenet(fill(tmp_path, {f"{TENCH}/{name}": jpeg(1) for name in names}))
    assert [sample.key for sample in samples(source)] == sorted(f"{TENCH}/{name}" for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_names_that_are_not_text(tmp_path: Path) -> None:
    fill(tmp_path, {f"{TENCH}/a.JPEG": jpeg(1)})
    raw = os.path.join(os.fsencode(tmp_path), TENCH.encode(), b"\xff.JPEG")
    with open(raw, "wb") as stream:
        stream.write(jpeg(2))
    source = open_imagenet(tmp_path)
    assert [sample.key for sample in samples(source)] == [f"{TENCH}/\\xff.JPEG", f"{TENCH}/a.JPEG"]
    assert source.sample(0).data == jpeg(2)
    source.as_json()


def test_links(tmp_path: Path) -> None:
    fill(tmp_path / "store", {"a.JPEG": jpeg(1), "class/b.JPEG": jpeg(2)})
    data = tmp_path / "data"
    (data / TENCH).mkdir(parents=True)
    (data / TENCH / "a.JPEG").symlink_to(tmp_path / "store" / "a.JPEG")
    (data / TENCH / "dangling.JPEG").symlink_to(tmp_path / "nothing")
    (data / TENCH / "loop").symlink_to(data)
    (data / TENCH / "self.JPEG").symlink_to(data / TENCH / "self.JPEG")
    (data / GOLDFISH).symlink_to(tmp_path / "store" / "class")
    source = open_imagenet(data)
    assert [sample.key for sample in samples(source)] == [f"{TENCH}/a.JPEG", f"{GOLDFISH}/b.JPEG"]
    (tmp_path / "round" / "val").parent.mkdir()
    (tmp_path / "round" / "val").symlink_to(tmp_path / "round")
    with refuses("imagenet.no-images", where=str(tmp_path / "round")):
        open_imagenet(tmp_path / "round")


def test_an_image_that_went_away(tmp_path: Path) -> None:
    source = open_imagenet(fill(tmp_path, {f"{TENCH}/a.JPEG": jpeg(1)}))
    (tmp_path / TENCH / "a.JPEG").unlink()
    with refuses("image.unreadable", where=f"{TENCH}/a.JPEG", found=os.strerror(errno.ENOENT)):
        source.sample(0)


def test_scan_keeps_images_without_a_class(tmp_path: Path) -> None:
    source = scan(fill(tmp_path, {f"{TENCH}/a.JPEG": b"", "cats/b.JPEG": b"", "c.JPEG": b""}))
    assert [entry.wnid for entry in source.entries] == [None, TENCH]
    assert source.ignored == 1


class FakeReader:
    """What of timm's readers is used: records of (open file, number), or class names by number."""

    def __init__(self, count: int, names: list[str] | None = None) -> None:
        self.files = [jpeg(index) for index in range(count)]
        self.class_to_idx = {name: number for number, name in enumerate(names or [])}
        self.dist_rank, self.dist_num_replicas = 3, 4

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        import io

        return io.BytesIO(self.files[index]), index

    def filename(self, index: int, basename: bool = False, absolute: bool = False) -> str | None:
        return f"{index}.JPEG" if index else None

    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        for index, data in enumerate(self.files):
            yield Image.fromarray(decode(data)), index


@pytest.fixture
def timm_gives(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Puts a data set factory in timm's place."""

    def give(create_dataset: Callable[..., Any]) -> None:
        for name in ("timm", "timm.data", "timm.data.dataset_factory"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules["timm.data.dataset_factory"].create_dataset = create_dataset  # type: ignore[attr-defined]

    return give


def test_hfds(timm_gives: Callable[[Callable[..., Any]], None]) -> None:
    asked = []

    def create_dataset(name: str, **options: Any) -> SimpleNamespace:
        asked.append((name, options["split"]))
        return SimpleNamespace(reader=FakeReader(3))

    timm_gives(create_dataset)
    source = open_imagenet("hfds/ILSVRC/imagenet-1k", split="test")
    assert asked == [("hfds/ILSVRC/imagenet-1k", "test")]
    assert source.sample(0) == Sample("00000000", jpeg(0), TENCH, 0)
    assert source.sample(1) == Sample("00000001/1.JPEG", jpeg(1), GOLDFISH, 1)
    assert source.random_access
    # name and split tell sets of one size apart
    about = {"kind": "hfds", "images": 3, "name": "hfds/ILSVRC/imagenet-1k", "split": "test"}
    assert source.as_json() == about


def test_classes_by_name(timm_gives: Callable[[Callable[..., Any]], None]) -> None:
    timm_gives(lambda name, **options: SimpleNamespace(reader=FakeReader(2, [ALP, TENCH])))
    assert classes(open_imagenet("hfds/mini")) == [ALP, TENCH]
    timm_gives(lambda name, **options: SimpleNamespace(reader=FakeReader(2, ["cat", "dog"])))
    with refuses("imagenet.other-classes", found="class 0 of 2"):
        open_imagenet("hfds/cats").sample(0)


class FakeStream:
    """An iterable data set of timm's."""

    def __init__(self, reader: FakeReader, length: int | None = None) -> None:
        self.reader = reader
        self.length = len(reader) if length is None else length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        assert (self.reader.dist_rank, self.reader.dist_num_replicas) == (0, 1)
        return iter(self.reader)


def test_tfds(timm_gives: Callable[[Callable[..., Any]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    timm_gives(lambda name, **options: FakeStream(FakeReader(4), 5))
    source = open_imagenet("tfds/imagenet2012")
    assert not source.random_access
    for index in (0, 1, 3, 2):
        sample = source.sample(index)
        np.testing.assert_array_equal(decode(sample.data), decode(jpeg(index)))
        assert (sample.key, sample.label) == (f"{index:08d}", index)
    with refuses("imagenet.stream-ended", expected="5 images", found="4"):
        source.sample(4)
    import torch.utils.data

    monkeypatch.setattr(torch.utils.data, "get_worker_info", lambda: object())
    with refuses("usage.loader-processes"):
        source.sample(0)


def test_what_timm_needs_is_named(timm_gives: Callable[[Callable[..., Any]], None]) -> None:
    def missing(name: str, **options: Any) -> None:
        raise ModuleNotFoundError("No module named 'datasets'")

    timm_gives(missing)
    with refuses("environment.no-data-package", found="No module named 'datasets'", remedy="pip install datasets"):
        open_imagenet("hfds/x")

    def failing(name: str, **options: Any) -> None:
        raise ValueError("Unknown split\n'nope'")

    timm_gives(failing)
    where = "tfds/x, split nope"
    with refuses("imagenet.stream-unopened", where=where, found="ValueError: Unknown split 'nope'"):
        open_imagenet("tfds/x", split="nope")


def test_a_timm_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "timm.data", raising=False)
    monkeypatch.delitem(sys.modules, "timm.data.dataset_factory", raising=False)
    with refuses("environment.no-timm"):
        open_imagenet("hfds/x")


def test_classes_in_the_names_of_a_flat_folder(tmp_path: Path) -> None:
    """As the images are after Darknet's script has renamed them."""
    fill(
        tmp_path, {f"ILSVRC2012_val_0000000{place}_{wnid}.JPEG": jpeg(place) for place, wnid in enumerate((TENCH, ALP))}
    )
    assert [entry.wnid for entry in scan(tmp_path).entries] == [TENCH, ALP]
    fill(tmp_path, {"x.JPEG": jpeg(3)})
    with refuses("imagenet.no-labels", where=str(tmp_path)):
        scan(tmp_path)
