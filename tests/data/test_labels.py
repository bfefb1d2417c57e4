"""Label files at the first and the last class, place and folder; and the probe of the class order at its thresholds."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import fill
from refusals import refuses

from cspbench.data import labels as module
from cspbench.data.classes import ORDERS, SAMPLE, is_class, order, places
from cspbench.data.label_order import KNOWN, OrderProbe, advice, known_images, probe_order
from cspbench.data.labels import UNKNOWN, find, read

FIRST, LAST = "n01440764", "n15075141"
"""Of the 1000 WordNet ids in their sorted order: tench, toilet tissue."""


def write(folder: Path, text: str) -> Path:
    return fill(folder, {"labels.txt": text.encode()}) / "labels.txt"


def test_the_first_and_the_last_number(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.JPEG 0\nb.JPEG 999\n")).by_name == {"a": (FIRST, 0), "b": (LAST, 999)}
    kit = read(write(tmp_path, "1\n1000\n")).by_position
    assert kit == [(order("darknet")[0], 1), (order("darknet")[999], 1000)]


@pytest.mark.parametrize(
    "text",
    [
        *("0\n", "1001\n", "-1\n", "1.0\n", "1e2\n", "\u0661\n", "+1\n", "9" * 19 + "\n", "9" * 20 + "\n", "0x1\n"),
        *("a 1000\n", "a -1\n", "a 1.0\n", "a n0144076\n", "a n014407641\n", "a N01440764\n", "a n00000000\n"),
    ],
)
def test_no_other_number_or_id(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"{text[:2]}{FIRST}\n{text}" if text.startswith("a ") else f"5\n{text}")
    value = text.strip().removeprefix("a ")
    with refuses("labels.unknown-class", where=f"{path}, line 2", found=repr(value)):
        read(path)


def test_a_name_may_be_repeated_with_its_class_only(tmp_path: Path) -> None:
    assert read(write(tmp_path, f"a.JPEG {FIRST}\nval/a.png {FIRST}\n")).by_name == {"a": (FIRST, None)}
    for text, code in (
        (f"a.JPEG {FIRST}\na.JPEG {LAST}\n", "two-classes"),
        (f"a {FIRST}\na 0\n", "two-classes"),
        (f"a {FIRST}\n {FIRST}\n", "no-image-name"),
    ):
        with refuses(f"labels.{code}", where=f"{tmp_path / 'labels.txt'}, line 2"):
            read(write(tmp_path, text))


def test_a_name_may_hold_blanks(tmp_path: Path) -> None:
    assert read(write(tmp_path, f"a b.JPEG\t{FIRST}\n")).by_name == {"a b": (FIRST, None)}


def test_places_by_serial_numbers(tmp_path: Path) -> None:
    labels = read(write(tmp_path, "1\n2\n3\n"))
    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (3, 1, 0, 4, 2)]
    darknet = order("darknet")
    assert labels.of(names) == [(darknet[2], 3), (darknet[0], 1), UNKNOWN, UNKNOWN, (darknet[1], 2)]
    assert labels.of(names[:1]) == [(darknet[2], 3)]
    # one name without a number, and as many images as places: the order of the names decides
    assert labels.of(["b.JPEG", names[0], "a.JPEG"]) == [(darknet[2], 3), (darknet[0], 1), (darknet[1], 2)]
    for few in (["b.JPEG", names[0]], ["a", "b", "c", "d"], ["ILSVRC2012_val_0000001.JPEG", names[0]]):
        with refuses("labels.no-places", found=f"{len(few)} images, the first named {Path(min(few)).stem!r}"):
            labels.of(few)


def test_names_that_a_list_does_not_have(tmp_path: Path) -> None:
    labels = read(write(tmp_path, f"a.JPEG {FIRST}\n"))
    assert labels.of(["val/a.png", "A.JPEG", "b"]) == [(FIRST, None), UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(("above", "found"), [(0, True), (1, True), (4, True), (5, False)])
def test_how_far_above_a_label_file_may_lie(tmp_path: Path, above: int, found: bool) -> None:
    folder = tmp_path / "labels" / "1" / "2" / "3" / "4" / "5"
    folder.mkdir(parents=True)
    at = folder if above == 0 else folder.parents[above - 1]
    fill(at, {"val.txt": b"x"})
    assert find(folder) == (at / "val.txt" if found else None)


@pytest.mark.parametrize("inside", ["", "data", "meta", "devkit/data", "ILSVRC2012_devkit_t12/data"])
@pytest.mark.parametrize(
    "name",
    [
        "ILSVRC2012_validation_ground_truth.txt",
        "LOC_val_solution.csv",
        "imagenet_2012_validation_synset_labels.txt",
        "synset_labels.txt",
        "val.txt",
    ],
)
def test_every_name_in_every_folder(tmp_path: Path, inside: str, name: str) -> None:
    images = tmp_path / "images"
    images.mkdir()
    fill(tmp_path / inside, {name: b"x"})
    assert find(images) == tmp_path / inside / name
    (images / "val.txt").mkdir()  # a folder is not a file
    assert find(images) == tmp_path / inside / name
    fill(images, {"synset_labels.txt": b"x"})  # the nearest wins
    assert find(images) == images / "synset_labels.txt"


def test_the_largest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, f"a {FIRST}\n")
    monkeypatch.setattr(module, "SIZE_LIMIT", path.stat().st_size)
    assert read(path).by_name
    monkeypatch.setattr(module, "SIZE_LIMIT", path.stat().st_size - 1)
    with refuses("labels.not-a-list", found=f"more than {path.stat().st_size - 1} bytes"):
        read(path)


# --- tables and names


@pytest.mark.parametrize(
    "text",
    [
        f"ImageId,Class\na.JPEG,{FIRST}\nb.JPEG,999\n",
        f"image_id;x;Label\na;?;{FIRST}\nb;?;toilet tissue\n",
        f'"filename","class"\n"val/a.jpg","{FIRST}"\n"val/b.jpg","Toilet Tissue"\n',
        f"Class,Image\n{FIRST},a\n999,b\n",
        f"path\tsynset\tclass\na.jpg\t{FIRST}\t5\nb.jpg\t{LAST}\t6\n",
        f"id,breed\r\n\r\na,{FIRST}\r\nb,toilet_tissue\r\n",
        f"a.JPEG,{FIRST}\nb.JPEG,999\n",
        f"0,a.jpg\n{LAST},b.jpg\n",
    ],
)
def test_tables(tmp_path: Path, text: str) -> None:
    names = read(write(tmp_path, text)).by_name
    assert {stem: wnid for stem, (wnid, _) in names.items()} == {"a": FIRST, "b": LAST}


def test_kaggles_table_has_boxes_after_the_class(tmp_path: Path) -> None:
    text = f"ImageId,PredictionString\na,{FIRST} 1 2 3 4 {FIRST} 5 6 7 8 \nb,{LAST} 1 2 3 4\n"
    assert read(write(tmp_path, text)).by_name == {"a": (FIRST, None), "b": (LAST, None)}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (f"ImageId,Class\na,{FIRST}\nb\n", "labels.not-a-row", 3),
        (f'ImageId,Class\n\n"a,{FIRST}\n', "labels.not-a-row", 3),
        ("ImageId,Class\n\na,spam\n", "labels.unknown-class", 3),
        ("ImageId,Class\na,crane\n", "labels.unknown-class", 2),  # a bird and a machine
        (f"ImageId,Class\n,{FIRST}\n", "labels.no-image-name", 2),
        (f"ImageId,Class\na,{FIRST}\na.jpg,{LAST}\n", "labels.two-classes", 3),
    ],
)
def test_tables_that_are_broken(tmp_path: Path, text: str, code: str, line: int) -> None:
    path = write(tmp_path, text)
    with refuses(code, where=f"{path}, line {line}"):
        read(path)


def test_classes_by_name(tmp_path: Path) -> None:
    expected = {"a": ("n02119789", None), "b": (FIRST, None)}
    assert read(write(tmp_path, "a.jpg kit fox\nb.jpg tench\n")).by_name == expected
    assert read(write(tmp_path, "a.jpg\tKit fox, Vulpes macrotis\nb.jpg\ttench\n")).by_name == expected
    assert read(write(tmp_path, "kit fox\ntench\n")).by_position == list(expected.values())
    assert read(write(tmp_path, "my a.jpg 0\n")).by_name == {"my a": (FIRST, 0)}


def test_darknets_list_of_labels(tmp_path: Path) -> None:
    """Every class once, and the images have them in their names; otherwise the list is one of places."""
    labels = read(write(tmp_path, f"{LAST}\n{FIRST}\n"))
    assert labels.of([f"val_1_{FIRST}.JPEG", f"{LAST}.JPEG", f"{FIRST}.JPEG"]) == [
        (FIRST, None),
        (LAST, None),
        (FIRST, None),
    ]
    assert labels.of(["b.JPEG", "a.JPEG"]) == [(FIRST, None), (LAST, None)]


# --- class orders


def test_the_orders() -> None:
    assert ORDERS == ("darknet", "sorted")
    assert list(order("sorted")) == sorted(order("darknet"))
    assert (order("sorted")[0], order("sorted")[999]) == (FIRST, LAST)
    assert order("darknet") != order("sorted")
    assert (places("sorted")[FIRST], places("sorted")[LAST]) == (0, 999)
    for name in (*ORDERS, SAMPLE):
        assert [places(name)[wnid] for wnid in order(name)] == list(range(len(order(name))))
    assert len(order(SAMPLE)) == 16
    assert not set(order(SAMPLE)) & set(order("sorted"))
    for name in ("Darknet", "", "sample "):
        with refuses("usage.unknown-class-order", found=name):
            order(name)


def test_known_folders() -> None:
    assert all(is_class(wnid) for wnid in (FIRST, LAST, *order(SAMPLE)))
    assert not any(is_class(name) for name in ("n00000000", "n90000000x", "cats", "", FIRST.upper(), f"{FIRST} "))


def predictions(declared: int, other: int, count: int) -> OrderProbe:
    """A probe of so many hits in Darknet's order, in the sorted one, and images in all."""
    wnids = [wnid for wnid in order("sorted") if places("darknet")[wnid] != places("sorted")[wnid]][:count]
    assert len(wnids) == count
    numbers = [places("darknet")[wnid] for wnid in wnids[:declared]]
    numbers += [places("sorted")[wnid] for wnid in wnids[declared : declared + other]]
    numbers += [-1] * (count - len(numbers))
    probe = probe_order(numbers, wnids, "darknet")
    assert (probe.images, probe.hits) == (count, {"darknet": declared, "sorted": other})
    return probe


