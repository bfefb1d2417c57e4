"""Files from others, opened without waiting on every system, and their lines; files of ours, whole or absent."""

from __future__ import annotations

import ast
import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

import cspbench
from cspbench import waiting
from cspbench.io import (
    argument_path,
    filled_lines,
    own_folder,
    remove,
    remove_leftovers,
    rename,
    user_path,
    write_json,
    write_text,
)
from cspbench.weights import arrays
from cspbench.weights.filekind import Kind
from cspbench.weights.pickles import files


def test_paths_as_users_type_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-mine")
    for path in (user_path, lambda text: argument_path("store", text)):
        assert path("~/runs") == path(Path("~/runs")) == Path("/home/of-mine/runs")
        assert path("a/~/b") == Path("a/~/b")
    with pytest.raises(ValueError, match="empty"):
        user_path("")
    for wrong in ("", "~no-such-user/runs"):
        with refuses("usage.path"):
            argument_path("store", wrong)


def test_a_system_without_some_flags_for_opening(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\r\n\x1a\0b")
    code = (
        "import os, sys\ndel os.O_CLOEXEC, os.O_NONBLOCK\nfrom cspbench.io import read_file\n"
        "sys.stdout.write(read_file(sys.argv[1], 9).hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, timeout=900, check=True
    )
    assert bytes.fromhex(run.stdout) == b"a\r\n\x1a\0b"


def test_a_pipe_that_took_a_weight_file_s_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError) as caught:  # noqa: PT011 (its number is checked)
        arrays.digest(tmp_path / "pipe")
    assert caught.value.errno == errno.EINVAL
    for kind in (Kind.ZIP, Kind.PICKLE):
        with refuses("checkpoint.unreadable", where=str(tmp_path / "pipe")):
            files.load(tmp_path / "pipe", kind)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", " ", "a", "b c ", "\u2028", "\x85d"]), st.sampled_from(["\n", "\r\n", "\r"]))
    )
)
def test_lines_end_as_on_any_system(parts: list[tuple[str, str]]) -> None:
    text = "".join(line + end for line, end in parts)
    assert filled_lines(text) == [line.strip() for line, _ in parts if line.strip()]


def test_written_files_replace_old_ones_and_leave_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    write_json(path, {"b": 1, "a": "×"})
    write_json(path, {"b": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 2}
    assert path.read_bytes().endswith(b"}\n")
    assert [each.name for each in path.parent.iterdir()] == ["result.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.txt"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with refuses("disk.write-failed", where=str(path), found="No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["result.txt"]


def test_in_a_folder_of_ours_a_file_takes_the_place_of_links_and_pipes(tmp_path: Path) -> None:
    """They may come from others: a link would lead out of the folder, and a pipe would wait for ever."""
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("theirs")
    link.symlink_to(target)
    os.mkfifo(pipe)
    for path in (link, pipe):
        write_text(path, "ours")
        assert path.is_file()
        assert not path.is_symlink()
        assert path.read_text() == "ours"
    assert target.read_text() == "theirs"


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_text(link, text, named=True)
        assert link.is_symlink()
        assert target.read_text() == text
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_link_to_itself_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with refuses("disk.write-failed", where=str(tmp_path / "loop"), found=os.strerror(errno.ELOOP)):
        write_text(tmp_path / "loop", "new", named=True)
    write_text(tmp_path / "loop", "new")  # in a folder of ours it is replaced
    assert (tmp_path / "loop").read_text() == "new"


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 251 + ".md"])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "new")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with refuses("disk.write-failed", found=os.strerror(errno.ENAMETOOLONG)):
        write_text(tmp_path / f"{name}xx", "new")


@pytest.mark.parametrize("path", [Path(), Path("/"), Path("a\0b")])
def test_what_is_not_a_name_cannot_be_written(path: Path) -> None:
    for named in (False, True):
        with refuses("disk.write-failed", found="not a possible file name"):
            write_text(path, "new", named=named)


def test_a_folder_of_ours_is_not_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for target in ("elsewhere", "missing", "."):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(target)
        with refuses("disk.folder-is-link", where=str(tmp_path / "link")):
            own_folder(tmp_path, "link")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("missing", "elsewhere"):  # but the place that was named may be one
        assert own_folder(tmp_path / "link", name) == tmp_path / "link" / name


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of files with this suffix, as `write_text` makes them; nothing else."""
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda path, missing_ok=False: None)
        patched.setattr(os, "replace", lambda path, target: 1 / 0)
        for name in ("a.json", "b.txt"):
            with pytest.raises(ZeroDivisionError):
                write_text(tmp_path / name, "new")
    write_text(tmp_path / "c.json", "new")
    assert len(list(tmp_path.iterdir())) == 3
    remove_leftovers(tmp_path, ".json")
    assert sorted(path.name[:6] for path in tmp_path.iterdir()) == [".b.txt", "c.json"]


def test_removing_and_renaming(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "one")
    rename(tmp_path / "a", tmp_path / "b", "Rename it yourself")
    assert (tmp_path / "b").read_text() == "one"
    with refuses("disk.write-failed", where=str(tmp_path / "a"), remedy="Rename it yourself"):
        rename(tmp_path / "a", tmp_path / "c", "Rename it yourself")
    remove(tmp_path / "b")
    remove(tmp_path / "b")
    with refuses("disk.remove-failed", where=str(tmp_path)):
        remove(tmp_path)


def test_nothing_else_in_the_package_writes_files() -> None:
    """But locks, downloads, which are resumed, and the drawn sets, which are removed as a whole."""
    methods = {"mkdir", "unlink", "rename", "replace", "write_text", "write_bytes", "rmdir", "touch", "symlink_to"}
    package = Path(cspbench.__file__).parent
    writing = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                of = ast.unparse(node.func.value)
                called = node.func.attr in methods - {"replace"} or (node.func.attr == "replace" and of == "os")
                called |= of in ("os", "shutil") and node.func.attr in ("remove", "makedirs", "move", "rmtree", "copy")
                if called and of not in ("temporary", "struct", "structs"):
                    writing.add(path.relative_to(package).as_posix())
    assert writing == {"io.py", "lock.py", "sample/place.py", "sample/training.py", "weights/download/part.py"}


def test_a_files_mode_stays_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_text(path, "new", named=True)
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        write_text(path, "again", named=True)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "text", named=True)
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_wait_for_a_reader_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reader comes once the wait has been announced."""
    monkeypatch.setattr(waiting, "SOON", 0.1)
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []

    def late() -> None:
        while not caplog.messages:
            time.sleep(0.02)
        read.append((tmp_path / "pipe").read_bytes())

    reader = threading.Thread(target=late, daemon=True)
    reader.start()
    write_text(tmp_path / "pipe", "text", named=True)
    reader.join()
    assert read == [b"text"]
    assert caplog.messages == [f"cspbench: waiting for a reader of {tmp_path / 'pipe'}"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    # through a link, so that a mistake would cost the link only
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with refuses("disk.write-failed", where=str(link), found="No space left on device"):
        write_text(link, "text", named=True)
    assert link.is_symlink()
    assert link.is_char_device()
