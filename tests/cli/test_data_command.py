"""`cspbench data check` as its users run it: as a process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `cspbench data check imagenet` in a new process."""
    return subprocess.run(
        [sys.executable, "-c", "from cspbench.cli.app import main; main()", "data", "check", "imagenet", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": "1", **environment},
        timeout=120,
        check=False,
    )


def picture(path: Path, colour: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (60, 50), colour).save(stream, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The report's lines by their names."""
    return {line[:13].strip(): line[14:] for line in done.stdout.splitlines()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good images of two classes."""
    picture(tmp_path / "n01440764" / "a.JPEG", "red")
    picture(tmp_path / "n01443537" / "b.JPEG", "blue")
    return tmp_path


def test_a_usable_folder(folder: Path) -> None:
    done = run(str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    report = lines(done)
    assert report["images"] == "2 (a part of the validation set), 0 other files"
    assert report["classes"] == "2 of 1000, 1 images each"
    assert report["verdict"] == "usable (headers and ends of files; --full decodes)"
    assert report["missing"].startswith("998: n01484850, ")


def test_the_folder_of_the_environment(folder: Path) -> None:
    done = run("--full", CSPBENCH_IMAGENET=str(folder))
    assert done.returncode == 0
    assert lines(done)["verdict"] == "usable (every image decoded)"


def test_json_and_the_exit_code_of_bad_images(folder: Path) -> None:
    picture(folder / "cats" / "c.JPEG", "green")
    (folder / "n01440764" / "two\nlines.JPEG").write_bytes(b"")
    (folder / "n01440764" / "text.JPEG").write_bytes(b"no image")
    done = run(str(folder), "--json")
    assert done.returncode == 3
    facts = json.loads(done.stdout)
    assert facts["usable"] is False
    assert facts["empty"] == ["n01440764/two\nlines.JPEG"]
    assert list(facts["unreadable"]) == ["n01440764/text.JPEG"]
    assert facts["unlabelled"] == ["cats/c.JPEG"]
    done = run(str(folder))
    assert done.returncode == 3
    assert lines(done)["empty"] == "1: n01440764/two\\nlines.JPEG"
    assert lines(done)["verdict"].startswith("not usable as it is")


@pytest.mark.parametrize("arguments", [(), ("--full",)])
def test_nothing_there(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(str(tmp_path / "missing"), *arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "is no data set (found nothing there). Give a folder" in done.stderr


def test_no_path_at_all() -> None:
    assert run(CSPBENCH_IMAGENET="").returncode == 2


def test_a_flat_folder_and_its_labels(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "ILSVRC2012_val_00000001.JPEG", "red")
    done = run(str(tmp_path / "images"))
    assert done.returncode == 3
    assert "--labels" in done.stderr
    (tmp_path / "truth.txt").write_text("490\n")
    done = run(str(tmp_path / "images"), "--labels", str(tmp_path / "truth.txt"))
    assert done.returncode == 0
    assert lines(done)["classes from"] == "the label file truth.txt"


def test_the_commands_show_themselves() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--full" in done.stdout


def test_the_check_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from cspbench.cli.app import app; app(['data', 'check', 'imagenet', sys.argv[1]], "
        "standalone_mode=False); assert 'torch' not in sys.modules and 'timm' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, check=False).returncode == 0
