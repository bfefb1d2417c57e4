"""The loss of a classifier on smoothed labels, mmcls's LabelSmoothLoss (spec yolox a.10)."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional

Smoothing = Literal["original", "classy_vision", "multi_label"]
SMOOTHINGS: tuple[Smoothing, ...] = get_args(Smoothing)


def loss(logits: Tensor, labels: Tensor, smoothing: Smoothing, epsilon: float) -> Tensor:
    """The mean over images of (N, K) logits with labels (N, K), which are 1 for a class that an image has, else 0.

    `original` is the cross entropy of softmax with (1 - e) label + e / K, where e is `epsilon`; `classy_vision` is the
    same with e = epsilon / (1 + epsilon). `multi_label` is the sum over classes of the binary cross entropy of sigmoid,
    with 1 - epsilon for a class that an image has, and epsilon for any other.
    """
    if smoothing == "multi_label":
        wanted = labels * (1 - 2 * epsilon) + epsilon
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1).mean()
    share = epsilon / (1 + epsilon) if smoothing == "classy_vision" else epsilon
    wanted = labels * (1 - share) + share / labels.shape[1]
    return functional.cross_entropy(logits, wanted)
