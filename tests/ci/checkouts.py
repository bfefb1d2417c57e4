"""Git repositories for tests, apart from whatever the machine's git is set to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ALONE = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "someone@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def leave_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of this machine's git count in a test."""
    for key, value in ALONE.items():
        monkeypatch.setenv(key, value)


def git(place: Path, *arguments: str) -> str:
    """What a git command prints."""
    command = ["git", "-C", str(place), *arguments]
    return subprocess.run(command, env=ALONE, check=True, capture_output=True, text=True, timeout=900).stdout.strip()


def commit(place: Path, message: str = "results") -> str:
    """Commit everything; returns the commit."""
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(place, "rev-parse", "HEAD")


def repository(place: Path) -> Path:
    """A new repository with a branch main."""
    place.mkdir(parents=True, exist_ok=True)
    git(place, "init", "--quiet", "--initial-branch", "main")
    return place
