"""Darknet's .data files, lists, names and label files: what is read, and every fault at its file and line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from darknet_sets import write
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.darknet import data_file, paths
from cspbench.data.darknet.detection_set import DarknetSet, read_set
from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.image_list import common_folder
from cspbench.data.darknet.label_file import Box, read_labels
from cspbench.data.darknet.names import beside, read_names
from cspbench.data.darknet.source import open_darknet
from cspbench.errors import CspbenchError

NAMES = ("person", "car", "dog")


def codes(found: DarknetSet) -> list[str]:
    return [fault.code for fault in found.faults]


# --- the .data file


def test_the_first_of_repeated_keys_counts_and_comments_do_not(tmp_path: Path) -> None:
    path = tmp_path / "own.data"
    path.write_text("# mine\n;too\n\n classes=4 \nvalid = my list.txt\nclasses = 5\nodd = key=value\n")
    data = data_file.read(path)
    assert data.values == {"classes": "4", "valid": "my list.txt", "odd": "key=value"}
    assert data.number("classes", 10) == 4
    path.write_text("classes = 4 # cats and others\n")
    assert data_file.read(path).number("classes", 10) == 4
    assert data.number("top", 10) is None
    assert data.file("names") is None


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("classes = 3\nvalid\n", "darknet.bad-line", 2),
        ("= 3\n", "darknet.bad-line", 1),
        ("batch = 3\n", "darknet.not-a-data-file", None),
        ("", "darknet.not-a-data-file", None),
        ("classes = x\nnames = n\n", "darknet.bad-value", 1),
        ("classes = 0\n", "darknet.bad-value", 1),
        ("classes = 1000000000000\n", "darknet.bad-value", 1),
    ],
)
def test_a_data_file_that_is_none(tmp_path: Path, text: str, code: str, line: int | None) -> None:
    path = tmp_path / "own.data"
    path.write_text(text)
    with refuses(code, where=str(path) if line is None else f"{path}, line {line}"):
        data_file.read(path).number("classes", 1000)


def test_a_path_is_tried_from_three_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("here", "root", "root/cfg"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "root" / "cfg" / "own.data"
    path.write_text("valid = v.txt\n")
    with refuses("darknet.missing-file", where=f"{path}, line 1") as caught:
        data_file.read(path).file("valid")
    assert caught.value.expected is not None
    for place in ("root/v.txt", "root/cfg/v.txt", "here/v.txt"):  # the last one is tried first, and so counts
        assert str(tmp_path / place) in caught.value.expected
        (tmp_path / place).write_text("")
        assert data_file.read(path).file("valid") == tmp_path / place


def test_windows_paths_and_absolute_ones(tmp_path: Path) -> None:
    (tmp_path / "obj").mkdir()
    file = tmp_path / "obj" / "a.jpg"
    file.write_bytes(b"")
    for text in ("obj\\a.jpg", "./obj/a.jpg", str(file)):
        assert paths.find(text, tmp_path) == file
    assert paths.find("obj", tmp_path) is None
    assert paths.find("a\0b", tmp_path) is None


# --- the whole set


def test_a_set_from_its_data_file_from_its_list_and_by_numbers(tmp_path: Path) -> None:
    data = write(tmp_path)
    for path in (data, tmp_path / "valid.txt"):
        read = read_set(path, Faults(), size_of=lambda file: (50, 40))
        assert (read.names, read.numbered, read.faults) == (("person", "car", "dog"), False, ())
        assert [image.file.name for image in read.images] == ["a.jpg", "b.jpg", "c.jpg"]
        assert read.images[0].boxes == [Box(1, 0.5, 0.5, 0.25, 0.5), Box(0, 0.25, 0.75, 0.5, 0.5)]
        assert read.images[1].boxes == []
        assert read.images[2].size == (50, 40)
    assert common_folder([image.file for image in read.images]) == tmp_path / "obj"
    data.unlink()
    assert read_set(tmp_path / "valid.txt", Faults()).names == ("person", "car", "dog")  # of the only .names file
    assert read_set(tmp_path / "valid.txt", Faults(), classes=4).names == ("0", "1", "2", "3")
    (tmp_path / "obj.names").unlink()
    assert read_set(tmp_path / "valid.txt", Faults(), classes=3).names == ("0", "1", "2")
    assert read_set(tmp_path / "valid.txt", Faults(), names=NAMES).names == ("person", "car", "dog")
    with refuses("usage.no-class-names", where=str(tmp_path / "valid.txt")):
        read_set(tmp_path / "valid.txt", Faults())


@pytest.mark.parametrize(
    ("files", "code", "file", "line"),
    [
        ({"obj_data": "classes=3\n"}, "darknet.missing-key", "obj.data", None),
        ({"valid_txt": None}, "darknet.missing-file", "obj.data", 3),
        ({"obj_names": None}, "darknet.missing-file", "obj.data", 4),
        ({"obj_names": "a\nb\n"}, "darknet.names-count", "obj.names", None),
        ({"obj_names": "a\nb\na\n"}, "darknet.repeated-name", "obj.names", 3),
        ({"obj_names": "\n\n"}, "darknet.no-names", "obj.names", None),
        ({"valid_txt": "\n"}, "darknet.list-length", "valid.txt", None),
        ({"valid_txt": "obj/a.jpg\nobj/z.jpg\n"}, "darknet.missing-image", "valid.txt", 2),
        ({"valid_txt": "obj/a.jpg\n\nobj/../obj/a.jpg\n"}, "darknet.listed-twice", "valid.txt", 3),
        ({"obj__b_txt": None}, "darknet.missing-label", "valid.txt", 2),
        ({"obj__b_txt": "0 .5 .5 .1\n"}, "darknet.label-line", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5 .5 .1 .1 .9\n"}, "darknet.label-line", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5 .5 .1 .1\nperson .5 .5 .1 .1\n"}, "darknet.label-line", "obj/b.txt", 2),
        ({"obj__b_txt": "0 .5 .5 .1 nan\n"}, "darknet.label-line", "obj/b.txt", 1),
        ({"obj__b_txt": "3 .5 .5 .1 .1\n"}, "darknet.class-range", "obj/b.txt", 1),
        ({"obj__b_txt": "-1 .5 .5 .1 .1\n"}, "darknet.class-range", "obj/b.txt", 1),
        ({"obj__b_txt": "0.5 .5 .5 .1 .1\n"}, "darknet.class-range", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5 .5 0 .1\n"}, "darknet.box-size", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5 .5 1e999 .1\n"}, "darknet.box-size", "obj/b.txt", 1),
        ({"obj__b_txt": "0 1.5 .5 .1 .1\n"}, "darknet.box-outside", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5 .9 .1 .4\n"}, "darknet.box-outside", "obj/b.txt", 1),
        ({"obj__b_txt": "0 .5\0.9 .1 .4\n"}, "darknet.unreadable", "obj/b.txt", None),
    ],
)
def test_a_fault_is_named_at_its_file_and_line(
    tmp_path: Path, files: dict[str, str | None], code: str, file: str, line: int | None
) -> None:
    data = write(tmp_path, **files)
    where = str(tmp_path / file) + (f", line {line}" if line else "")
    with refuses(code, where=where) as caught:
        read_set(data, Faults(), size_of=lambda path: (50, 40))
    assert caught.value.exit_code == 3


def test_faults_are_tolerated_as_many_as_allowed(tmp_path: Path) -> None:
    data = write(
        tmp_path,
        valid_txt="obj/a.jpg\nobj/b.jpg\nobj/a.jpg\nobj/z.jpg\nobj/c.jpg\n",
        obj__b_txt="0 .5 .5 .1 .1\n0 .5 .5 .1\n1 .9 .5 .4 .1\n7 .5 .5 .1 .1\n",
    )
    read = read_set(data, Faults(5))
    order = ["darknet.listed-twice", "darknet.missing-image"]
    assert codes(read) == [*order, "darknet.label-line", "darknet.box-outside", "darknet.class-range"]
    assert [image.line for image in read.images] == [1, 2, 5]
    # a box that reaches beyond the image is used as it is, the other lines are left out
    assert read.images[1].boxes == [Box(0, 0.5, 0.5, 0.1, 0.1), Box(1, 0.9, 0.5, 0.4, 0.1)]
    with refuses("darknet.listed-twice", found="it is also on line 1"):
        read_set(data, Faults(4))
    assert codes(read_set(data, Faults(None))) == codes(read)


def test_a_pixel_beyond_the_edge_is_rounding(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0 0.5 0.98 0.2 0.08\n")  # 0.02 beyond the lower edge: 0.8 of 40 pixels, 2 of 100
    assert len(read_labels(path, 1, Faults(), (50, 40))) == 1
    reach = "x from 0.4 to 0.6, y from 0.94 to 1.02"
    with refuses("darknet.box-outside", where=f"{path}, line 1", found=reach):
        read_labels(path, 1, Faults(), (50, 100))


# --- the places of labels


@pytest.mark.parametrize(
    ("image", "places"),
    [
        ("/d/obj/a.b.jpg", ["/d/obj/a.b.txt"]),
        ("/d/images/val2017/1.jpg", ["/d/labels/val2017/1.txt", "/d/images/val2017/1.txt"]),
        ("/d/VOC/JPEGImages/1.png", ["/d/VOC/labels/1.txt", "/d/VOC/JPEGImages/1.txt"]),
        # today's Darknet seeks these beside the image, the original one and others in labels/
        ("/d/images/val/1.jpg", ["/d/images/val/1.txt", "/d/labels/val/1.txt"]),
        ("/images/x/images/1.JPEG", ["/images/x/images/1.txt", "/images/x/labels/1.txt"]),
    ],
)
def test_where_labels_are_sought(image: str, places: list[str]) -> None:
    assert [str(place) for place in paths.label_files(Path(image))] == places


def test_difficult_objects_are_those_of_another_list(tmp_path: Path) -> None:
    text = "names = obj.names\nvalid = valid.txt\ndifficult = hard.txt\n"
    data = write(tmp_path, obj_data=text, hard_txt="hard/a.jpg\nhard/b.jpg\nhard/c.jpg\n", hard__c_txt="0 .5 .5 .1 .1")
    read = read_set(data, Faults())
    assert [image.difficult for image in read.images] == [[], [], [Box(0, 0.5, 0.5, 0.1, 0.1)]]
    (tmp_path / "hard.txt").write_text("hard/a.jpg\n")
    with refuses("darknet.other-length", where=str(tmp_path / "hard.txt")):
        read_set(data, Faults())


def test_names_are_stripped_and_may_be_any_text(tmp_path: Path) -> None:
    path = tmp_path / "obj.names"
    path.write_bytes("\ufeffstop sign \r\n\tM\u00fcll\r\n\n".encode())
    assert read_names(path) == ("stop sign", "M\u00fcll")


# --- whatever is in them


@settings(max_examples=examples(60))
@given(
    data=st.binary(max_size=80) | st.text("=#validnmes.0123 \n\r\t\\/", max_size=80).map(str.encode),
    file=st.sampled_from(["obj.data", "obj.names", "valid.txt", "obj/a.txt"]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, file: str) -> None:
    root = tmp_path_factory.mktemp("set")
    path = write(root)
    (root / file).write_bytes(data)
    try:
        read = read_set(path, Faults(None))
    except CspbenchError as error:
        faults = [error]
    else:
        faults = list(read.faults)
        labels = [box.label for image in read.images for box in image.boxes]
        assert set(labels) <= set(range(len(read.names)))
    assert all(fault.exit_code == 3 and "\n" not in str(fault) for fault in faults)


# --- names beside a network


def test_names_are_found_beside_the_networks_files(tmp_path: Path) -> None:
    folders = [tmp_path / "cfg", tmp_path / "weights"]
    for folder in folders:
        folder.mkdir()
    places = [folders[0] / "own.cfg", folders[1] / "own_last.weights"]
    assert beside(places, 3) is None
    (folders[1] / "obj.data").write_text("names = my.list\n")
    (folders[1] / "my.list").write_text("a\nb\nc\n")
    assert beside(places, 3) == folders[1] / "my.list"
    assert beside(places, 2) is None
    (folders[1] / "obj.names").write_text("a\nb\nc\n")
    assert beside(places, 3) == folders[1] / "obj.names"
    (folders[1] / "more.names").write_text("a\nb\nc\n")  # two: which one is nobody's guess
    (folders[1] / "obj.data").unlink()
    assert beside(places, 3) is None
    (folders[0] / "own.names").write_text("a\nb\nc\n")
    assert beside(places, 3) == folders[0] / "own.names"
    (folders[0] / "other.names").write_text("a\nb\nc\n")  # the network's own name decides
    assert beside(places, 3) == folders[0] / "own.names"


@pytest.mark.parametrize("root", ["/content/darknet/data", "C:\\Users\\me\\data", "d:/data"])
def test_absolute_paths_of_another_machine(tmp_path: Path, root: str) -> None:
    """The images are found by the ends of their paths, which is noted; other files are not looked for elsewhere."""
    names = [f"{root}/obj/{name}.jpg" for name in "abc"]
    text = "\r\n".join(name.replace("/", "\\") if "\\" in root else name for name in names)
    data = write(tmp_path, valid_txt=text)
    source = open_darknet(data)
    assert [image.file_name for image in source.images] == ["a.jpg", "b.jpg", "c.jpg"]
    (note,) = source.notes
    assert "3 of 3" in note
    assert str(tmp_path / "obj" / "a.jpg") in note
    data.write_text(f"classes=3\nvalid={root}/valid.txt\n")
    with refuses("darknet.missing-file", where=f"{data}, line 2", expected=f"{root}/valid.txt"):
        read_set(data, Faults())


def test_no_note_on_paths_that_are_right(tmp_path: Path) -> None:
    data = write(tmp_path, valid_txt=f"{tmp_path}/obj/a.jpg\n{tmp_path}/./obj/b.jpg\nobj\\c.jpg\n")
    assert open_darknet(data).notes == ()
    with refuses(
        "darknet.missing-image", where=f"{tmp_path / 'other' / 'valid.txt'}, line 1", expected="/else/x/d.jpg"
    ):
        open_darknet(write(tmp_path / "other", valid_txt="/else/x/d.jpg\n"))


def test_tolerated_faults_are_noted(tmp_path: Path) -> None:
    data = write(tmp_path, obj__a_txt="7 .5 .5 .1 .1\n0 .5 .5 .1\n")
    (note,) = open_darknet(data, allowed=2).notes
    assert "2 faults" in note
    assert f"{tmp_path / 'obj' / 'a.txt'}, line 1" in note


def test_the_suffix_of_a_data_file_may_be_in_capitals(tmp_path: Path) -> None:
    path = write(tmp_path).rename(tmp_path / "OBJ.DATA")
    assert read_set(path, Faults()).names == NAMES


def test_names_as_roboflow_exports_them(tmp_path: Path) -> None:
    write(tmp_path, obj_data=None, obj_names=None)
    (tmp_path / "obj" / "_darknet.labels").write_text("x\ny\nz\n")
    assert read_set(tmp_path / "obj", Faults()).names == ("x", "y", "z")
    assert read_set(tmp_path / "obj", Faults(), names=NAMES).names == NAMES


def test_a_list_that_is_not_there_beside_a_data_file(tmp_path: Path) -> None:
    write(tmp_path)
    with refuses("darknet.unreadable", where=str(tmp_path / "none.txt")):
        read_set(tmp_path / "none.txt", Faults(), classes=3)


def test_progress_counts_the_images(tmp_path: Path) -> None:
    begun: list[tuple[str, int]] = []
    done: list[int] = []

    def progress(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        begun.append((what, total))
        return nullcontext(done.append)

    read_set(write(tmp_path), Faults(), progress=progress)
    assert ([total for _, total in begun], done) == ([3], [1, 2, 3])


def test_a_pixel_beyond_a_large_image_is_small(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0 .95 .5 .1019 .1\n0 .95 .5 .1101 .1\n")  # 0.95 and 5.05 of 1000 pixels too wide
    faults = Faults(None)
    assert len(read_labels(path, 1, faults, (1000, 100))) == 2
    assert [(fault.code, fault.where) for fault in faults.errors] == [("darknet.box-outside", f"{path}, line 2")]


def test_a_list_beside_several_data_files_is_none_of_theirs(tmp_path: Path) -> None:
    write(tmp_path, obj_names=None, obj_data="classes=3\nvalid=v.txt\n", other_data="classes=4\nvalid=w.txt\n")
    with refuses("usage.no-class-names", where=str(tmp_path / "valid.txt")):
        read_set(tmp_path / "valid.txt", Faults())


def test_the_networks_names_are_not_those_of_another_number_of_classes(tmp_path: Path) -> None:
    data = write(tmp_path, obj_data="classes=4\nvalid=valid.txt\n")
    read = read_set(data, Faults(), names=NAMES)
    assert (read.names, read.numbered) == (("0", "1", "2", "3"), True)


def test_a_check_stops_at_many_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.data.darknet.faults.MOST", 2)
    data = write(tmp_path, obj__a_txt="x\n" * 5, obj__c_txt="x\n")
    assert codes(read_set(data, Faults(None))) == ["darknet.label-line"] * 2
