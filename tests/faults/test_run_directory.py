"""Run directories that anyone may have written: the right numbers, or one error that says what and where."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refuses

from cspbench.errors import CspbenchError
from cspbench.inference import npz
from cspbench.results.encoding import encode
from cspbench.results.runs import find_runs, load_run, open_run
from faults.written_runs import ANSWER, COCO, IMAGENET, classified, copied, detected, metrics, numbers, obeys, well_told


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Complete runs, never changed: imagenet and coco, with metrics and what the server is said to have answered."""
    folder = tmp_path_factory.mktemp("whole")
    for name, record, predicted in (("imagenet", IMAGENET, classified), ("coco", COCO, detected)):
        predicted(open_run(folder / name, record).shards)
        (folder / name / "metrics.json").write_bytes(metrics(record))
        (folder / name / "server.json").write_bytes(encode([ANSWER]))
    return folder


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of some bytes: overwritten, cut off, left out or put in."""
    kind = draw(st.sampled_from(["overwrite", "overwrite", "cut", "remove", "insert"]))
    place = draw(st.floats(0, 1))
    # the headers are at a file's ends
    if draw(st.booleans()):
        place = place**8 if draw(st.booleans()) else 1 - place**8
    some = draw(st.binary(min_size=1, max_size=9))

    def change(data: bytes) -> bytes:
        at = min(len(data) - 1, int(place * len(data)))
        if kind == "overwrite":
            return data[:at] + some + data[at + len(some) :]
        if kind == "cut":
            return data[:at]
        return data[:at] + (some + data[at:] if kind == "insert" else data[at + len(some) :])

    return change


@pytest.mark.parametrize("task", ["imagenet", "coco"])
@pytest.mark.parametrize("name", ["predictions/000000.npz", "predictions/000001.npz"])
def test_damaged_shards(whole: Path, task: str, name: str) -> None:
    expected = numbers(whole / task)

    @settings(max_examples=examples(40))
    @given(damages())
    def check(damage: Callable[[bytes], bytes]) -> None:
        with copied(whole, task) as path:
            (path / name).write_bytes(damage((path / name).read_bytes()))
            obeys(path, expected)

    check()


@pytest.mark.parametrize("task", ["imagenet", "coco"])
def test_damaged_records(whole: Path, task: str) -> None:
    expected = numbers(whole / task)

    @settings(max_examples=examples(60))
    @given(damages())
    def check(damage: Callable[[bytes], bytes]) -> None:
        with copied(whole, task) as path:
            file = path / "run.json"
            file.write_bytes(damage(file.read_bytes()))
            obeys(path, expected)

    check()


@pytest.mark.parametrize("task", ["imagenet", "coco"])
@pytest.mark.parametrize("name", ["metrics.json", "server.json"])
def test_damaged_metrics_and_answers(whole: Path, task: str, name: str) -> None:
    expected = numbers(whole / task)

    @settings(max_examples=examples(40))
    @given(damages())
    def check(damage: Callable[[bytes], bytes]) -> None:
        with copied(whole, task) as path:
            (path / name).write_bytes(damage((path / name).read_bytes()))
            obeys(path, expected)

    check()


JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 300),
        st.sampled_from([10**5, 2**31, 10**12, 10**30, -(10**400), 1e308, "", "../..", "\0", "\ud800", "test-dev2017"]),
        st.floats(),
        st.text(max_size=5),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The way to every value in a record."""
    result = [here] if here else []
    if isinstance(value, dict):
        for key, each in value.items():
            result += places(each, (*here, key))
    return result


def put(value: Any, way: tuple[str, ...], new: Any) -> Any:
    """A record with another value in one place, or without that key for `KeyError`."""
    if not way:
        return new
    changed = {**value, way[0]: put(value.get(way[0]), way[1:], new)}
    if new is KeyError and len(way) == 1:
        del changed[way[0]]
    return changed


@pytest.mark.parametrize("task", ["imagenet", "coco"])
def test_records_that_lie(whole: Path, task: str) -> None:
    expected = numbers(whole / task)
    true = json.loads((whole / task / "run.json").read_text())

    @settings(max_examples=examples(150))
    @given(st.sampled_from(places(true)), JUNK | st.just(KeyError))
    def check(way: tuple[str, ...], new: Any) -> None:
        with copied(whole, task) as path:
            (path / "run.json").write_text(json.dumps(put(true, way, new)))
            obeys(path, expected)

    check()


@pytest.mark.parametrize("task", ["imagenet", "coco"])
def test_metrics_that_lie(whole: Path, task: str) -> None:
    expected = numbers(whole / task)
    true = json.loads((whole / task / "metrics.json").read_text())

    @settings(max_examples=examples(150))
    @given(st.sampled_from(places(true)), JUNK | st.just(KeyError))
    def check(way: tuple[str, ...], new: Any) -> None:
        with copied(whole, task) as path:
            (path / "metrics.json").write_text(json.dumps(put(true, way, new)))
            obeys(path, expected)

    check()


def test_answers_that_lie(whole: Path) -> None:
    expected = numbers(whole / "coco")
    (true,) = json.loads((whole / "coco" / "server.json").read_text())

    @settings(max_examples=examples(100))
    @given(st.sampled_from(places(true)), JUNK | st.just(KeyError))
    def check(way: tuple[str, ...], new: Any) -> None:
        with copied(whole, "coco") as path:
            (path / "server.json").write_text(json.dumps([put(true, way, new)]))
            obeys(path, expected)

    check()


def member(descr: str, shape: str, data: bytes, fortran: str = "False") -> bytes:
    """One array's file, whatever its header says."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one name twice
        for name, data in members:
            out.writestr(name, data)
    return stream.getvalue()


class Trap:
    """What unpickling must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(Path.cwd() / "trapped"),)


