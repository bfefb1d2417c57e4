"""cspbench export as a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from processes import run
from refusals import error_of

from cspbench.cli.inference import export as command
from cspbench.export import run as library
from cspbench.export.check import Difference
from cspbench.export.exported import Exported

DETECTOR = "sample-csp-detector"


def test_a_detector_with_its_nms(tmp_path: Path) -> None:
    done = run(["export", DETECTOR, "--out", "a.onnx", "--nms", "--check", "--format", "json"], tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["file"], document["format"], document["model"]) == ("a.onnx", "onnx", DETECTOR)
    assert [line["output"] for line in document["check"]] == ["boxes", "scores", "classes", "image"]
    assert all(float(line["relative"]) <= 1e-4 for line in document["check"])
    assert done.stderr.splitlines()[-1] == "cspbench: wrote a.onnx"
    assert "Warning" not in done.stderr
    again = run(["export", DETECTOR, "--out", "a.onnx"], tmp_path)
    assert (again.returncode, error_of(again)) == (2, "usage.file-exists")


def test_a_cfg_with_its_weights(tmp_path: Path) -> None:
    for out in ("own.cfg", "own.safetensors"):
        done = run(["export", "-m", DETECTOR, "--out", out], tmp_path)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (tmp_path / "own.names").write_text("".join(f"class {number}\n" for number in range(10)))
    own = ["export", "--cfg", "own.cfg", "--weights", "own.safetensors"]
    done = run([*own, "--to", "torchscript", "--out", "own.pt"], tmp_path)
    assert done.returncode == 0, done.stderr
    facts = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert facts["model"].strip() == "own"
    assert facts["output_yolo_53"].strip().startswith("1 x 45 x 14 x 14")
    done = run([*own, "--out", "own.onnx", "--format", "json"], tmp_path)
    assert json.loads(json.loads(done.stdout)["classes"])[9] == "class 9"


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    for arguments, code in (
        (["--out", "a.onnx"], "usage.needs-model"),
        ([DETECTOR], "usage.no-out"),
        ([DETECTOR, "--cfg", "own.cfg", "--out", "a.onnx"], "usage.two-networks"),
        ([DETECTOR, "--to", "timm", "--out", "a.pth"], "usage.not-a-card"),
        ([DETECTOR, "--nms", "--to", "pt2", "--out", "a.pt2"], "usage.nms-in-graph"),
        ([DETECTOR, "--decode", "--out", "a.cfg"], "usage.not-a-graph-option"),
        (["csdarknet53", "--out", "a.onnx"], "usage.no-weights"),
    ):
        done = run(["export", *arguments], tmp_path)
        assert (done.returncode, error_of(done), done.stdout) == (2, code, ""), done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_difference_beyond_rounding_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Exported(Path("a.onnx"), "onnx", differences=(Difference((1, 3, 8, 8), "logits", (1, 2), 1.0, 2e-4),))
    monkeypatch.setattr(library, "export_model", lambda *arguments, **options: wrong)
    with pytest.raises(typer.Exit) as caught:
        command.export(DETECTOR, out=Path("a.onnx"))
    assert caught.value.exit_code == 1
    assert "| 1x3x8x8 | logits | 1x2 | 1 | 0.0002 | 0.0002 |" in capsys.readouterr().out


def test_weights_convert_has_the_same_formats(tmp_path: Path) -> None:
    run(["export", DETECTOR, "--out", "a.weights"], tmp_path)
    for to, name in (("state-dict", "a.pth"), ("safetensors", "a.safetensors")):
        done = run(["weights", "convert", "a.weights", "--to", to], tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).is_file()
    done = run(["weights", "convert", "a.weights", "--to", "timm", "--out", "b.pth"], tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.not-a-card")
