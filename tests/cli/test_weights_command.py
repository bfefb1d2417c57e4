"""`cspbench weights` as its users run it: as a process."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
from refusals import error_of
from snapshot import ROWS

from cspbench.network.network import Network
from cspbench.weights import darknet
from cspbench.weights.header import Header
from cspbench.zoo.registry import model


def run(*arguments: str | Path, cwd: Path | None = None) -> processes.Done:
    """Run `cspbench weights` in a process."""
    return processes.run(["weights", *map(str, arguments)], cwd)


def write(path: Path, network: Network) -> Path:
    """A weight file that fits the network."""
    arrays = [
        {weight.role: np.full(weight.shape, 0.5, np.float32) for weight in network.weights(index)}
        for index in range(len(network.layers))
    ]
    darknet.write(path, network, arrays, Header(0, 2, 0, 32_000))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("weights") / "some.weights", model("csmobilenet-v2").build())


def test_list_shows_every_row() -> None:
    done = run("list", "--format", "json")
    rows = json.loads(done.stdout)
    assert len(rows) == ROWS
    row = next(each for each in rows if each["id"] == "cspresnext-50-elastic")
    assert row == {
        "table": "imagenet-big",
        "row": "CSPResNeXt-50-Elastic",
        "id": "cspresnext-50-elastic",
        "model": "csresnext50-elastic",
        "file": "csresnext50-elastic.weights",
        "bytes": 67894964,
        "sha256": None,
        "status": "released",
        "note": None,
    }
    assert {each["status"] for each in rows} == {"released", "gone", "never-released"}
    files = {each["id"]: each["file"] for each in rows if each["status"] == "never-released"}
    assert files["cspresnet-10"] == "csresnet10.weights"  # the name that yours is looked for under
    assert files["cspresnext-50-mixup"] is None  # csresnext50.weights is the published one


def test_list_in_other_forms() -> None:
    done = run("list", "--table", "imagenet-small", "--table", "timm")
    lines = done.stdout.splitlines()
    assert lines[0] == "| Table | Row | Id | Model | File | Bytes | Sha256 | Status | Note |"
    assert any("| resnet10_final.weights | 20995764 | - | released |" in line for line in lines)
    assert lines[-1].startswith("| timm |")
    assert run("list", "--format", "csv").stdout.startswith("table,row,id,model,file,bytes,sha256,status,note\n")
    assert "csresnext50.weights" in run("list", "--format", "latex").stdout


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The lines of `weights verify` by label."""
    return dict(line.split(None, 1) for line in done.stdout.splitlines())


