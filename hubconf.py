"""For `torch.hub`: every model of cspbench's catalogue, by its own name and by timm's.

    torch.hub.load("PATH OF THIS FOLDER", "csresnext50", source="local", pretrained=False, num_classes=10)

Further arguments are those of `cspbench.create_model`.
"""

from __future__ import annotations

from collections.abc import Callable as _Callable
from functools import partial as _partial
from typing import Any as _Any

from cspbench.models.create import create_model as _create_model
from cspbench.models.create import list_models as _list_models

dependencies = ["torch", "timm", "numpy", "msgspec", "safetensors", "PIL"]


def _load(model: str, pretrained: bool = False, **options: _Any) -> _Any:
    if pretrained:
        options.setdefault("weights", "published")
    return _create_model(model, **options)


def _entry(model: str) -> _Callable[..., _Any]:
    entry = _partial(_load, model)
    entry.__doc__ = f"{model}; `pretrained` takes its published weights."  # what torch.hub.help shows
    return entry


_NAMES = _list_models()
globals().update({name: _entry(name) for name in _NAMES})
globals().update({name.rpartition("/")[2]: _entry(name) for name in _NAMES if "/" in name})
