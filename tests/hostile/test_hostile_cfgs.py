"""Hostile cfg files as files: random bytes, other things than files, sizes that nothing but memory limits."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given
from hypothesis import strategies as st

from cspbench.errors import printable
from cspbench.network import cfg
from cspbench.network.cfg.parser import LARGEST_FILE, MOST_SECTIONS
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
    result_of(lambda: cfg.read(path), path)


@pytest.mark.parametrize(
    ("name", "text", "code", "place", "found"),
    [
        ("sections", "[\n" * (LARGEST_FILE // 2 - 99), "cfg.too-many-layers", f":{MOST_SECTIONS + 4}", ""),
        ("layers", "[dropout]\n" * (MOST_SECTIONS + 1), "cfg.too-many-layers", f":{MOST_SECTIONS + 4}", ""),
        ("empty lines", "\n" * (LARGEST_FILE - 99), "network.no-layers", ":1", ""),
        (
            "a billion filters",
            "[convolutional]\nfilters=1000000000\n",
            "cfg.out-of-range",
            ":5, layer 0 [convolutional]",
            "1000000000",
        ),
        ("a cycle", "[dropout]\n[route]\nlayers=1\n", "network.unknown-source", ":7, layer 1 [route]", "1"),
        ("a NUL byte", "[dropout]\n\0", "cfg.binary", "", "46"),
    ],
)
def test_files_that_are_refused(name: str, text: str, code: str, place: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "large.cfg"
    path.write_text(NET + text)
    refused(lambda: cfg.read(path), code, path, found=found, where=f"{path}{place}")


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
    result = result_of(lambda: cfg.read(path))
    assert isinstance(result, cfg.Reading)
    assert len(result.network.layers) == layers
    assert len(result.warnings) <= cfg.MOST_WARNINGS + 1


def test_the_most_layers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "tall.cfg"
    path.write_text(NET + "[convolutional]\nfilters=3\nbatch_normalize=1\nactivation=leaky\n" * (MOST_SECTIONS - 1))
    result = result_of(lambda: count(cfg.read(path).network))
    assert isinstance(result, Count)
    assert result.parameters["weights"] == 9 * (MOST_SECTIONS - 1)


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
    result = result_of(lambda: count(cfg.read(path).network))
    assert isinstance(result, Count)
    assert result.parameters["weights"] == weights


def test_further_warnings_are_omitted(tmp_path: Path) -> None:
    keys = "".join(f"unknown{number}=1\n" for number in range(cfg.MOST_WARNINGS + 5))
    warnings = cfg.parse(f"{NET}[avgpool]\n{keys}", "net").warnings
    last, rest = warnings[-2:]
    assert last.startswith(f"net:{cfg.MOST_WARNINGS + 5}: unknown key unknown{cfg.MOST_WARNINGS - 1} in [avgpool] ")
    assert rest.startswith("net: ")
    assert len(warnings) == cfg.MOST_WARNINGS + 1


def test_what_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cfg")
    (tmp_path / "loop.cfg").symlink_to(tmp_path / "loop.cfg")
    (tmp_path / "folder.cfg").mkdir()
    folder, loop = os.strerror(errno.EISDIR), os.strerror(errno.ELOOP)
    for name, result in (("pipe", "pipe"), ("loop", loop), ("folder", folder)):
        path = tmp_path / f"{name}.cfg"
        refused(lambda path=path: cfg.read(path), "cfg.unreadable", path, found=result)  # type: ignore[misc]
    refused(lambda: cfg.read(Path("/dev/zero")), "cfg.unreadable", found="device")
    refused(lambda: cfg.read(Path("a\0b")), "cfg.unreadable", found="null")


def test_a_name_with_line_ends_and_half_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"two\nlines\x1b[31m\xff.cfg")
    path.write_text(f"{NET}[avgpool]\nodd=1\n")
    result = result_of(lambda: cfg.read(path))
    assert isinstance(result, cfg.Reading)
    assert result.network.name == "two\\nlines\\x1b[31m\\udcff"
    assert result.warnings[0].isprintable()
    path.write_text(f"{NET}[magic]\n")
    where = f"{printable(str(path))}:5, layer 0 [magic]"
    refused(lambda: cfg.read(path), "cfg.unknown-layer", path, found="[magic]", where=where)
