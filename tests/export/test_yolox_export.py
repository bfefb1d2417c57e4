"""A YOLOX as a graph: decoded as in an evaluation, and the command line to a file that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refusals import refuses

from cspbench.detection.decode_yolox import OBJECTNESS, activated, points
from cspbench.export.points import PointBoxes
from cspbench.export.run import export_model
from cspbench.network.layers import Yolox


def test_decoded_as_in_an_evaluation() -> None:
    torch.manual_seed(0)
    at = points((64, 96))
    raw = torch.randn(2, len(at), OBJECTNESS + 4)
    rows = activated(raw.numpy(), at)
    for best in (False, True):
        boxes, scores = PointBoxes(Yolox(sources=(-1,), classes=3), (64, 96), best)((raw,))
        np.testing.assert_allclose(boxes, rows[..., :OBJECTNESS], rtol=1e-5)
        expected = rows[..., OBJECTNESS : OBJECTNESS + 1] * rows[..., OBJECTNESS + 1 :]
        if best:
            expected *= np.arange(3) == rows[..., OBJECTNESS + 1 :].argmax(-1)[..., None]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.reference("weights/yolox-nano.safetensors")
def test_the_published_weights_with_suppression(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    weights = shared / "weights/yolox-nano.safetensors"
    done = export_model("yolox-nano", tmp_path / "a.onnx", weights=weights, decode=True, nms=True, check=True)
    about = done.metadata
    assert about["preset"] == "yolox"
    assert about["input"] == "images 1 x 3 x 416 x 416, BGR, 0 to 255"
    assert about["output_boxes"].startswith("detections x 4: left, top")
    assert [each.output for each in done.differences] == ["boxes", "scores", "classes", "image"]
    assert [each for each in done.differences if not each.passed or not each.shape[0]] == []


def test_what_only_layers_have(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"not read")
    for name in ("a.cfg", "a.weights"):
        with refuses("usage.not-of-layers"):
            export_model("yolox-nano", tmp_path / name, weights=tmp_path / "net.pth")
