"""`cspbench env`: what a bug report or a result needs to say about the machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from cspbench.cli import options
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import format_of, print_facts


def env(form: options.FormatOption = Format.MD, as_json: options.JsonOption = False) -> None:
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
    for variable in (options.IMAGENET, options.COCO, options.WEIGHTS, options.TABLES):
        path = os.environ.get(variable)
        facts[variable] = path if not path or Path(path).exists() else f"{path} (does not exist)"
    print_facts(facts, format_of(form, as_json))


def _accelerators() -> str:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        names.append("Apple GPU (mps)")
    return ", ".join(names) or "none"
