"""Box layers' outputs decoded inside the graph: the arithmetic of `cspbench.detection.decode_yolo` in torch.

Everything is float32; Darknet computes exp of a width or height in double and rounds once, which moves a box by at most
a few units in the last place. Boxes are in pixels of the network's input, not clipped.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cspbench.errors import UsageError
from cspbench.network.layers import Detection, GaussianYolo, Region, Yolo, Yolox


def check_decodable(name: str, heads: Sequence[Detection]) -> None:
    """Raise `UsageError` unless all heads are YOLOX's or Darknet's with boxes and independent or softmax scores."""
    for head in heads:
        if not (isinstance(head, Yolo | Yolox) or (isinstance(head, Region) and head.softmax)):
            raise _undecodable(name, f"[{head.section}]{' without softmax=1' if isinstance(head, Region) else ''}")
    if not heads:
        raise _undecodable(name, "a classifier")


def _undecodable(name: str, found: str) -> UsageError:
    return UsageError(
        "usage.not-decoded",
        f"the outputs of {name} cannot be decoded inside a graph",
        expected="a YOLOX, or a detector with [yolo], [Gaussian_yolo] or [region] softmax=1 layers",
        found=found,
        remedy="Leave out --decode and --nms: the file then has the network's own outputs",
    )


class Boxes(nn.Module):
    """Outputs of box layers, (N, channels, h, w) each, to boxes (N, M, 4) and scores (N, M, classes).

    A box is centre x, centre y, width and height in pixels of the input; a score is objectness times class
    probability. Boxes are in Darknet's order: layer, row, column, anchor. `strides` are the layers' (vertical,
    horizontal) steps in pixels. With `conf`, scores of boxes with at most this objectness are 0.
    """

    def __init__(
        self, heads: Sequence[Detection], strides: Sequence[tuple[float, float]], conf: float | None = None
    ) -> None:
        super().__init__()
        self.heads, self.strides, self.conf = tuple(heads), tuple(strides), conf

    def forward(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        parts = [
            self._layer(raw, head, stride) for raw, head, stride in zip(outputs, self.heads, self.strides, strict=True)
        ]
        boxes, scores = zip(*parts, strict=True)
        return torch.cat(boxes, 1), torch.cat(scores, 1)

    def _layer(self, raw: Tensor, head: Detection, stride: tuple[float, float]) -> tuple[Tensor, Tensor]:
        gaussian = isinstance(head, GaussianYolo)
        values = 4 * (2 if gaussian else 1) + 1 + head.classes
        images, _, rows, columns = raw.shape
        planes = raw.reshape(images, head.used, values, rows, columns).permute(0, 3, 4, 1, 2)  # row, column, anchor
        used = [head.anchors[number] for number in (head.mask if isinstance(head, Yolo) else range(head.used))]
        step = torch.tensor([stride[1], stride[0]], device=raw.device)
        anchors = torch.tensor(used, dtype=torch.float32, device=raw.device)
        across = torch.arange(columns, device=raw.device, dtype=torch.float32)[None, :].expand(rows, columns)
        down = torch.arange(rows, device=raw.device, dtype=torch.float32)[:, None].expand(rows, columns)
        corner = torch.stack((across, down), 2)[:, :, None]  # (row, column, 1, 2)
        places, sizes, presence, classes = _split(planes, gaussian)
        plain = isinstance(head, Yolo) and head.new_coords  # the network's own activations are final
        offsets = places if plain else torch.sigmoid(places)
        if isinstance(head, Yolo):
            offsets = offsets * head.scale_x_y + -0.5 * (head.scale_x_y - 1)
        else:
            anchors = anchors * step  # of [region], in cells
        centre = (corner + offsets) * step
        extent = sizes * sizes * 4 * anchors if plain else torch.exp(sizes) * anchors
        if isinstance(head, GaussianYolo) and head.yolo_point != "center":
            half = extent / 2
            centre = centre + half if head.yolo_point == "left_top" else centre - half
        objectness = presence if plain else torch.sigmoid(presence)
        if isinstance(head, Region):
            scores = objectness * torch.softmax(classes, 4)
        else:
            scores = objectness * (classes if plain else torch.sigmoid(classes))
        if gaussian:
            scores = scores * (1 - torch.sigmoid(planes[..., 1:8:2]).mean(4, keepdim=True))
        if self.conf is not None:
            scores = torch.where(objectness > self.conf, scores, torch.zeros_like(scores))
        return torch.cat((centre, extent), 4).flatten(1, 3), scores.flatten(1, 3)


def _split(planes: Tensor, gaussian: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An anchor's raw centre, size, objectness and classes; a Gaussian one has a deviation after each coordinate."""
    if gaussian:
        return planes[..., 0:4:2], planes[..., 4:8:2], planes[..., 8:9], planes[..., 9:]
    return planes[..., 0:2], planes[..., 2:4], planes[..., 4:5], planes[..., 5:]


def corners(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) from centre and size to left, top, right, bottom."""
    half = boxes[..., 2:] / 2
    return torch.cat((boxes[..., :2] - half, boxes[..., :2] + half), -1)
