"""How numbers were made: command, version, commit and packages."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cspbench import __version__

SCHEMA = 1
PACKAGES = (
    "torch",
    "timm",
    "torchvision",
    "fvcore",
    "pycocotools",
    "faster-coco-eval",
    "libstb",
    "pillow",
    "safetensors",
    "numpy",
    "pandas",
    "rich",
    "typer",
)

CHANGED = "+changes"
"""What ends a commit when the tree differed from it."""


def commit() -> str | None:
    """The git commit the code was run from, "+changes" when the tree differs; None outside a checkout."""
    home = Path(__file__).parents[1]
    if not (home / ".git").exists():
        return None
    try:
        head = _git(home, "rev-parse", "HEAD")
        changed = _git(home, "status", "--porcelain", "--untracked-files=no", "--", "cspbench", "tables")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}{CHANGED}" if changed else head


def _git(home: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(home), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return run.stdout.strip()


def installed(packages: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Versions of packages, None for one that is not installed; nothing is imported."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def provenance(command: list[str]) -> dict[str, Any]:
    """What must be known to make a number again: command, cspbench version and commit, Python and packages."""
    return {
        "schema": SCHEMA,
        "command": command,
        "cspbench": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": installed(),
    }
