"""How fast the picture is decoded, by each decoder, in one thread and without any network."""

from __future__ import annotations

import time

from cspbench.data.decode import DECODERS, decode

ROUNDS = 15


def decoding(data: bytes) -> dict[str, list[float]]:
    """Seconds to decode a JPEG file, by decoder and round; the decoders take turns."""
    seconds: dict[str, list[float]] = {decoder: [] for decoder in DECODERS}
    for decoder in DECODERS:
        decode(data, "the drawn picture", decoder)  # imports
    for _ in range(ROUNDS):
        for decoder in DECODERS:
            begin = time.perf_counter()
            decode(data, "the drawn picture", decoder)
            seconds[decoder].append(time.perf_counter() - begin)
    return seconds
