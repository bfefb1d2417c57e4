"""Hostile ImageNet folders and lists: names of every kind, files that change, the command on both."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given
from PIL import Image

from cspbench.cli.terminal.progress import Terminal
from cspbench.data import labels
from cspbench.data.check import Report, check
from cspbench.data.imagenet import open_imagenet, scan
from cspbench.data.source import FileSource
from cspbench.io import write_json

TENCH = "n01440764"


def jpeg(size: tuple[int, int] = (40, 40)) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise(size, 90).save(stream, "JPEG")
    return stream.getvalue()


def fill(folder: Path, *names: str | bytes) -> Path:
    """Images below a folder, which is given back."""
    for name in names:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(jpeg())
    return folder


ODD = ["a b", "two\nlines", "\x1b[31mred", "grün 鱼", "a..b", "-rf", "$(x)", "a|b", "\u202egnp", "x" * 240, "\x85\x9b"]


def test_names_of_every_kind(tmp_path: Path) -> None:
    raw = [os.fsencode(f"{TENCH}/{name}.JPEG") for name in ODD] + [TENCH.encode() + b"/\xff\xfe.JPEG"]
    source = open_imagenet(fill(tmp_path, *raw))
    assert len(source) == len(raw)
    assert isinstance(source, FileSource)
    report = check(source)
    write_json(tmp_path / "run.json", {**source.as_json(), **report.as_json()})
    again = json.loads((tmp_path / "run.json").read_bytes())
    assert {entry.key for entry in source.entries} == {f"{TENCH}/{name}.JPEG" for name in (*ODD, "\\xff\\xfe")}
    assert again["usable"]


def test_a_label_file_with_half_bytes_in_its_name(tmp_path: Path) -> None:
    fill(tmp_path / "images", "a.JPEG")
    path = tmp_path / os.fsdecode(b"two\nlines\xff.txt")
    path.write_text(f"a {TENCH}\n")
    source = scan(tmp_path / "images", path)
    report = check(source).as_json()
    assert source.as_json()["labels"] == report["labels"] == "two\nlines\\xff.txt"
    assert report["order"]["source"] == "the label file two\\nlines\\xff.txt"
    json.dumps([source.as_json(), report], ensure_ascii=False).encode()
    path.write_text(f"a {TENCH}\na {TENCH[:-1]}5\n")
    label = f"{TENCH[:-1]}5"
    refused(lambda: scan(tmp_path / "images", path), "labels.unknown-class", path, found=label, where=f"{path}, line 2")


def test_names_in_the_progress_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Terminal().progress("checking", 2) as reach:
        reach(1, "a[/b].JPEG\n\x1b]0;title\x07")
    shown = capsys.readouterr().err
    assert "a[/b].JPEG\\n\\x1b]0;title\\x07" in shown
    assert "\x07" not in shown


def test_a_place_with_half_bytes_is_kept_in_a_result(tmp_path: Path) -> None:
    place = os.fsdecode(b"/data/\xff\xfe/\xe9\xb1\xbc")
    write_json(tmp_path / "run.json", {"place": place})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"place": place}


LISTS = [
    "490\n361\n171\n",
    f"{TENCH}\nn01443537\nn01751748\n",
    f"a.JPEG {TENCH}\nval/b.JPEG\t5\nc 999\n",
    f"ImageId,PredictionString\na,{TENCH} 1 2 3 4\nb,n01443537 1 2 3 4 n01443537 5 6 7 8\n",
]


@fuzz(150)
@given(data=chosen([text.encode() for text in LISTS]))
def test_damaged_lists(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.txt"
    path.write_bytes(data)
    result = result_of(lambda: labels.read(path), path)
    if isinstance(result, labels.Labels):
        result_of(lambda: result.of(["a.JPEG", "b.JPEG", "c.JPEG"]), path)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("9" * 5000 + "\n", "unknown-class", 1),
        ("a " + "9" * 5000 + "\n", "unknown-class", 1),
        (f"{'x' * 100_000} {TENCH}\n{'x' * 100_000} 3\n", "two-classes", 2),
        (f"two\x85lines\x1b[31m {TENCH}\ntwo\x85lines\x1b[31m 3\n", "two-classes", 2),
        ("٣\n", "unknown-class", 1),
        ("\0\n", "unknown-class", 1),
    ],
    ids=["digits", "digits after a name", "a long name", "controls", "other digits", "NUL"],
)
def test_lists_that_are_refused(text: str, code: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "val.txt"
    path.write_text(text)
    refused(lambda: labels.read(path), f"labels.{code}", path, where=f"{path}, line {line}")


def test_lists_that_are_not_files(tmp_path: Path) -> None:
    fill(tmp_path / "images", "a.JPEG")
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    refused(lambda: open_imagenet(tmp_path / "images", pipe), "labels.not-a-list", pipe, found="pipe")
    refused(lambda: open_imagenet("~nobody-of-that-name/images"), "imagenet.unreadable", found="home directory")
    refused(lambda: open_imagenet("a\0b"), "imagenet.not-a-data-set", where="a\0b")


# --- a folder that changes


def _remove(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _nothing(path: Path) -> None:
    os.truncate(path, 0)


def _grow(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(bytes(100_000))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_remove, os.strerror(errno.ENOENT)),
        (_folder, os.strerror(errno.EISDIR)),
        (_loop, os.strerror(errno.ELOOP)),
        (_pipe, "pipe"),
        (_device, "device"),
        (_shrink, "truncated"),
        (_nothing, "empty"),
        (_grow, None),
    ],
)
def test_a_file_that_changes_after_the_folder_was_read(
    change: Callable[[Path], None], fault: str | None, full: bool, tmp_path: Path
) -> None:
    source = open_imagenet(fill(tmp_path, f"{TENCH}/a.JPEG", f"{TENCH}/b.JPEG"))
    assert isinstance(source, FileSource)
    change(tmp_path / TENCH / "a.JPEG")
    report = result_of(lambda: check(source, full=full))
    assert isinstance(report, Report)
    assert report.images == 2
    result = {**report.unreadable, **dict.fromkeys(report.empty, "empty")}
    assert list(result) == ([] if fault is None else [f"{TENCH}/a.JPEG"])
    assert fault is None or fault in result[f"{TENCH}/a.JPEG"]
    if fault and "truncated" not in fault and "empty" not in fault:
        refused(lambda: source.sample(0), "image.unreadable", Path(f"{TENCH}/a.JPEG"), found=fault)


@pytest.mark.parametrize("options", [(), ("--json",), ("--full",)])
def test_the_command_on_names_of_every_kind(options: tuple[str, ...], tmp_path: Path) -> None:
    fill(tmp_path, *(f"{TENCH}/{name}.JPEG" for name in ODD), TENCH.encode() + b"/\xff.JPEG", "\x9b31m[/x].JPEG")
    (tmp_path / TENCH / "\x1b[31mempty.JPEG").write_bytes(b"")
    (tmp_path / TENCH / "cut\x85.JPEG").write_bytes(jpeg()[:300])
    os.mkfifo(tmp_path / TENCH / "pipe.JPEG")
    command = [sys.executable, "-m", "cspbench", "data", "check", "imagenet", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, timeout=900, check=False)
    assert done.returncode == 3
    assert done.stderr == b""
    assert all(line.isprintable() for line in done.stdout.decode().split("\n"))
    if options == ("--json",):
        report = json.loads(done.stdout)
        assert report["unlabelled"] == ["\x9b31m[/x].JPEG"]
        assert report["empty"] == [f"{TENCH}/\x1b[31mempty.JPEG"]
        assert list(report["unreadable"]) == [f"{TENCH}/cut\x85.JPEG"]


def test_the_command_on_a_place_with_half_bytes(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/two\nlines\x1b\xff"
    command: list[str | bytes] = [sys.executable, "-m", "cspbench", "data", "check", "imagenet", place]
    done = subprocess.run(command, capture_output=True, timeout=900, check=False)
    assert done.returncode == 3
    text = done.stderr.decode().removesuffix("\n")
    assert text.isprintable()
    assert "two\\nlines\\x1b\\udcff: " in text
    assert text.endswith("[imagenet.not-a-data-set]")
