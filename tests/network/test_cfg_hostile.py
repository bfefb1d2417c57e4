"""Hostile cfg files: each is refused with file, line, layer, what was expected and found; nothing else is raised."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.errors import CspbenchError, DefinitionError
from cspbench.network import cfg
from cspbench.network.cfg.parser import MOST_SECTIONS
from cspbench.network.counting import ledger

NET = "[net]\nwidth=8\nheight=8\nchannels=4\n"
CONV = "[convolutional]\nfilters=18\nactivation=linear\n"
YOLO = f"{NET}{CONV}[yolo]\nclasses=1\n"
BILLION = 10**9

# name: text, where after the file's name, code, what is found, and the key where the code is of any key
TEXTS: dict[str, tuple[str, str, str, str, str]] = {
    "recurrent": (f"{NET}[lstm]\n", ":5, layer 0 [lstm]", "cfg.recurrent", "[lstm]", ""),
    "unknown later section": (
        f"{NET}[avgpool]\n\n[magic]\n",
        ":7, layer 1 [magic]",
        "cfg.unknown-layer",
        "[magic]",
        "",
    ),
    "nameless section": (f"{NET}[\n", ":5, layer 0 []", "cfg.unknown-layer", "[]", ""),
    "missing net": (CONV, ":1", "cfg.first-section", "[convolutional]", ""),
    "net comes later": (f"{CONV}{NET}", ":1", "cfg.first-section", "[convolutional]", ""),
    "no layer": (NET, ":1", "network.no-layers", "none", ""),
    "empty": ("", "", "cfg.empty", "no sections", ""),
    "comments only": ("# [net]\n; [convolutional]\n", "", "cfg.empty", "no sections", ""),
    "key before a section": ("width=8\n[net]\n", ":1", "cfg.bad-line", "'width=8'", ""),
    "line without a key": (f"{NET}nonsense\n", ":5", "cfg.bad-line", "'nonsense'", ""),
    "missing width": ("[net]\nheight=8\nchannels=3\n[avgpool]\n", ":1", "cfg.missing-key", "nothing", "width"),
    "missing channels": ("[net]\nheight=8\nwidth=3\n[avgpool]\n", ":1", "cfg.missing-key", "nothing", "channels"),
    "width 0": ("[net]\nwidth=0\nheight=8\nchannels=3\n[avgpool]\n", ":1", "network.input-out-of-range", "3x8x0", ""),
    "negative height": (
        "[net]\nwidth=8\nheight=-8\nchannels=3\n[avgpool]\n",
        ":1",
        "network.input-out-of-range",
        "3x-8x8",
        "",
    ),
    "huge input": (
        "[net]\nwidth=99999\nheight=99999\nchannels=3\n[avgpool]\n",
        ":1",
        "network.input-out-of-range",
        "3x99999x99999",
        "",
    ),
    "input beyond int": (
        "[net]\nwidth=3000000000\nheight=9\nchannels=3\n[avgpool]\n",
        ":2",
        "cfg.out-of-range",
        "'3000000000'",
        "width",
    ),
    "missing from": (
        f"{NET}{CONV}[shortcut]\nactivation=linear\n",
        ":8, layer 1 [shortcut]",
        "cfg.missing-key",
        "nothing",
        "from",
    ),
    "missing layers": (f"{NET}{CONV}[route]\n", ":8, layer 1 [route]", "cfg.missing-key", "nothing", "layers"),
    "filters a word": (
        f"{NET}[convolutional]\nfilters=many\n",
        ":6, layer 0 [convolutional]",
        "cfg.bad-value",
        "'many'",
        "filters",
    ),
    "filters empty": (
        f"{NET}[convolutional]\nfilters=\n",
        ":6, layer 0 [convolutional]",
        "cfg.bad-value",
        "''",
        "filters",
    ),
    "filters nan": (
        f"{NET}[convolutional]\nfilters=nan\n",
        ":6, layer 0 [convolutional]",
        "cfg.bad-value",
        "'nan'",
        "filters",
    ),
    "no filters": (
        f"{NET}[convolutional]\nfilters=0\n",
        ":5, layer 0 [convolutional]",
        "cfg.out-of-range",
        "0",
        "filters",
    ),
    "negative filters": (
        f"{NET}[convolutional]\nfilters=-8\n",
        ":5, layer 0 [convolutional]",
        "cfg.out-of-range",
        "-8",
        "filters",
    ),
    "absurd filters": (
        f"{NET}[convolutional]\nfilters={BILLION}\n",
        ":5, layer 0 [convolutional]",
        "cfg.out-of-range",
        "1000000000",
        "filters",
    ),
    "absurd size": (
        f"{NET}[convolutional]\nsize={BILLION}\npad=1\n",
        ":5, layer 0 [convolutional]",
        "cfg.out-of-range",
        "1000000000",
        "size",
    ),
    "size 0": (f"{NET}[convolutional]\nsize=0\n", ":5, layer 0 [convolutional]", "cfg.out-of-range", "0", "size"),
    "stride 0": (f"{NET}[convolutional]\nstride=0\n", ":5, layer 0 [convolutional]", "cfg.out-of-range", "0", "stride"),
    "pool stride 0": (
        f"{NET}[maxpool]\nsize=2\nstride=0\n",
        ":5, layer 0 [maxpool]",
        "cfg.out-of-range",
        "0",
        "stride",
    ),
    "pool strides": (
        f"{NET}[maxpool]\nstride=2\nstride_x=0\n",
        ":5, layer 0 [maxpool]",
        "cfg.out-of-range",
        "0",
        "stride_x",
    ),
    "padding of local": (
        f"{NET}[local]\nsize=5\npad=1\n",
        ":5, layer 0 [local]",
        "network.local-padding",
        "size=5, pad=1",
        "",
    ),
    "a wide normalisation": (
        f"{NET}[lrn]\nsize=10\n",
        ":5, layer 0 [normalization]",
        "network.window-too-large",
        "10",
        "",
    ),
    "values of YOLOv1": (
        f"{NET}[detection]\nside=2\n",
        ":5, layer 0 [detection]",
        "network.head-filters",
        "256",
        "",
    ),
    "groups 0": (f"{NET}[convolutional]\ngroups=0\n", ":5, layer 0 [convolutional]", "cfg.out-of-range", "0", "groups"),
    "groups 3": (
        f"{NET}[convolutional]\nfilters=6\ngroups=3\n",
        ":5, layer 0 [convolutional]",
        "network.indivisible-groups",
        "groups=3",
        "",
    ),
    "dilation": (
        f"{NET}[convolutional]\nsize=3\ndilation=2\n",
        ":5, layer 0 [convolutional]",
        "network.dilation",
        "size=3, padding=0, dilation=2",
        "",
    ),
    "activation": (
        f"{NET}[convolutional]\nactivation=glu\n",
        ":5, layer 0 [convolutional]",
        "cfg.unknown-value",
        "'glu'",
        "activation",
    ),
    "too small a map": (
        f"{NET}[convolutional]\nsize=9\n",
        ":5, layer 0 [convolutional]",
        "network.window-too-large",
        "8x8",
        "",
    ),
    "map beyond int": (
        f"{NET}[upsample]\nstride=1024\n[upsample]\nstride=1024\n",
        ":7, layer 1 [upsample]",
        "network.too-large",
        "281474976710656",
        "",  # 4 * 8192 * 8192 fits; the next does not
    ),
    "array beyond int": (
        f"{NET}[connected]\noutput=1000000\n[connected]\noutput=1000000\n",
        ":7, layer 1 [connected]",
        "network.too-large",
        "1000000000000",
        "",
    ),
    "route of the first layer": (
        f"{NET}[route]\nlayers=-1\n",
        ":6, layer 0 [route]",
        "network.unknown-source",
        "-1",
        "",
    ),
    "route ahead": (f"{NET}{CONV}[route]\nlayers=1\n", ":9, layer 1 [route]", "network.unknown-source", "1", ""),
    "route too far back": (
        f"{NET}{CONV}[route]\nlayers=-1,-2\n",
        ":9, layer 1 [route]",
        "network.unknown-source",
        "-2",
        "",
    ),
    "route to words": (
        f"{NET}{CONV}[route]\nlayers=-1,x\n",
        ":9, layer 1 [route]",
        "cfg.bad-value",
        "'-1,x'",
        "layers",
    ),
    "shortcut ahead": (f"{NET}{CONV}[shortcut]\nfrom=7\n", ":9, layer 1 [shortcut]", "network.unknown-source", "7", ""),
    "share ahead": (
        f"{NET}[convolutional]\nshare_index=0\n",
        ":6, layer 0 [convolutional]",
        "network.unknown-source",
        "0",
        "",
    ),
    "share a pool": (
        f"{NET}[avgpool]\n[convolutional]\nshare_index=0\n",
        ":6, layer 1 [convolutional]",
        "network.unknown-share",
        "layer 0",
        "",
    ),
    "route of two sizes": (
        f"{NET}[maxpool]\nstride=2\n[route]\nlayers=-1\n[upsample]\n[route]\nlayers=0,2\n",
        ":10, layer 3 [route]",
        "network.route-sizes",
        "layer 0: 4x4, layer 2: 8x8",
        "",
    ),
    "route groups": (
        f"{NET}{CONV}[route]\nlayers=-1\ngroups=4\n",
        ":8, layer 1 [route]",
        "network.indivisible-groups",
        "groups=4",
        "",
    ),
    "shortcut ratio": (
        f"{NET}{CONV}[convolutional]\nstride_x=2\n[shortcut]\nfrom=-2\n",
        ":10, layer 2 [shortcut]",
        "network.shortcut-sizes",
        "8x8 to 8x4",
        "",
    ),
    "mask beyond anchors": (
        f"{YOLO}mask=0,1,3\nnum=3\nanchors=1,1,2,2,3,3\n",
        ":8, layer 1 [yolo]",
        "network.unknown-anchor",
        "3",
        "",
    ),
    "negative mask": (
        f"{YOLO}mask=-1\nnum=3\nanchors=1,1,2,2,3,3\n",
        ":8, layer 1 [yolo]",
        "network.unknown-anchor",
        "-1",
        "",
    ),
    "empty mask": (f"{YOLO}mask=\nnum=3\nanchors=1,1,2,2,3,3\n", ":10, layer 1 [yolo]", "cfg.bad-value", "''", "mask"),
    "anchors of words": (f"{YOLO}num=1\nanchors=a,b\n", ":11, layer 1 [yolo]", "cfg.bad-value", "'a,b'", "anchors"),
    "num 0": (f"{YOLO}num=0\n", ":10, layer 1 [yolo]", "cfg.out-of-range", "0", "num"),
    "absurd num": (f"{YOLO}num={BILLION}\n", ":10, layer 1 [yolo]", "cfg.out-of-range", "1000000000", "num"),
    "absurd region num": (
        f"{NET}{CONV}[region]\nnum={BILLION}\n",
        ":9, layer 1 [region]",
        "cfg.out-of-range",
        "1000000000",
        "num",
    ),
    "filters before yolo": (
        f"{YOLO}mask=0\nnum=1\nanchors=1,1\n",
        ":8, layer 1 [yolo]",
        "network.head-filters",
        "18",
        "",
    ),
    "absurd classes": (
        f"{YOLO}classes=1\n".replace("classes=1", f"classes={BILLION}"),
        ":8, layer 1 [yolo]",
        "cfg.out-of-range",
        "1000000000",
        "classes",
    ),
    "a million digits": (
        f"{NET}[convolutional]\nfilters={'9' * 10**6}\n",
        ":6, layer 0 [convolutional]",
        "cfg.out-of-range",
        "'9999999999999999999999999999999999999...'",
        "filters",
    ),
    "a million digits behind the point": (
        f"{NET}[upsample]\nscale=1{'0' * 10**6}.5\n",
        ":6, layer 0 [upsample]",
        "cfg.out-of-range",
        "'1000000000000000000000000000000000000...'",
        "scale",
    ),
    "an exponent": (
        f"{NET}[upsample]\nscale=1e999999999\n",
        ":6, layer 0 [upsample]",
        "cfg.out-of-range",
        "'1e999999999'",
        "scale",
    ),
    "a long unknown activation": (
        f"{NET}[convolutional]\nactivation={'x' * 10**6}\n",
        ":5, layer 0 [convolutional]",
        "cfg.unknown-value",
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'",
        "activation",
    ),
    "a long section": (
        f"{NET}[{'x' * 10**6}]\n",
        ":5, layer 0 [",
        "cfg.unknown-layer",
        "[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...]",
        "",
    ),
    "a long first section": (
        f"[{'x' * 10**6}]\n",
        ":1",
        "cfg.first-section",
        "[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...]",
        "",
    ),
    "a long line": (f"{NET}{'x' * 10**6}\n", ":5", "cfg.bad-line", "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'", ""),
    "a replaced byte": (
        f"{NET}[convolutional]\nfilters=\ufffd8\n",
        ":6, layer 0 [convolutional]",
        "cfg.bad-value",
        "'�8'",
        "filters",
    ),
    "a NUL inside": (
        f"{NET}[convolutional]\nfilters=\x008\n",
        ":6, layer 0 [convolutional]",
        "cfg.bad-value",
        "'\\\\x008'",
        "filters",
    ),
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
    text, where, code, result, key = TEXTS[name]
    with refuses(code, found=result) as caught:
        cfg.parse(text, "hostile", "hostile.cfg")
    complaint(caught.value)
    assert not key or f" {key}=" in str(caught.value.remedy)
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


# name: bytes, code, where after the path, and what is found
FILES: dict[str, tuple[bytes, str, str, str]] = {
    "empty": (b"", "cfg.empty", "", "no sections"),
    "binary": (bytes(range(256)) * 64, "cfg.binary", "", "a NUL byte at 0"),
    "UTF-16": ("\ufeff[net]\nwidth=8\n".encode("utf-16"), "cfg.binary", "", "a NUL byte at 5"),
    "UTF-16 without mark": ("[net]\nwidth=8\n".encode("utf-16-be"), "cfg.binary", "", "a NUL byte at 0"),
    "NUL": (NET.encode() + b"[avgpool]\n\0", "cfg.binary", "", "a NUL byte at 44"),
    "latin-1 in a value": (b"[net]\nchannels=1\nheight=1\nwidth=\xe98\n", "cfg.bad-value", ":4", "'\ufffd8'"),
    "weights": (b"\x00\x00\x00\x00\x02\x00\x00\x00", "cfg.binary", "", "a NUL byte at 0"),
    "too large": (b"#" * (16 * 2**20 + 1), "cfg.file-too-large", "", "more"),
    "one line of 10 MB": (
        b"[net]\nheight=1\nchannels=1\nwidth" + b"=" * 10**7,
        "cfg.bad-value",
        ":4",
        f"'{'=' * 37}...'",
    ),
    "one key of 10 MB": (b"[net]\n" + b"a" * 10**7, "cfg.bad-line", ":2", f"'{'a' * 37}...'"),
    "one list of 10 MB": (
        NET.encode() + b"[avgpool]\n[route]\nlayers=" + b"-1," * 3_000_000,
        "cfg.list-too-long",
        ":7, layer 1 [route]",
        "more",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_cfg(name: str, tmp_path: Path) -> None:
    data, code, where, result = FILES[name]
    path = tmp_path / "hostile.cfg"
    path.write_bytes(data)
    with refuses(code, where=f"{path}{where}", found=result) as caught:
        cfg.read(path)
    complaint(caught.value)


def test_a_long_line_that_is_only_odd_is_warned_about_in_a_short_text() -> None:
    text = f"{NET}[avgpool]\n{'k' * 10**7}=1\n[maxpool]\nsize=2{'z' * 10**6}\n"
    reading = cfg.parse(text, "odd")
    assert [len(warning) < 200 for warning in reading.warnings] == [True, True]


@pytest.mark.parametrize("end", ["x", ".x", "ex", "e+x", ".5e9x", ""])
def test_a_long_number_is_read_at_once(end: str) -> None:
    begin = time.process_time()
    for key in ("filters", "size"):
        with refuses("cfg.out-of-range", where="long:6, layer 0 [convolutional]", found=f"'{'1' * 37}...'"):
            cfg.parse(f"{NET}[convolutional]\n{key}={'1' * 40_000}{end}\n", "long")
    cfg.parse(f"{NET}[convolutional]\nfilters=4\n[dropout]\nprobability=.{'1' * 40_000}{end}\n", "long")
    assert time.process_time() - begin < 1  # the square of the length would take many times that


def test_directory_and_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.cfg"):
        with refuses("cfg.unreadable", where=str(path)) as caught:
            cfg.read(path)
        complaint(caught.value)


TALL = "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"


def test_the_last_of_the_most_layers_is_read_and_found() -> None:
    network = cfg.parse(NET + TALL * (MOST_SECTIONS - 1), "tall").network
    assert len(network.layers) == MOST_SECTIONS - 1
    assert network.shape(MOST_SECTIONS - 2) == (4, 8, 8)
    assert ledger(network).total("mac") == (MOST_SECTIONS - 1) * 4 * 4 * 9 * 64
    text = NET + "[dropout]\n" * (MOST_SECTIONS - 2) + "[route]\nlayers=100000\n"
    where = f"tall:{MOST_SECTIONS + 4}, layer {MOST_SECTIONS - 2} [route]"
    with refuses("network.unknown-source", where=where, found="100000"):
        cfg.parse(text, "tall")


def test_a_hundred_thousand_layers_are_refused_before_they_are_read() -> None:
    where = f"tall:{4 + 5 * (MOST_SECTIONS - 1) + 1}"  # the line after the last that may be
    with refuses("cfg.too-many-layers", where=where, found="more") as caught:
        cfg.parse(NET + TALL * 100_000, "tall")
    complaint(caught.value)