def test_verify_says_what_is_in_the_file(file: Path) -> None:
    done = run("verify", file)
    assert done.returncode == 0, done.stderr
    lines = facts(done)
    assert json.loads(run("verify", file, "--format", "json").stdout) == lines
    convolutions = [layer.section for layer in model("csmobilenet-v2").build().layers].count("convolutional")
    assert lines == {
        "file": str(file),
        "bytes": "10273812",
        "header": "version 0.2.0, 20 bytes, 32000 images seen in training",
        "network": "csmobilenet-v2",
        "layers": f"81 of 81, {convolutions} of them with arrays",
        "numbers": "2568448, all finite",
        "bias": "0.5 to 0.5",
        "scale": "0.5 to 0.5",
        "mean": "0.5 to 0.5",
        "variance": f"0.5 to 0.5; 0 of {lines['variance'].split()[5]} below 0.001, where the epsilon rule matters",
        "weight": "0.5 to 0.5",
        "arrays": hashlib.sha256(file.read_bytes()[20:]).hexdigest(),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def test_verify_names_models_of_the_same_layout_and_published_digests(tmp_path: Path) -> None:
    done = run("verify", write(tmp_path / "a", model("csresnet50-omega").build()))
    assert facts(done)["network"] == "csresnet50 (or csresnet50-gamma, csresnet50-omega, with the same arrays)"
    done = run("verify", write(tmp_path / "b", model("yolov3-tiny").build()))
    arrays, sha256 = done.stdout.splitlines()[-2:]
    assert arrays.endswith(", not the published weights")
    assert sha256.endswith(", not the published file")


@pytest.mark.reference("weights/tiny.weights")
def test_verify_trained_files(shared: Path) -> None:
    tiny = shared / "weights" / "tiny.weights"
    done = run("verify", tiny, "--cfg", tiny.with_suffix(".cfg"))
    assert done.returncode == 0, done.stderr
    assert "version 0.1.0, 16 bytes, 204800000 images seen" in done.stdout
    assert run("verify", tiny).returncode == 3


def test_verify_partial_files(file: Path, tmp_path: Path) -> None:
    network = model("csmobilenet-v2").build()
    ends = 20 + 4 * sum(weight.size for index in range(30) for weight in network.weights(index))
    part = tmp_path / "csmobilenet-v2.conv.30"
    part.write_bytes(file.read_bytes()[:ends])
    done = run("verify", part, "--model", "csmobilenet-v2")
    assert done.returncode == 3
    assert "It ends exactly after layer 29: --partial reads its 30 layers" in done.stderr
    done = run("verify", part, "--model", "csmobilenet-v2", "--partial")
    assert done.returncode == 0, done.stderr
    assert facts(done)["layers"].startswith("30 of 81")
    assert "arrays" not in facts(done)
    assert "csmobilenet-v2: its first 30 of 81 layers" in run("identify", part).stdout


@pytest.mark.parametrize("command", [["verify"], ["identify"], ["convert", "--to", "safetensors"]])
def test_no_torch_for_darknet_files(command: list[str], file: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "x")] if command[0] == "convert" else []
    code = (
        "import sys\nfrom cspbench.cli.app import app\n"
        f"try:\n    app({['weights', *command, str(file), *out]!r})\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'timm', 'pandas', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_identify(file: Path) -> None:
    done = run("identify", file)
    assert (done.returncode, done.stdout) == (0, "csmobilenet-v2\n")


def test_convert_there_and_back(file: Path, tmp_path: Path) -> None:
    done = run("convert", file, "--to", "safetensors", "--out", tmp_path / "a.safetensors")
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrote" in done.stderr
    done = run("convert", tmp_path / "a.safetensors", "--to", "darknet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.weights").read_bytes() == file.read_bytes()
    done = run("convert", tmp_path / "a.safetensors", "--to", "darknet")
    assert done.returncode == 2
    assert "there is a file already" in done.stderr
    assert facts(run("verify", tmp_path / "a.safetensors"))["numbers"] == "2568448, all finite"


def test_mistakes_get_one_line_and_the_right_code(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.weights"
    page.write_bytes(b"<!DOCTYPE html><title>Google Drive</title>")
    cut = tmp_path / "cut.weights"
    cut.write_bytes(file.read_bytes()[:-4])
    bad = tmp_path / "bad.weights"
    bad.write_bytes(file.read_bytes()[:20] + struct.pack("<f", float("nan")) + file.read_bytes()[24:])
    pickle = tmp_path / "x.pth"
    pickle.write_bytes(b"\x80\x04N.")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.iterdir())
    for arguments, exit_code, code in (
        (["verify", page], 3, "weights.other-kind"),
        (["verify", cut], 3, "weights.unknown-model"),
        (["verify", cut, "-m", "csmobilenet-v2"], 3, "weights.too-short"),
        (["verify", cut, "-m", "csmobilenet-v"], 2, "usage.unknown-model"),
        (["verify", bad], 3, "weights.not-finite"),
        (["verify", tmp_path], 3, "weights.unreadable"),
        (["verify", tmp_path / "pipe"], 3, "weights.unreadable"),
        (["verify", tmp_path / "none"], 3, "weights.unreadable"),
        (["verify", pickle], 3, "weights.unknown-model"),
        (["verify", pickle, "-m", "timm/cspdarknet53"], 3, "checkpoint.unreadable"),
        (["verify", pickle, "-m", "darknet"], 3, "checkpoint.unreadable"),
        (["verify", file, "--partial"], 2, "usage.partial-without-network"),
        (["verify", file, "-m", "darknet", "--cfg", "x.cfg"], 2, "usage.two-networks"),
        (["identify", cut], 3, "weights.unknown-model"),
        (["identify", page], 3, "weights.other-kind"),
        (["convert", bad, "--to", "safetensors"], 3, "weights.not-finite"),
        (["convert", cut, "--to", "safetensors", "-m", "csmobilenet-v2"], 3, "weights.too-short"),
        (["convert", ".", "--to", "safetensors", "-m", "csmobilenet-v2"], 3, "weights.unreadable"),
        (["convert", "/", "--to", "darknet", "-m", "csmobilenet-v2"], 3, "weights.unreadable"),
        (["convert", file, "--to", "safetensors", "--out", "."], 2, "usage.file-exists"),
        (["convert", file, "--to", "safetensors", "--out", page / "x"], 3, "disk.write-failed"),
        (["list", "--table", "imagenet"], 2, "usage.unknown-table"),
    ):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == exit_code, (arguments, done.stderr)
        assert error_of(done) == code
        assert done.stderr.startswith("cspbench: ")
        assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
