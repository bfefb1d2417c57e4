"""Hostile cfg files as files: random bytes, other things than files, sizes that nothing but memory limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from contract import chosen, fuzz, kept, refused
from hypothesis import given
from hypothesis import strategies as st

from cspbench.network import cfg
from cspbench.network.cfg_parser import LARGEST_FILE, MOST_SECTIONS
from cspbench.network.counting import Count, count

NET = "[net]\nwidth=32\nheight=32\nchannels=3\n"
WHOLE = f"""{NET}# a comment
[convolutional]
batch_normalize=1
filters=18
size=3
stride=2
pad=1
activation=mish
[maxpool]
size=2
stride=2
[route]
layers=-1,-2
groups=2
group_id=1
[shortcut]
from=-3
activation=linear
[yolo]
mask=0,1
anchors=10,13, 16,30.5
classes=4
num=2
[region]
anchors=1.08,1.19
classes=13
num=1
"""


ENCODED = [WHOLE.encode(), WHOLE.replace("\n", "\r\n").encode("utf-8-sig"), WHOLE.encode("utf-16")]


@fuzz(150)
@given(data=st.binary(max_size=200) | chosen(ENCODED))
def test_damaged_files(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.cfg"
    path.write_bytes(data)
    kept(lambda: cfg.read(path), path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("sections", "[\n" * (LARGEST_FILE // 2 - 99), "too many layers"),
        ("layers", "[dropout]\n" * (MOST_SECTIONS + 1), "too many layers"),
        ("empty lines", "\n" * (LARGEST_FILE - 99), "at least one layer"),
        ("a billion filters", "[convolutional]\nfilters=1000000000\n", "filters is out of range"),
        ("a cycle", "[dropout]\n[route]\nlayers=1\n", "layers references a layer"),
        ("a NUL byte", "[dropout]\n\0", "a NUL byte"),
    ],
)
def test_files_that_are_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "large.cfg"
    path.write_text(NET + text)
    refused(lambda: cfg.read(path), words, path)


@pytest.mark.parametrize(
    ("name", "text", "layers"),
    [
        ("routes to thousands", "[dropout]\n" + ("[route]\nlayers=" + "0," * 4000 + "\n") * 100, 101),
        ("unknown keys", "[avgpool]\n" + "".join(f"{number:x}=\n" for number in range(100_000)), 1),
        ("odd values", "[dropout]\n" + ("[route]\nlayers=" + "0x," * 2000 + "\n") * 100, 101),
    ],
)
def test_large_files_that_are_read(name: str, text: str, layers: int, tmp_path: Path) -> None:
    path = tmp_path / "large.cfg"
    path.write_text(NET + text)
    found = kept(lambda: cfg.read(path))
    assert isinstance(found, cfg.Reading)
    assert len(found.network.layers) == layers
    assert len(found.warnings) <= cfg.MOST_WARNINGS + 1


def test_the_most_layers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "tall.cfg"
    path.write_text(NET + "[convolutional]\nfilters=3\nbatch_normalize=1\nactivation=leaky\n" * (MOST_SECTIONS - 1))
    found = kept(lambda: count(cfg.read(path).network))
    assert isinstance(found, Count)
    assert found.parameters["weights"] == 9 * (MOST_SECTIONS - 1)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        # 23040^2 weights a layer, 2 GB of floats
        ("[convolutional]\nfilters=23040\nactivation=mish\n" * 40, 23040 * 3 + 39 * 23040**2),
        # windows that hang over the edge, on a map of 8 GB
        ("[upsample]\nstride=724\n[local_avgpool]\nsize=2\nstride=1\n", 0),
    ],
)
def test_layers_larger_than_memory_are_counted(text: str, weights: int, tmp_path: Path) -> None:
    path = tmp_path / "wide.cfg"
    path.write_text(NET + text)
    found = kept(lambda: count(cfg.read(path).network))
    assert isinstance(found, Count)
    assert found.parameters["weights"] == weights


def test_further_warnings_are_omitted(tmp_path: Path) -> None:
    keys = "".join(f"unknown{number}=1\n" for number in range(cfg.MOST_WARNINGS + 5))
    warnings = cfg.parse(f"{NET}[avgpool]\n{keys}", "net").warnings
    last, rest = warnings[-2:]
    assert last.startswith(f"net:{cfg.MOST_WARNINGS + 5}: unknown key unknown{cfg.MOST_WARNINGS - 1} in [avgpool] ")
    assert rest.startswith("net: ")
    assert len(warnings) == cfg.MOST_WARNINGS + 1


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cfg")
    (tmp_path / "loop.cfg").symlink_to(tmp_path / "loop.cfg")
    (tmp_path / "folder.cfg").mkdir()
    for name, words in (("pipe", "a pipe"), ("loop", "symbolic links"), ("folder", "Is a directory")):
        path = tmp_path / f"{name}.cfg"
        refused(lambda path=path: cfg.read(path), words, path)  # type: ignore[misc]
    refused(lambda: cfg.read(Path("/dev/zero")), "a pipe, socket or device")
    refused(lambda: cfg.read(Path("a\0b")), "null")


def test_a_name_with_line_ends_and_half_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"two\nlines\x1b[31m\xff.cfg")
    path.write_text(f"{NET}[avgpool]\nodd=1\n")
    found = kept(lambda: cfg.read(path))
    assert isinstance(found, cfg.Reading)
    assert found.network.name == "two\\nlines\\x1b[31m\\udcff"
    assert found.warnings[0].isprintable()
    path.write_text(f"{NET}[magic]\n")
    refused(lambda: cfg.read(path), "lines\\x1b[31m\\udcff.cfg:5, layer 0 [magic]: unknown layer type")
