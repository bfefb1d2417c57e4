"""A summary of a weight file in a few lines."""

from __future__ import annotations

from cspbench.network.modular.architecture import Architecture
from cspbench.weights.arrays import Array, Weights

SMALL_VARIANCE = 1e-3
"""Below it the rule for the batch norm's epsilon affects outputs visibly (spec of Darknet, section 0)."""


def summary(
    weights: Weights, network: Architecture, alike: list[str], published: tuple[str | None, str | None] = (None, None)
) -> dict[str, str]:
    """Facts by label.

    `alike`: models that store the same arrays in the same order. `published`: the digests of the authors' file and of
    its arrays, as far as they are known.
    """
    by_role: dict[str, list[Array]] = {}
    for arrays in weights.arrays:
        for role, array in arrays.items():
            by_role.setdefault(role, []).append(array)
    numbers = sum(array.size for arrays in by_role.values() for array in arrays)
    with_arrays = sum(bool(arrays) for arrays in weights.arrays)
    lines = {"file": str(weights.path), "bytes": str(weights.path.stat().st_size)}
    if weights.header is not None:
        header = weights.header
        lines["header"] = f"version {header.version}, {header.size} bytes, {header.seen} images seen in training"
    lines |= weights.said
    lines["network"] = network.name + (f" (or {', '.join(alike)}, with the same arrays)" if alike else "")
    lines["layers"] = f"{weights.layers} of {len(weights.arrays)}, {with_arrays} of them with arrays"
    lines["numbers"] = f"{numbers}, all finite"
    for role, group in by_role.items():
        low, high = min(float(array.min()) for array in group), max(float(array.max()) for array in group)
        lines[role] = f"{low:.6g} to {high:.6g}"
    if "variance" in by_role:
        small = sum(int((array < SMALL_VARIANCE).sum()) for array in by_role["variance"])
        total = sum(array.size for array in by_role["variance"])
        lines["variance"] += f"; {small} of {total} below {SMALL_VARIANCE:g}, where the epsilon rule matters"
    if weights.complete:
        lines["arrays"] = weights.digest
    lines["sha256"] = weights.sha256
    for label, known, what in zip(("sha256", "arrays"), published, ("file", "weights"), strict=True):
        if known is not None and label in lines:
            lines[label] += f", the published {what}" if lines[label] == known else f", not the published {what}"
    return lines