def test_arrays_that_lie(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers of any type and shape over any data, in archives of any kind."""
    monkeypatch.chdir(whole)
    expected = numbers(whole / "imagenet")
    with np.load(whole / "imagenet" / "predictions" / "000001.npz") as arrays:
        true = {f"{name}.npy": np.array(arrays[name]) for name in arrays.files}
    kinds = [
        "'<i8'",
        "'|O'",
        "'<U9'",
        "'<f4'",
        "'|b1'",
        "'|V0'",
        "'<U0'",
        "'<c16'",
        "'<U99999'",
        "[('a', '<i8')]",
        "'>i8'",
    ]
    shapes = ["(44,)", "()", "(44, 5)", "(99999999999,)", "(0,)", "(44, 0)", "(99999999, 99999999, 99999999)", "(-1,)"]

    @settings(max_examples=examples(150))
    @given(
        st.sampled_from(sorted(true)),
        st.sampled_from(kinds),
        st.sampled_from(shapes),
        st.sampled_from([b"", pickle.dumps(Trap()), bytes(352), b"\xff" * 352, bytes(880), b"\xff" * 44]),
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
        st.sampled_from([None, None, "../../out.npy", "/out.npy", "index.npy", "more.npy", "é.npy"]),
    )
    def check(name: str, kind: str, shape: str, data: bytes, compression: int, more: str | None) -> None:
        files = []
        for each, array in true.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array)
            files.append((each, member(kind, shape, data) if each == name else stream.getvalue()))
        if more is not None:
            files.append((more, files[0][1]))
        with copied(whole, "imagenet") as path:
            (path / "predictions" / "000001.npz").write_bytes(archive(files, compression))
            # all is as it should be, or what was put there is another number of the same kind
            if name not in ("classes.npy", "checksum.npy", "wnid.npy", "probability.npy", "key.npy", "ok.npy"):
                obeys(path, expected)
            else:
                try:
                    numbers(path)
                except CspbenchError as error:
                    well_told(error)
        assert not (whole / "trapped").exists()

    check()


def test_a_bomb_is_not_unpacked(whole: Path) -> None:
    zeros = member("'<i8'", "(20000000,)", bytes(160_000_000))
    with copied(whole, "imagenet") as path:
        (path / "predictions" / "000001.npz").write_bytes(archive([("index.npy", zeros)], zipfile.ZIP_DEFLATED))
        del zeros
        obeys(path, None)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (0, 4)])
def test_shapes_as_numpy_writes_them(shape: tuple[int, ...]) -> None:
    (array,) = npz.parse(npz.dump({"index": np.ones(shape, "<i4")})).values()
    assert (array.shape, array.dtype.str, array.sum()) == (shape, "<i4", array.size)


@pytest.mark.parametrize("shape", [(), (2, 0, 5), (10**9, 0)])
def test_shapes_that_no_shard_has(shape: tuple[int, ...]) -> None:
    """One value of its own, or entries without values, of which a few bytes may claim any number."""
    with pytest.raises(ValueError, match="index"):
        npz.parse(npz.dump({"index": np.ones(shape, "<i4")}))


@pytest.mark.parametrize(
    "extents",
    ["1" * 40 + "x", "1" * 30_000 + "x", "1" * 30_000, "1, " * 10_000, "1" * 30_000 + ",", "1,1" * 10_000 + "x"],
)
def test_a_long_shape_is_refused_at_once(extents: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match=r"[Hh]eader|index"):
        npz.parse(archive([("index.npy", member("'<i8'", f"({extents})", bytes(8)))], zipfile.ZIP_STORED))
    assert time.process_time() - begin < 60


OPTIONAL = ("metrics.json", "server.json")


def odd(kind: str, path: Path) -> None:
    """Put something else in a file's place."""
    path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "sparse":
        with path.open("wb") as stream:
            stream.truncate(1 << 40)


@pytest.mark.parametrize("kind", ["folder", "fifo", "endless", "loop", "nothing", "sparse"])
@pytest.mark.parametrize("name", ["run.json", "metrics.json", "server.json", "predictions/000000.npz"])
def test_odd_files(whole: Path, kind: str, name: str) -> None:
    with copied(whole, "imagenet") as path:
        odd(kind, path / name)
        result = numbers(whole / "imagenet") if kind in ("nothing", "loop") and name in OPTIONAL else None
        obeys(path, result)
        if name.startswith("predictions"):
            run = open_run(path, IMAGENET).shards
            assert run.missing() == [0]
            if kind != "folder":
                classified(run)
                assert run.missing() == []
                assert (path / name).is_file()
                assert not (path / name).is_symlink()


def test_links_lead_nowhere(whole: Path, tmp_path: Path) -> None:
    """Neither shards nor --fresh reach a folder or a file outside of the run."""
    outside = tmp_path / "outside"
    shutil.copytree(whole / "imagenet" / "predictions", outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    run = tmp_path / "run"
    run.mkdir()
    (run / "predictions").symlink_to(outside, target_is_directory=True)
    for fresh in (False, True):
        with refuses("disk.folder-is-link", where=str(run / "predictions")):
            open_run(run, IMAGENET, fresh=fresh)
    (run / "predictions").unlink()
    (run / "predictions").mkdir()
    (run / "predictions" / "000000.npz").symlink_to(outside / "000000.npz")
    (run / "run.json").symlink_to(outside / "run.json")
    classified(open_run(run, IMAGENET, fresh=True).shards)
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("x" * 5000, "a\0b", "run.json/more"):
        with refuses("run.none-there"):
            find_runs([tmp_path / name])
        with refuses("results.not-results"):
            load_run(tmp_path / name)
