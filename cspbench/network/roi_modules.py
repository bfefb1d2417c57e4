"""Torch modules that propose regions of a map and read them (spec: `cspbench.network.layers.regions`)."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from cspbench.network.layers import Proposals, RoiAlign

LARGEST_GROWTH = log(1000 / 16)
"""A box is at most 1000/16 times as large as its anchor, as in Detectron; exp could overflow otherwise."""

SMALLEST = 0.1
"""Least width and height of a region, in pixels of the map."""


class ProposalBoxes(nn.Module):
    """[proposals] on a map of `grid` (height, width); in float32 whatever the precision of the network.

    Half precision is too coarse for coordinates: steps of 1 pixel from 128 (bf16), of 1/4 from 256 (fp16).
    """

    def __init__(self, layer: Proposals, grid: tuple[int, int]) -> None:
        super().__init__()
        self.considered, self.count, self.overlap = layer.considered, layer.count, layer.overlap
        self.limit = [grid[1] * layer.stride, grid[0] * layer.stride]
        # on the CPU even if the module is built on the meta device: the anchors are part of the definition
        steps = (torch.arange(side, device="cpu") * float(layer.stride) for side in grid)
        rows, columns = torch.meshgrid(*steps, indexing="ij")
        corners = torch.stack((columns, rows), 2)[:, :, None].expand(-1, -1, len(layer.anchors), -1)
        sizes = torch.tensor(layer.anchors, device="cpu").expand(*grid, -1, -1)
        self.anchors = torch.cat((corners, sizes), 3).reshape(-1, 4)  # not a buffer, which would follow the precision

    def forward(self, scores: Tensor, offsets: Tensor) -> Tensor:
        """Scores (N, A, H, W) and offsets (N, 4 A, H, W) to boxes, float32 (N, 4, count, 1)."""
        images = scores.shape[0]
        anchors = self.anchors.to(scores.device)
        ranked = scores.float().permute(0, 2, 3, 1).flatten(1)
        deltas = torch.unflatten(offsets.float(), 1, (scores.shape[1], 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
        proposals = deltas.new_zeros(images, self.count, 4)
        for image in range(images):
            best = ranked[image].argsort(descending=True, stable=True)[: self.considered]
            boxes = self._boxes(anchors[best], deltas[image, best])
            boxes = boxes[self._nms(boxes)][: self.count]
            proposals[image, : len(boxes)] = boxes
        return proposals.transpose(1, 2)[..., None]

    def _boxes(self, anchors: Tensor, offsets: Tensor) -> Tensor:
        """Anchors (K, 4: centre, size) moved by offsets (K, 4) to corners (K, 4)."""
        centre = anchors[:, :2] + offsets[:, :2] * anchors[:, 2:]
        half = anchors[:, 2:] * offsets[:, 2:].clamp(-LARGEST_GROWTH, LARGEST_GROWTH).exp() / 2
        limit = torch.tensor(self.limit, device=anchors.device)
        corners = torch.stack((centre - half, centre + half), 1)
        return torch.minimum(corners.clamp(min=0), limit).flatten(1)

    def _nms(self, boxes: Tensor) -> Tensor:
        """Mask (K,) of the boxes (K, 4), best first, that have an area and that no better box in it overlaps."""
        size = boxes[:, 2:] - boxes[:, :2]
        area = size.prod(1)
        shared = torch.minimum(boxes[:, None, 2:], boxes[:, 2:]) - torch.maximum(boxes[:, None, :2], boxes[:, :2])
        common = shared.clamp(min=0).prod(2)
        over = (common > self.overlap * (area[:, None] + area - common)).triu(1)
        valid = keep = (size > 0).all(1)
        # Iterating the rule from any guess gives the greedy result: the first k boxes are right after k steps.
        while True:
            guess, keep = keep, valid & ~(over & keep[:, None]).any(0)
            if torch.equal(guess, keep):
                return keep


class PsRoiAlign(nn.Module):
    """[roialign]: position-sensitive, with the largest sample of each part."""

    def __init__(self, layer: RoiAlign) -> None:
        super().__init__()
        self.bins, self.stride, self.samples = layer.bins, layer.stride, layer.samples

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        """(N, C, H, W) and (N, 4, R, 1) to (N, C, R, 1)."""
        images, channels, height, width = x.shape
        left, top, right, bottom = (regions[..., 0].float() / self.stride).unbind(1)
        upper, lower, down = self._taps(top, bottom, height)
        # rows vary along the bins' rows and the samples', columns along the others: (N, row, column, R, sample, sample)
        upper, lower, down = (taps[:, :, None, :, :, None] for taps in (upper, lower, down))
        first, second, across = (taps[:, None, :, :, None, :] for taps in self._taps(left, right, width))
        cells, values = self.bins**2, channels // self.bins**2
        parts = x.float().reshape(images, values, cells, height * width)
        shape = (images, 1, cells, regions.shape[2] * self.samples**2)

        def read(rows: Tensor, columns: Tensor) -> Tensor:
            return parts.gather(3, (rows * width + columns).reshape(shape).expand(-1, values, -1, -1))

        ones = torch.ones_like(down * across)
        down, across = (down * ones).reshape(shape), (across * ones).reshape(shape)
        above = torch.lerp(read(upper, first), read(upper, second), across)
        below = torch.lerp(read(lower, first), read(lower, second), across)
        best = torch.unflatten(torch.lerp(above, below, down), 3, (regions.shape[2], self.samples**2)).amax(4)
        return best.flatten(1, 2)[..., None].to(x.dtype)

    def _taps(self, start: Tensor, end: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Along one axis, from edges (N, R): the two pixels of each sample and the weight of the second.

        Each is (N, bins, R, samples).
        """
        count = self.bins * self.samples
        shares = (torch.arange(count, device=start.device) + 0.5) / count
        places = start[..., None] + (end - start).clamp(min=SMALLEST)[..., None] * shares
        places = torch.unflatten(places.clamp(0, length - 1), 2, (self.bins, self.samples)).transpose(1, 2)
        low = places.floor()
        return low.long(), (low.long() + 1).clamp(max=length - 1), places - low
