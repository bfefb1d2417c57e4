"""Greedy NMS inside an ONNX graph, by the operator NonMaxSuppression.

The operator's rule is Darknet's with plain IoU: per class, in descending order of score (ties: the earlier box first),
a box removes later ones whose IoU with it is above the threshold, strictly, and scores must be above the score
threshold. Two things differ, by rounding alone: it takes a box's area from its edges where Darknet multiplies width and
height, and compares boxes in pixels of the network's input where Darknet compares them in pixels of the image. Its
detections are ordered by image, class and score, not as in Darknet's file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cspbench.data.detection_presets import DetectionPreset
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import criterion, nms
from cspbench.detection.overlaps import PLAIN
from cspbench.errors import UsageError
from cspbench.export.boxes import corners
from cspbench.network.layers import Detection

MOST = 2**31 - 1
"""Boxes per class; the operator requires a limit, and Darknet has none."""


def check_kind(preset: DetectionPreset, last: Detection) -> None:
    """Raise `UsageError` for a kind of NMS that the operator lacks."""
    if criterion(preset.nms_kind, last) is not PLAIN:
        raise UsageError(
            "usage.nms-in-graph",
            "this NMS cannot be part of a graph",
            expected="plain IoU, which ONNX's operator compares: the kind default",
            found=f"preset {preset.name}, of the kind {preset.nms_kind}",
            remedy="Use --preset readme, or leave out --nms",
        )


class NonMaxSuppression(torch.autograd.Function):
    """The operator; in torch the evaluation's own NMS."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, overlap: float, conf: float) -> Tensor:
        """Boxes (N, M, 4: centre, size) and scores (N, classes, M) to int64 (K, 3): image, class, box."""
        return torch.cat(
            [_selected(image, *pair, overlap, conf) for image, pair in enumerate(zip(boxes, scores, strict=True))]
        )

    @staticmethod
    def symbolic(graph: Any, boxes: Any, scores: Any, overlap: float, conf: float) -> Any:
        """The operator in the graph."""
        limits = [
            graph.op("Constant", value_t=torch.tensor([value], dtype=kind))
            for value, kind in ((MOST, torch.int64), (overlap, torch.float32), (conf, torch.float32))
        ]
        return graph.op("NonMaxSuppression", boxes, scores, *limits, center_point_box_i=1)


def _selected(image: int, boxes: Tensor, scores: Tensor, overlap: float, conf: float) -> Tensor:
    values = scores.detach().cpu().numpy()
    box, category = np.nonzero(np.float32(conf) < values.T)
    candidates = Candidates(
        boxes.detach().cpu().numpy(), box.astype(np.int32), category.astype(np.int16), values[category, box]
    )
    kept = np.flatnonzero(nms(candidates, overlap))
    kept = kept[np.lexsort((box[kept], -candidates.score[kept], category[kept]))]
    columns = (np.full(len(kept), image), category[kept], box[kept])
    return torch.from_numpy(np.stack(columns, 1).astype(np.int64))


class Suppressed(nn.Module):
    """Boxes (N, M, 4: centre, size) and scores (N, M, classes) after NMS.

    To boxes (K, 4: left, top, right, bottom), scores (K,), classes (K,) and images (K,), the last two int64.
    """

    def __init__(self, overlap: float, conf: float) -> None:
        super().__init__()
        self.overlap, self.conf = overlap, conf

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        by_class = scores.transpose(1, 2)
        selected: Tensor = NonMaxSuppression.apply(boxes, by_class, self.overlap, self.conf)  # type: ignore[no-untyped-call]
        image, category, box = selected.unbind(1)
        return corners(boxes[image, box]), by_class[image, category, box], category, image
