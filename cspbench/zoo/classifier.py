"""Classification heads."""

from __future__ import annotations

from cspbench.network.builder import Builder

CLASSES = 1000


def classifier(b: Builder, *, classes: int = CLASSES, pool_first: bool = True, dropout: float | None = None) -> int:
    """Append global average pooling, any dropout, a linear 1x1 with bias to the classes, and softmax.

    Older files classify every pixel and then average (`pool_first` False): the same logits with more operations.
    """
    if pool_first:
        b.avgpool()
    if dropout is not None:
        b.dropout(dropout)
    b.conv(classes, activation="linear", batch_normalize=False)
    if not pool_first:
        b.avgpool()
    return b.softmax()


def logits(b: Builder, *, classes: int = CLASSES) -> int:
    """Append global average pooling and a linear 1x1 with bias, without softmax, as in torch networks."""
    b.avgpool()
    return b.conv(classes, activation="linear", batch_normalize=False)
