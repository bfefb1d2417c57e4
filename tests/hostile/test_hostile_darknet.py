"""Hostile data sets in Darknet's form: pipes, loops, huge and lying files, names of every kind, random damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from contract import damaged, fuzz, refused, result_of
from darknet_sets import write
from hypothesis import given
from hypothesis import strategies as st
from pictures import jpeg

from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet.classification_set import open_labelled_paths
from cspbench.data.darknet.detection_set import read_set
from cspbench.data.darknet.faults import MOST, Faults
from cspbench.data.darknet.opening import open_detection_data

FILES = ("obj.data", "valid.txt", "obj.names", "obj/a.txt")


@pytest.mark.parametrize("file", FILES)
def test_pipes_folders_and_loops(tmp_path: Path, file: str) -> None:
    for kind in ("pipe", "folder", "loop"):
        data = write(tmp_path / kind)
        path = tmp_path / kind / file
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(path)
        error = result_of(lambda data=data: read_set(data, Faults()), None)  # type: ignore[misc]
        assert getattr(error, "code", "").startswith("darknet."), error


def test_more_than_any_file_has(tmp_path: Path) -> None:
    data = write(tmp_path)
    with data.open("r+b") as stream:
        stream.truncate(1 << 17)
    refused(lambda: read_set(data, Faults()), "darknet.unreadable", data)
    data = write(tmp_path, obj__a_txt="0 .5 .5 .1 .1\n" * 70_000)
    refused(lambda: read_set(data, Faults()), "darknet.too-many-objects", tmp_path / "obj" / "a.txt")
    data = write(tmp_path, obj__a_txt="", valid_txt=f"{'x' * 5000}\n")
    refused(lambda: read_set(data, Faults()), "darknet.long-line", where=f"{tmp_path / 'valid.txt'}, line 1")
    data = write(tmp_path, valid_txt="x\n" * (1 << 20))
    refused(lambda: read_set(data, Faults(None)), "darknet.none-there", tmp_path / "valid.txt")


def test_a_check_ends_after_many_faults(tmp_path: Path) -> None:
    data = write(tmp_path, valid_txt="obj/a.jpg\n" + "x.jpg\n" * 50_000)
    result = result_of(lambda: read_set(data, Faults(None)))
    assert len(result.faults) == MOST  # type: ignore[union-attr]


def test_names_of_every_kind(tmp_path: Path) -> None:
    names = ["a b", "\x1b[31mred", "gr\u00fcn \u9c7c", "-rf", "$(x)", "\u202egnp", "a\x85b"]
    lines = "".join(f"obj/{name}.jpg\n" for name in names)
    data = write(tmp_path, valid_txt=lines)
    for number, name in enumerate(names):
        (tmp_path / "obj" / f"{name}.jpg").write_bytes(jpeg(number))
        (tmp_path / "obj" / f"{name}.txt").write_text("0 .5 .5 .1 .1\n")
    source = result_of(lambda: open_detection_data(data))
    assert isinstance(source, CocoSource)
    assert [image.file_name for image in source.images] == [f"{name}.jpg" for name in names]
    raw = os.fsencode(tmp_path / "obj") + b"/\xff.jpg"
    Path(os.fsdecode(raw)).write_bytes(jpeg(1))
    data = write(tmp_path, valid_txt="obj/\udcff.jpg\n")
    refused(lambda: read_set(data, Faults()), "darknet.file-name", found="udcff")


def test_a_list_that_leads_elsewhere(tmp_path: Path) -> None:
    """Lists of Darknet's may name any file; it is read as an image or a label file, and as nothing else."""
    (tmp_path / "secret.txt").write_text("root:x:0\n")
    data = write(tmp_path / "set", valid_txt="../secret.txt\n")
    error = result_of(lambda: read_set(data, Faults()), None)
    assert getattr(error, "code", None) == "darknet.label-line"


@fuzz(60)
@given(st.data())
def test_damaged_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = tmp_path_factory.mktemp("set")
    path = write(root)
    (root / "own.data").write_text("classes=3\nlabels=obj.names\nvalid=valid.txt\n")
    for file in data.draw(st.lists(st.sampled_from((*FILES, "obj/a.jpg")), min_size=1, max_size=2)):
        path_of = root / file
        path_of.write_bytes(data.draw(damaged(path_of.read_bytes())))
    result_of(lambda: open_detection_data(path, allowed=data.draw(st.integers(0, 3))))
    result_of(lambda: open_labelled_paths(root / "own.data", allowed=3))