@pytest.mark.parametrize(
    ("declared", "other", "count", "verdict"),
    [
        # a hundredth of 100 is guessed, four deviations more are 4, and three images: 8 are no evidence, 9 are
        *((8, 0, 100, "chance"), (9, 0, 100, "as declared"), (0, 8, 100, "chance"), (0, 9, 100, "swapped")),
        # of 400: 4 + 8 + 3 = 15
        *((15, 0, 400, "chance"), (16, 0, 400, "as declared")),
        # the other order must hit more than twice as often
        *((16, 32, 400, "as declared"), (16, 33, 400, "swapped"), (10, 20, 400, "chance"), (10, 21, 400, "swapped")),
        # with fewer than 50 images nothing is known of a network that hits nothing
        *((0, 0, 49, "undecided"), (0, 0, 50, "chance"), (0, 0, 51, "chance"), (0, 0, 1, "undecided")),
    ],
)
def test_the_probe_at_its_thresholds(declared: int, other: int, count: int, verdict: str) -> None:
    probe = predictions(declared, other, count)
    assert probe.verdict == verdict
    assert probe.better == ("sorted" if other > declared else "darknet")
    assert f"{declared / count:.1%} in the darknet order" in str(probe)


def test_the_probe_of_the_samples_classes() -> None:
    """They have one order, and of 16 classes a guess hits often: half of the images are no evidence."""
    wnids = list(order(SAMPLE)) * 10
    right = [places(SAMPLE)[wnid] for wnid in wnids]
    assert probe_order(right, wnids, SAMPLE).verdict == "as declared"
    assert probe_order(right, wnids, SAMPLE).hits == {SAMPLE: 160}
    half = [number if at < 110 else 15 - number for at, number in enumerate(right)]
    assert probe_order(half, wnids, SAMPLE).verdict == "chance"  # 80 + 4 * sqrt(80) + 3 = 118.8
    assert "0.0% in the darknet order" in str(probe_order([], [], "darknet"))
    assert probe_order([16, -1], wnids[:2], SAMPLE).hits == {SAMPLE: 0}


