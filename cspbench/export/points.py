"""A YOLOX's rows decoded inside the graph: the arithmetic of `cspbench.detection.decode_yolox` in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cspbench.detection.decode_yolox import OBJECTNESS, points
from cspbench.network.layers import Yolox


class PointBoxes(nn.Module):
    """Raw outputs, one array (N, A, 5 + classes), to boxes (N, A, 4) and scores (N, A, classes).

    A box is centre x, centre y, width and height in pixels of the input, which is of `size` (height, width); a score is
    objectness times class probability. With `best` those of all classes but the likeliest are 0, as the evaluation
    suppresses; it also takes a score equal to its threshold, which ONNX's operator does not.
    """

    at: Tensor

    def __init__(self, head: Yolox, size: tuple[int, int], best: bool) -> None:
        super().__init__()
        self.best = best
        self.register_buffer("at", torch.from_numpy(points(size, head.strides)))

    def forward(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        (raw,), stride = outputs, self.at[:, 2:]
        boxes = torch.cat(((raw[..., :2] + self.at[:, :2]) * stride, raw[..., 2:OBJECTNESS].exp() * stride), -1)
        chances = raw[..., OBJECTNESS:].sigmoid()
        scores = chances[..., :1] * chances[..., 1:]
        if self.best:
            category = chances[..., 1:].argmax(-1, keepdim=True)
            scores = scores * (torch.arange(scores.shape[-1], device=raw.device) == category)
        return boxes, scores
