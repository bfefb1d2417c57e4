"""A summary of a weight file in a few lines."""

from __future__ import annotations

from cspbench.network.network import Network
from cspbench.weights.arrays import Array, Weights

SMALL_VARIANCE = 1e-3
"""Below it the rule for the batch norm's epsilon affects outputs visibly (spec of Darknet, section 0)."""


def summary(
    weights: Weights,
    network: Network,
    alike: list[str],
    published: str | None = None,
    published_arrays: str | None = None,
) -> dict[str, str]:
    """Facts by label.

    `alike`: models that store the same arrays in the same order. `published`: sha256 of the authors' file.
    `published_arrays`: digest of its arrays.
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
        if published_arrays is not None:
            same = weights.digest == published_arrays
            lines["arrays"] += ", the published weights" if same else ", not the published weights"
    lines["sha256"] = weights.sha256
    if published is not None:
        lines["sha256"] += ", the published file" if weights.sha256 == published else ", not the published file"
    return lines
