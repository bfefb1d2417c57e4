"""A classifier's data in Darknet's form: the class of an image is a label that its path contains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import fill, jpeg
from refusals import refuses

from cspbench.data.darknet.classification_set import read_classified
from cspbench.data.darknet.faults import Faults
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
    read = read_classified(path, Faults())
    entries = [(entry.key, entry.wnid, entry.label) for entry in read.source.entries]
    assert entries == [("2_cat.jpg", "cat", 0), ("bird/3.jpg", "bird", 2), ("dog/1.jpg", "dog", 1)]
    assert (read.labels, read.top, read.several, read.faults) == (("cat", "dog", "bird"), 2, (), ())
    assert read.source.sample(0).data == jpeg(1)


def test_the_first_of_several_labels_counts(tmp_path: Path) -> None:
    """As in Darknet, whose labels are sought anywhere in the path, folders and all."""
    read = read_classified(write(tmp_path, ("cats/dog/1.jpg", "cats/bird/2.jpg")), Faults())
    assert [entry.wnid for entry in read.source.entries] == ["cat", "cat"]
    assert read.several == ("cats/dog/1.jpg", "cats/bird/2.jpg")


def test_an_image_without_a_label_is_a_fault_and_counts_as_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, ("dog/1.jpg", "horse/2.jpg"))
    with refuses("darknet.no-label", where=f"{tmp_path / 'valid.list'}, line 2"):
        read_classified(path, Faults())
    assert [entry.wnid for entry in read_classified(path, Faults(1)).source.entries] == ["dog", None]


@pytest.mark.parametrize(
    ("data", "labels", "code", "file"),
    [
        ("classes=3\nvalid=valid.list\n", "", "darknet.missing-key", "own.data"),
        ("classes=4\nvalid=valid.list\nlabels=labels.list\n", "", "darknet.names-count", "labels.list"),
        ("", f"{'x' * 257}\na\nb\n", "darknet.long-label", "labels.list"),
        ("classes=3\nvalid=valid.list\nlabels=labels.list\ntop=4\n", "", "darknet.bad-value", "own.data, line 4"),
    ],
)
def test_files_that_disagree(tmp_path: Path, data: str, labels: str, code: str, file: str) -> None:
    path = write(tmp_path, ("dog/1.jpg",), data, labels or "cat\ndog\nbird\n")
    with refuses(code, where=f"{tmp_path}/{file}"):
        read_classified(path, Faults())


def test_names_stand_in_for_labels(tmp_path: Path) -> None:
    path = write(tmp_path, ("dog/1.jpg",), "classes=3\nvalid=valid.list\nnames=labels.list\n")
    assert read_classified(path, Faults()).top == 1
    (tmp_path / "other.names").write_text("dog\nhorse\nsheep\n")
    assert read_classified(path, Faults(), names_file=tmp_path / "other.names").source.entries[0].label == 0


@given(
    st.lists(st.text("abc/", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.text("abc/", max_size=12),
)
def test_labels_are_found_as_by_searching_for_each(labels: list[str], path: str) -> None:
    assert Classes(labels).of(path) == [number for number, label in enumerate(labels) if label in path]
