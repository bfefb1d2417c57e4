"""A classifier's data in Darknet's form: the class of an image is a label that its path contains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import fill, jpeg
from refusals import refuses

from cspbench.data.classes import order
from cspbench.data.darknet.classification_set import open_labelled_paths
from cspbench.data.darknet.labels_in_paths import Classes


def write(root: Path, paths: tuple[str, ...], data: str = "", labels: str = "cat\ndog\nbird\n") -> Path:
    files = {path: jpeg(place) for place, path in enumerate(paths)}
    texts = {
        "own.data": data or "classes=3\nlabels=labels.list\nvalid=valid.list\ntop=2\n",
        "labels.list": labels,
        "valid.list": "".join(f"{path}\n" for path in paths),
    }
    return fill(root, files | {name: text.encode() for name, text in texts.items()}) / "own.data"


def test_the_class_is_in_the_path(tmp_path: Path) -> None:
    path = write(tmp_path, ("x/dog/1.jpg", "x/2_cat.jpg", "x/bird/3.jpg"))
    read = open_labelled_paths(path)
    entries = [(entry.key, entry.wnid, entry.label) for entry in read.entries]
    assert entries == [("2_cat.jpg", "0", 0), ("bird/3.jpg", "2", 2), ("dog/1.jpg", "1", 1)]
    assert read.own_classes == "own-3"
    assert (read.names, read.top, read.several, read.faults) == (("cat", "dog", "bird"), 2, (), ())
    assert read.sample(0).data == jpeg(1)


def test_the_first_of_several_labels_counts(tmp_path: Path) -> None:
    """As in Darknet, whose labels are sought anywhere in the path, folders and all."""
    read = open_labelled_paths(write(tmp_path, ("cats/dog/1.jpg", "cats/bird/2.jpg")))
    assert [entry.wnid for entry in read.entries] == ["0", "0"]
    assert read.several == ("cats/dog/1.jpg", "cats/bird/2.jpg")


def test_an_image_without_a_label_is_a_fault_and_counts_as_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, ("dog/1.jpg", "horse/2.jpg"))
    with refuses("darknet.no-label", where=f"{tmp_path / 'valid.list'}, line 2"):
        open_labelled_paths(path)
    assert [entry.wnid for entry in open_labelled_paths(path, allowed=1).entries] == ["1", None]


@pytest.mark.parametrize(
    ("data", "labels", "code", "file"),
    [
        ("classes=3\nvalid=valid.list\n", "", "darknet.missing-key", "own.data"),
        ("classes=4\nvalid=valid.list\nlabels=labels.list\n", "", "darknet.names-count", "labels.list"),
        ("", f"{'x' * 257}\na\nb\n", "darknet.long-label", "labels.list"),
        ("classes=3\nvalid=valid.list\nlabels=labels.list\ntop=0\n", "", "darknet.bad-value", "own.data, line 4"),
    ],
)
def test_files_that_disagree(tmp_path: Path, data: str, labels: str, code: str, file: str) -> None:
    path = write(tmp_path, ("dog/1.jpg",), data, labels or "cat\ndog\nbird\n")
    with refuses(code, where=f"{tmp_path}/{file}"):
        open_labelled_paths(path)


def test_a_list_has_wordnet_ids_unless_labels_are_named(tmp_path: Path) -> None:
    """As Darknet's list of ImageNet's validation images, whose names have the ids."""
    write(tmp_path, (f"val/1_{order('darknet')[5]}.jpg", f"val/2_{order('darknet')[0]}.jpg"))
    source = open_labelled_paths(tmp_path / "valid.list")
    assert [entry.wnid for entry in source.entries] == [order("darknet")[5], order("darknet")[0]]
    assert (source.own_classes, source.as_json()["labels"]) == (None, None)
    (tmp_path / "imagenet.labels.list").write_text("\n".join(order("sorted")))
    again = open_labelled_paths(tmp_path / "valid.list", names_file=tmp_path / "imagenet.labels.list")
    assert [entry.wnid for entry in again.entries] == [entry.wnid for entry in source.entries]


def test_names_stand_in_for_labels(tmp_path: Path) -> None:
    path = write(tmp_path, ("dog/1.jpg",), "classes=3\nvalid=valid.list\nnames=labels.list\n")
    assert open_labelled_paths(path).top == 1
    (tmp_path / "other.names").write_text("dog\nhorse\nsheep\n")
    assert open_labelled_paths(path, names_file=tmp_path / "other.names").entries[0].label == 0


@given(
    st.lists(st.text("abc/", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.text("abc/", max_size=12),
)
def test_labels_are_found_as_by_searching_for_each(labels: list[str], path: str) -> None:
    assert Classes(labels).of(path) == [number for number, label in enumerate(labels) if label in path]


@pytest.mark.parametrize(("top", "taken"), [(2, 2), (3, 3), (50, 3)])
def test_there_are_no_more_guesses_than_classes(tmp_path: Path, top: int, taken: int) -> None:
    text = f"classes=3 # of them\nlabels=labels.list\nvalid=valid.list\ntop={top}\n"
    assert open_labelled_paths(write(tmp_path, ("dog/1.jpg",), text)).top == taken


def test_faults_and_several_labels_are_noted(tmp_path: Path) -> None:
    assert open_labelled_paths(write(tmp_path / "right", ("dog/1.jpg",))).notes == ()
    path = write(tmp_path / "odd", ("dog/1.jpg", "horse/2.jpg", "horse/3.jpg", "cat_dog/4.jpg"))
    faults, several = open_labelled_paths(path, allowed=2).notes
    assert "2 faults" in faults
    assert f"{tmp_path / 'odd' / 'valid.list'}, line 2" in faults
    assert "1 of 4" in several
    assert "cat_dog/4.jpg" in several


def test_the_first_of_equal_labels_counts() -> None:
    assert Classes(("cat", "dog", "cat")).of("cat_1.jpg") == [0]
