"""`cspbench env`: what a bug report or a result needs to say about the machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Annotated

import typer

VARIABLES = ("CSPBENCH_IMAGENET", "CSPBENCH_COCO", "CSPBENCH_WEIGHTS")


def env(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print versions, hardware and configured folders."""
    from cspbench import __version__
    from cspbench.provenance import commit, installed

    facts: dict[str, str | None] = {
        "cspbench": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        **installed(),
        "accelerators": _accelerators(),
    }
    for variable in VARIABLES:
        facts[variable] = _folder(os.environ.get(variable))
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value or '-'}")


def _folder(path: str | None) -> str | None:
    if not path:
        return None
    return path if Path(path).exists() else f"{path} (does not exist)"


def _accelerators() -> str:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        names.append("Apple GPU (mps)")
    return ", ".join(names) or "none"
