"""Speed of Darknet's resize against Pillow's and torchvision's bilinear ones of the same output size.

    python -m benchmarks.resize [--quick]

All take the same decoded picture, uint8 (375, 500, 3), and give float32 (3, H, W) in [0, 1], on one thread each, as in
a process that prepares images. They compute different pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import faster, medians, part, table
from benchmarks.pictures import HEIGHT, WIDTH, picture
from cspbench.data.resize import center_offset, resize_image, resized_window, shorter_side_to

Planes = NDArray[np.float32]
Resize = Callable[[], Planes]

LABELS = {
    "pillow": "Pillow, BILINEAR (antialiased, in 8 bits)",
    "torchvision": "torchvision, bilinear, antialias=False",
    "cspbench": "cspbench, Darknet's",
}


def classifier(image: NDArray[np.uint8], side: int, functional: Any | None) -> dict[str, Resize]:
    """The shorter side to `side`, then the centre (side, side)."""
    width, height = shorter_side_to(side, WIDTH, HEIGHT)
    left, top = center_offset(width, height, side, side)
    window = (slice(None), slice(top, top + side), slice(left, left + side))
    ways: dict[str, Resize] = {
        "pillow": lambda: _pillow(image, width, height, window),
        "cspbench": lambda: resized_window(image, width, height, (left, top), side, side),
    }
    if functional is not None:
        ways["torchvision"] = lambda: np.ascontiguousarray(_torchvision(image, width, height, functional)[window])
    return ways


def detector(image: NDArray[np.uint8], side: int, functional: Any | None) -> dict[str, Resize]:
    """The whole picture stretched to (side, side)."""
    ways: dict[str, Resize] = {
        "pillow": lambda: _pillow(image, side, side, (slice(None),) * 3),
        "cspbench": lambda: resize_image(image, side, side),
    }
    if functional is not None:
        ways["torchvision"] = lambda: _torchvision(image, side, side, functional)
    return ways


def _pillow(image: NDArray[np.uint8], width: int, height: int, window: tuple[slice, slice, slice]) -> Planes:
    from PIL import Image

    resized = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    planes = resized.transpose(2, 0, 1)[window]
    scaled: Planes = np.divide(planes, np.float32(255), out=np.empty(planes.shape, np.float32))
    return scaled


def _torchvision(image: NDArray[np.uint8], width: int, height: int, functional: Any) -> Planes:
    import torch

    planes = torch.from_numpy(image).permute(2, 0, 1).float().div_(255)
    resized: Planes = functional.resize(planes, [height, width], antialias=False).numpy()
    return resized


def _floats(image: NDArray[np.uint8]) -> Planes:
    """The picture's bytes as planes of v / 255, the least that any resize of floats begins with."""
    planes = image.transpose(2, 0, 1)
    return np.divide(planes, np.float32(255), out=np.empty(planes.shape, np.float32))


def _functional() -> Any | None:
    """What torchvision has for tensors; None without torchvision."""
    if find_spec("torchvision") is None:
        return None
    import importlib

    from cspbench.zoo.timm_import import import_timm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_timm()  # makes torchvision importable also beside another torch
        return importlib.import_module("torchvision.transforms.functional")


def section(quick: bool) -> str:
    """Both uses, against both."""
    import torch

    torch.set_num_threads(1)
    image = picture(np.random.default_rng(0))
    functional = _functional()
    repeats = 3 if quick else 101
    rows, shares = [], []
    for words, ways in (
        ("256, centre 256x256", classifier(image, 256, functional)),
        ("608x608", detector(image, 608, functional)),
    ):
        seconds = medians({**ways, "floats": lambda: _floats(image)}, repeats)
        shares.append(f"{100 * seconds['floats'] / seconds['cspbench']:.0f} % of the time to {words}")
        ours = ways["cspbench"]().copy()
        for name, label in LABELS.items():
            if name not in ways:
                rows.append([words, f"{label}: not installed", None, None, None])
                continue
            apart = 255 * float(np.abs(ways[name]() - ours).mean())
            ratio = seconds[name] / seconds["cspbench"]
            if name != "cspbench":
                faster(f"{words}: cspbench to {label}", ratio)
            rows.append([words, label, f"{1000 * seconds[name]:.2f}", f"{ratio:.2f}", f"{apart:.2f}"])
    columns = ("output", "resize", "ms", "time, cspbench = 1", "mean difference from Darknet's, of 255 levels")
    heading = (
        f"One picture of {WIDTH}x{HEIGHT}, uint8 to float32 planes, one thread, medians of {repeats} runs in turns. "
        "The three compute different pixels: Darknet's aligns corners and takes two taps, torchvision's two taps "
        "between pixel centres, Pillow's as many as the scale asks for."
    )
    bound = (
        "cspbench is bound by numpy's passes over arrays in the processor's cache: a single one over the picture, "
        f"bytes to float32 planes, is {' and '.join(shares)}; the others take two taps along each axis and blend them."
    )
    return f"{heading}\n\n{table(columns, rows)}\n\n{bound}"


if __name__ == "__main__":
    part(__doc__, section)