def test_known_images_in_any_folder_and_of_any_format() -> None:
    (first, wnid), *_ = KNOWN.items()
    keys = [first, f"{first}.JPEG", f"a/b/{first}.png", f"{first}.x.JPEG"]
    assert known_images([(key, wnid) for key in keys]) == (4, 4)
    assert known_images([(key, None) for key in keys]) == (0, 4)
    assert known_images([(f"x{first}.JPEG", wnid), (first[:-1], wnid), (f"{first}/a.JPEG", wnid)]) == (0, 0)
    # right where all are, and only there
    texts = {advice("darknet", "sorted", pair).partition(" (")[0] for pair in ((4, 4), (1, 1))}
    assert texts != {advice("darknet", "sorted", pair).partition(" (")[0] for pair in ((3, 4), (0, 4))}


TENCH, PAPER = ((name, None) for name in (FIRST, LAST))


@pytest.mark.parametrize(
    "text",
    [
        f"image_id,file_name,label\n0,a.JPEG,{FIRST}\n1,b.JPEG,{LAST}\n",
        f"ImageId|Class\na|{FIRST}\nb|{LAST}\n",
        f'"ImageId", "Class"\n"a", "{FIRST}"\n"b", "{LAST}"\n',
        f"path,label\nC:\\val\\a.JPEG,{FIRST}\nval\\b.JPEG,{LAST}\n",
    ],
)
def test_tables_of_other_programs(tmp_path: Path, text: str) -> None:
    assert read(write(tmp_path, text)).of(["a.JPEG", "b.JPEG"]) == [TENCH, PAPER]


