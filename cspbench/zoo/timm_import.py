"""timm, imported also where torchvision's compiled operators cannot be loaded.

torchvision from PyPI beside a torch of another build (PyPI's and PyTorch's own CPU wheels, for one) finds no compiled
operator, and its Python part then fails on the first one it wants to describe: "operator torchvision::nms does not
exist". timm needs none of these operators, so it is enough to declare the two that torchvision describes.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

MISSING = ("nms", "qnms")
"""The operators torchvision describes whether or not its compiled part is there."""


def import_timm() -> ModuleType:
    """The module timm. Raises `ModuleNotFoundError` without it, and what importing it raises otherwise."""
    with warnings.catch_warnings():
        # torchvision says that it cannot load its image codecs, which nothing here uses
        warnings.filterwarnings("ignore", message="Failed to load image Python extension", category=UserWarning)
        try:
            return importlib.import_module("timm")
        except RuntimeError as error:
            if "torchvision::nms does not exist" not in str(error):
                raise
            import torch

            for name in MISSING:
                torch.library.define(
                    f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                )
            return importlib.import_module("timm")
