"""Provenance of numbers: the commit and the versions of packages."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch",
    "timm",
    "torchvision",
    "fvcore",
    "pycocotools",
    "libstb",
    "pillow",
    "safetensors",
    "numpy",
    "pandas",
    "rich",
    "typer",
)

CHANGED = "+changes"
"""Suffix of a commit if the working tree differed from it."""


def commit() -> str | None:
    """The git commit of this code, with "+changes" if the working tree differs; None outside a checkout."""
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
    """Versions of packages, None for those that are not installed; imports nothing."""
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions
