"""The ImageNet classifiers that the networks end in."""

from __future__ import annotations

from cspbench.network.builder import Builder

CLASSES = 1000


def classifier(b: Builder, *, classes: int = CLASSES, pool_first: bool = True) -> int:
    """Append the mean of each channel, a linear 1x1 with bias to the classes, and softmax.

    The older files classify every pixel and then average (`pool_first` False): the same scores, more operations.
    """
    if pool_first:
        b.avgpool()
    b.conv(classes, activation="linear", batch_normalize=False)
    if not pool_first:
        b.avgpool()
    return b.softmax()


def logits(b: Builder, *, classes: int = CLASSES) -> int:
    """Append the mean of each channel and a linear 1x1 with bias: a head without softmax, as torch's networks have."""
    b.avgpool()
    return b.conv(classes, activation="linear", batch_normalize=False)
