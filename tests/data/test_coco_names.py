"""File names in annotations as paths inside the image folder, by hand."""

from __future__ import annotations

import pytest

from cspbench.data.coco.names import inside, is_name


@pytest.mark.parametrize(
    ("names", "paths", "folders"),
    [
        (["a.jpg", "b/c.jpg", ""], ["a.jpg", "b/c.jpg", ""], []),
        (["images\\a.jpg", "./b.jpg", "x/../c.jpg"], ["images/a.jpg", "b.jpg", "c.jpg"], []),
        (["/data/set/a.jpg", "/data/set/b.jpg"], ["a.jpg", "b.jpg"], ["set", "data/set"]),
        (["/data/one/a.jpg", "/data/two/a.jpg"], ["one/a.jpg", "two/a.jpg"], ["data"]),
        (["C:\\data\\a.jpg", "c:/data/b.jpg"], ["a.jpg", "b.jpg"], ["data"]),
        (["../../media/a.jpg", "../b.jpg"], ["media/a.jpg", "b.jpg"], []),
        (["https://host/p/a.jpg", "/host/p/b.jpg", "c.jpg"], ["a.jpg", "b.jpg", "c.jpg"], ["p", "host/p"]),
        (["/one.jpg"], ["one.jpg"], []),
        (["/a/../../etc/passwd"], ["passwd"], ["etc"]),
        (["/1/2/3/4/5/6/7/8/9/a.jpg"], ["a.jpg"], ["9", "8/9", "7/8/9", "6/7/8/9", "5/6/7/8/9", "4/5/6/7/8/9",
                                                   "3/4/5/6/7/8/9", "2/3/4/5/6/7/8/9"]),
    ],
)  # fmt: skip
def test_paths_inside_the_folder(names: list[str], paths: list[str], folders: list[str]) -> None:
    result = inside(names)
    assert (result.paths, result.folders()) == (paths, folders)


@pytest.mark.parametrize("name", ["a", "/etc/passwd", "../a", "a b.jpg", "..a", "C:\\a", "http://host/a.jpg"])
def test_names_of_files(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/", "a\\", "../..", "a/..", "C:", "a\0b", "\ud800"])
def test_what_no_file_is_named(name: str) -> None:
    assert not is_name(name)
