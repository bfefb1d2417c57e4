"""Imports timm even if torchvision's compiled operators cannot be loaded.

With a torch of another build (such as torchvision from PyPI and PyTorch's own CPU wheel) torchvision has no compiled
operators, and its import fails at the first one that it registers: "operator torchvision::nms does not exist". timm
does not need these operators, so it is enough to declare the two that torchvision registers.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

MISSING = ("nms", "qnms")
"""The operators that torchvision registers even without its compiled part."""


def import_timm() -> ModuleType:
    """The module timm. Raises `ModuleNotFoundError` if it is not installed, or any other error of its import."""
    with warnings.catch_warnings():
        # a warning about image codecs, which are not used here
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
