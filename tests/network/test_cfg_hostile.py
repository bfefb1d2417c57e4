"""Hostile cfg files: each is refused with file, line, layer, what was expected and found; nothing else is raised."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from cspbench.errors import CspbenchError, DefinitionError
from cspbench.network import cfg
from cspbench.network.cfg_parser import MOST_SECTIONS
from cspbench.network.counting import ledger

NET = "[net]\nwidth=8\nheight=8\nchannels=4\n"
CONV = "[convolutional]\nfilters=18\nactivation=linear\n"
YOLO = f"{NET}{CONV}[yolo]\nclasses=1\n"
BILLION = 10**9

# name: text, where after the file's name, and words of the message
TEXTS: dict[str, tuple[str, str, str]] = {
    "unknown section": (f"{NET}[lstm]\n", ":5, layer 0 [lstm]", "unknown layer type"),
    "unknown later section": (f"{NET}[avgpool]\n\n[magic]\n", ":7, layer 1 [magic]", "unknown layer type"),
    "nameless section": (f"{NET}[\n", ":5, layer 0 []", "unknown layer type"),
    "missing net": (CONV, ":1", "the first section is not [net]"),
    "net comes later": (f"{CONV}{NET}", ":1", "the first section is not [net]"),
    "no layer": (NET, ":1", "at least one layer"),
    "empty": ("", "", "empty"),
    "comments only": ("# [net]\n; [convolutional]\n", "", "empty"),
    "key before a section": ("width=8\n[net]\n", ":1", "not a line of a cfg"),
    "line without a key": (f"{NET}nonsense\n", ":5", "not a line of a cfg"),
    "missing width": ("[net]\nheight=8\nchannels=3\n[avgpool]\n", ":1", "lacks the key width"),
    "missing channels": ("[net]\nheight=8\nwidth=3\n[avgpool]\n", ":1", "lacks the key channels"),
    "width 0": ("[net]\nwidth=0\nheight=8\nchannels=3\n[avgpool]\n", ":1", "input is out of range"),
    "negative height": ("[net]\nwidth=8\nheight=-8\nchannels=3\n[avgpool]\n", ":1", "input is out of range"),
    "huge input": ("[net]\nwidth=99999\nheight=99999\nchannels=3\n[avgpool]\n", ":1", "input is out of range"),
    "input beyond int": ("[net]\nwidth=3000000000\nheight=9\nchannels=3\n[avgpool]\n", ":2", "width in [net]"),
    "missing from": (f"{NET}{CONV}[shortcut]\nactivation=linear\n", ":8, layer 1 [shortcut]", "lacks the key from"),
    "missing layers": (f"{NET}{CONV}[route]\n", ":8, layer 1 [route]", "lacks the key layers"),
    "filters a word": (f"{NET}[convolutional]\nfilters=many\n", ":6, layer 0 [convolutional]", "filters in"),
    "filters empty": (f"{NET}[convolutional]\nfilters=\n", ":6, layer 0 [convolutional]", "filters in"),
    "filters nan": (f"{NET}[convolutional]\nfilters=nan\n", ":6, layer 0 [convolutional]", "filters in"),
    "no filters": (f"{NET}[convolutional]\nfilters=0\n", ":5, layer 0 [convolutional]", "filters is out of range"),
    "negative filters": (f"{NET}[convolutional]\nfilters=-8\n", ":5, layer 0 [convolutional]", "filters is out of"),
    "absurd filters": (
        f"{NET}[convolutional]\nfilters={BILLION}\n",
        ":5, layer 0 [convolutional]",
        "filters is out of",
    ),
    "absurd size": (f"{NET}[convolutional]\nsize={BILLION}\npad=1\n", ":5, layer 0 [convolutional]", "size is out of"),
    "size 0": (f"{NET}[convolutional]\nsize=0\n", ":5, layer 0 [convolutional]", "size is out of range"),
    "stride 0": (f"{NET}[convolutional]\nstride=0\n", ":5, layer 0 [convolutional]", "stride is out of range"),
    "pool stride 0": (f"{NET}[maxpool]\nsize=2\nstride=0\n", ":5, layer 0 [maxpool]", "stride is out of range"),
    "pool strides": (f"{NET}[maxpool]\nstride=2\nstride_x=1\n", ":7, layer 0 [maxpool]", "different strides"),
    "groups 0": (f"{NET}[convolutional]\ngroups=0\n", ":5, layer 0 [convolutional]", "groups is out of range"),
    "groups 3": (f"{NET}[convolutional]\nfilters=6\ngroups=3\n", ":5, layer 0 [convolutional]", "groups do not divide"),
    "dilation": (f"{NET}[convolutional]\nsize=3\ndilation=2\n", ":5, layer 0 [convolutional]", "dilation does not fit"),
    "activation": (f"{NET}[convolutional]\nactivation=gelu\n", ":5, layer 0 [convolutional]", "unknown activation"),
    "too small a map": (f"{NET}[convolutional]\nsize=9\n", ":5, layer 0 [convolutional]", "larger than its padded"),
    "map beyond int": (
        f"{NET}[upsample]\nstride=1024\n[upsample]\nstride=1024\n",
        ":7, layer 1 [upsample]",
        "too large",  # 4 * 8192 * 8192 fits; the next does not
    ),
    "array beyond int": (
        f"{NET}[connected]\noutput=1000000\n[connected]\noutput=1000000\n",
        ":7, layer 1 [connected]",
        "too large",
    ),
    "route of the first layer": (f"{NET}[route]\nlayers=-1\n", ":6, layer 0 [route]", "does not lie before"),
    "route ahead": (f"{NET}{CONV}[route]\nlayers=1\n", ":9, layer 1 [route]", "does not lie before"),
    "route too far back": (f"{NET}{CONV}[route]\nlayers=-1,-2\n", ":9, layer 1 [route]", "does not lie before"),
    "route to words": (f"{NET}{CONV}[route]\nlayers=-1,x\n", ":9, layer 1 [route]", "layers in [route]"),
    "shortcut ahead": (f"{NET}{CONV}[shortcut]\nfrom=7\n", ":9, layer 1 [shortcut]", "does not lie before"),
    "share ahead": (f"{NET}[convolutional]\nshare_index=0\n", ":6, layer 0 [convolutional]", "does not lie before"),
    "share a pool": (
        f"{NET}[avgpool]\n[convolutional]\nshare_index=0\n",
        ":6, layer 1 [convolutional]",
        "share_index does not name",
    ),
    "route of two sizes": (
        f"{NET}[maxpool]\nstride=2\n[route]\nlayers=-1\n[upsample]\n[route]\nlayers=0,2\n",
        ":10, layer 3 [route]",
        "different size",
    ),
    "route groups": (f"{NET}{CONV}[route]\nlayers=-1\ngroups=4\n", ":8, layer 1 [route]", "groups do not divide"),
    "shortcut ratio": (
        f"{NET}{CONV}[convolutional]\nstride_x=2\n[shortcut]\nfrom=-2\n",
        ":10, layer 2 [shortcut]",
        "sizes do not fit",
    ),
    "mask beyond anchors": (f"{YOLO}mask=0,1,3\nnum=3\nanchors=1,1,2,2,3,3\n", ":8, layer 1 [yolo]", "mask names"),
    "negative mask": (f"{YOLO}mask=-1\nnum=3\nanchors=1,1,2,2,3,3\n", ":8, layer 1 [yolo]", "mask names"),
    "empty mask": (f"{YOLO}mask=\nnum=3\nanchors=1,1,2,2,3,3\n", ":10, layer 1 [yolo]", "mask in [yolo]"),
    "too few anchors": (f"{YOLO}num=3\nanchors=1,1,2,2,3\n", ":11, layer 1 [yolo]", "fewer anchors than num"),
    "anchors of words": (f"{YOLO}num=1\nanchors=a,b\n", ":11, layer 1 [yolo]", "anchors in [yolo]"),
    "num 0": (f"{YOLO}num=0\n", ":10, layer 1 [yolo]", "num is out of range"),
    "absurd num": (f"{YOLO}num={BILLION}\n", ":10, layer 1 [yolo]", "num is out of range"),
    "absurd region num": (f"{NET}{CONV}[region]\nnum={BILLION}\n", ":9, layer 1 [region]", "num is out of range"),
    "filters before yolo": (f"{YOLO}mask=0\nnum=1\nanchors=1,1\n", ":8, layer 1 [yolo]", "does not fit the conv"),
    "absurd classes": (
        f"{YOLO}classes=1\n".replace("classes=1", f"classes={BILLION}"),
        ":8, layer 1 [yolo]",
        "classes",
    ),
    "a million digits": (
        f"{NET}[convolutional]\nfilters={'9' * 10**6}\n",
        ":6, layer 0 [convolutional]",
        "filters in [convolutional]",
    ),
    "a million digits behind the point": (
        f"{NET}[upsample]\nscale=1{'0' * 10**6}.5\n",
        ":6, layer 0 [upsample]",
        "scale in [upsample]",
    ),
    "an exponent": (f"{NET}[upsample]\nscale=1e999999999\n", ":6, layer 0 [upsample]", "scale in [upsample]"),
    "a long unknown activation": (
        f"{NET}[convolutional]\nactivation={'x' * 10**6}\n",
        ":5, layer 0 [convolutional]",
        "unknown activation",
    ),
    "a long section": (f"{NET}[{'x' * 10**6}]\n", ":5, layer 0 [", "unknown layer type"),
    "a long first section": (f"[{'x' * 10**6}]\n", ":1", "the first section is not [net]"),
    "a long line": (f"{NET}{'x' * 10**6}\n", ":5", "not a line of a cfg"),
    "a replaced byte": (f"{NET}[convolutional]\nfilters=\ufffd8\n", ":6, layer 0 [convolutional]", "filters in"),
    "a NUL inside": (f"{NET}[convolutional]\nfilters=\x008\n", ":6, layer 0 [convolutional]", "filters in"),
}


def complaint(error: CspbenchError) -> str:
    """The message, once it is known to have all its parts and to be short enough to read."""
    assert isinstance(error, DefinitionError)
    assert error.where
    assert error.expected
    assert error.found
    assert error.remedy
    text = str(error)
    assert error.where in text
    assert len(text) < 800
    assert text.isprintable()
    return text


@pytest.mark.parametrize("name", TEXTS)
def test_refused_with_file_line_and_layer(name: str) -> None:
    text, where, words = TEXTS[name]
    with pytest.raises(DefinitionError) as caught:
        cfg.parse(text, "hostile", "hostile.cfg")
    assert words in complaint(caught.value)
    place = f"hostile.cfg{where}"
    assert caught.value.where is not None
    assert caught.value.where.startswith(place) if where.endswith("[") else caught.value.where == place


@pytest.mark.parametrize(
    "name",
    [
        "absurd filters",
        "absurd size",
        "huge input",
        "map beyond int",
        "array beyond int",
        "absurd num",
        "absurd classes",
    ],
)
def test_absurd_numbers_allocate_nothing(name: str) -> None:
    text, *_ = TEXTS[name]
    tracemalloc.start()
    try:
        with pytest.raises(DefinitionError):
            cfg.parse(text, "hostile")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**18


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "binary": (bytes(range(256)) * 64, "binary or UTF-16"),
    "UTF-16": ("\ufeff[net]\nwidth=8\n".encode("utf-16"), "binary or UTF-16"),
    "UTF-16 without mark": ("[net]\nwidth=8\n".encode("utf-16-be"), "binary or UTF-16"),
    "NUL": (NET.encode() + b"[avgpool]\n\0", "binary or UTF-16"),
    "latin-1 in a value": (b"[net]\nchannels=1\nheight=1\nwidth=\xe98\n", "width in [net] cannot be read"),
    "weights": (b"\x00\x00\x00\x00\x02\x00\x00\x00", "binary or UTF-16"),
    "too large": (b"#" * (16 * 2**20 + 1), "too large for a cfg"),
    "one line of 10 MB": (b"[net]\nheight=1\nchannels=1\nwidth" + b"=" * 10**7, "cannot be read"),
    "one key of 10 MB": (b"[net]\n" + b"a" * 10**7, "not a line of a cfg"),
    "one list of 10 MB": (NET.encode() + b"[avgpool]\n[route]\nlayers=" + b"-1," * 3_000_000, "lists more than"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_cfg(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    path = tmp_path / "hostile.cfg"
    path.write_bytes(data)
    with pytest.raises(DefinitionError) as caught:
        cfg.read(path)
    text = complaint(caught.value)
    assert words in text
    assert text.startswith(str(path))


def test_a_long_line_that_is_only_odd_is_warned_about_in_a_short_text() -> None:
    text = f"{NET}[avgpool]\n{'k' * 10**7}=1\n[maxpool]\nsize=2{'z' * 10**6}\n"
    reading = cfg.parse(text, "odd")
    assert [len(each) < 200 for each in reading.warnings] == [True, True]


@pytest.mark.parametrize("end", ["x", ".x", "ex", "e+x", ".5e9x", ""])
def test_a_long_number_is_read_at_once(end: str) -> None:
    begin = time.process_time()
    for key in ("filters", "size"):
        with pytest.raises(DefinitionError, match=f"{key} in"):
            cfg.parse(f"{NET}[convolutional]\n{key}={'1' * 40_000}{end}\n", "long")
    cfg.parse(f"{NET}[convolutional]\nfilters=4\n[dropout]\nprobability=.{'1' * 40_000}{end}\n", "long")
    assert time.process_time() - begin < 1  # the square of the length would take many times that


def test_directory_and_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.cfg"):
        with pytest.raises(DefinitionError) as caught:
            cfg.read(path)
        assert complaint(caught.value).startswith(f"{path}: the cfg file cannot be read")


TALL = "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"


def test_the_last_of_the_most_layers_is_read_and_found() -> None:
    network = cfg.parse(NET + TALL * (MOST_SECTIONS - 1), "tall").network
    assert len(network.layers) == MOST_SECTIONS - 1
    assert network.shape(MOST_SECTIONS - 2) == (4, 8, 8)
    assert ledger(network).total("mac") == (MOST_SECTIONS - 1) * 4 * 4 * 9 * 64
    text = NET + "[dropout]\n" * (MOST_SECTIONS - 2) + "[route]\nlayers=100000\n"
    with pytest.raises(
        DefinitionError, match=rf"tall:{MOST_SECTIONS + 4}, layer {MOST_SECTIONS - 2} \[route\]: layers"
    ):
        cfg.parse(text, "tall")


def test_a_hundred_thousand_layers_are_refused_before_they_are_read() -> None:
    with pytest.raises(DefinitionError) as caught:
        cfg.parse(NET + TALL * 100_000, "tall")
    assert caught.value.where == f"tall:{4 + 5 * (MOST_SECTIONS - 1) + 1}"  # the line after the last that may be
    assert "too many layers" in complaint(caught.value)