def test_a_table_without_header_and_suffixes(tmp_path: Path) -> None:
    assert read(write(tmp_path, f"img_1,{FIRST}\nimg_2,{LAST}\n")).of(["img_1.jpg", "img_2.jpg"]) == [TENCH, PAPER]
    assert read(write(tmp_path, f"{FIRST},img_1\n")).by_name == {"img_1": TENCH}
    assert read(write(tmp_path, "tench\ntoilet tissue, toilet paper, bathroom tissue\n")).by_position == [TENCH, PAPER]


def test_whole_floats_are_numbers_in_a_table(tmp_path: Path) -> None:
    assert read(write(tmp_path, "image,label\na.JPEG,0.0\nb.JPEG,999.0\n")).by_name == {
        "a": (FIRST, 0),
        "b": (LAST, 999),
    }
    with refuses("labels.unknown-class", where=f"{tmp_path / 'labels.txt'}, line 2", found="'1.5'"):
        read(write(tmp_path, "image,label\na.JPEG,1.5\n"))


def test_ids_may_have_dots(tmp_path: Path) -> None:
    assert read(write(tmp_path, f"ImageId,Class\na.b.c,{FIRST}\nd.e.JPG,{LAST}\n")).of(["a.b.c.JPEG", "d.e.JPEG"]) == [
        TENCH,
        PAPER,
    ]


def test_a_header_without_rows(tmp_path: Path) -> None:
    with refuses("labels.not-a-list", where=str(tmp_path / "labels.txt")):
        read(write(tmp_path, "ImageId,Class\n\n"))


@pytest.mark.parametrize("header", ["mine,image", "class,mine"])
def test_one_name_is_enough_for_two_columns(tmp_path: Path, header: str) -> None:
    assert read(write(tmp_path, f"{header}\n{FIRST},a.JPEG\n")).by_name == {"a": TENCH}
    first, second = header.split(",")
    assert read(write(tmp_path, f"{second},{first}\na.JPEG,{FIRST}\n")).by_name == {"a": TENCH}


def test_a_list_of_a_single_label(tmp_path: Path) -> None:
    names = [f"{FIRST}_{number}.JPEG" for number in (5, 6)]
    assert read(write(tmp_path, f"{FIRST}\n")).of(names) == [TENCH, TENCH]
