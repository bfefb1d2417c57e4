"""A results directory at another commit of its checkout, read by git without a checkout of that commit."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cspbench.ci import past_claims
from cspbench.claims import tables
from cspbench.errors import CspbenchError, UsageError, brief
from cspbench.results.store import COUNTS, EVALUATIONS, LARGEST, not_results

REPORT = "report.json"
SECONDS = 120
"""Time limit of one git command; a partial clone may have to fetch."""


@dataclass(frozen=True)
class Past:
    """Files by their path in the results directory, and a description of their commit."""

    files: dict[str, bytes]
    commit: str
    report: bytes | None
    """The report.json beside them."""
    tables: dict[str, bytes]
    """The files of the tables at the same commit, by name; empty if the checkout does not hold the tables."""
    unrelated: bool = False
    """Whether no common ancestor with HEAD is known, as in a shallow clone; the files are the commit's own then."""


def read(reference: str, path: str | None, results: Path) -> Past:
    """The measurements in `results` at the merge base of HEAD and `reference`; `path` names another folder.

    The checkout is the one that holds `results` or, with a `path`, else that of the working directory.
    Raises `CspbenchError` without git, outside a checkout, for an unknown commit, and for one without results.
    """
    # git could read other texts as an option, a range or a pattern
    if not re.fullmatch(r"[^-^:\s\0][^:\s\0]*", reference) or ".." in reference or not reference.isprintable():
        what, expected = "not a name of a commit", "git:REF or git:REF:FOLDER with a branch, tag or commit"
        found, remedy = brief(repr(reference)), "Try --baseline git:origin/main"
        raise UsageError("usage.commit-name", what, where="--baseline", expected=expected, found=found, remedy=remedy)
    root, prefix = _checkout(results, path is None)
    tip = _commit(root, reference)
    base = _run(root, "merge-base", tip, "HEAD").stdout.decode().strip()
    commit = f"{reference}, commit {tip[:12]}"
    if not base:
        commit += ", which has no ancestor in common with HEAD here"
    elif base != tip:
        commit = f"{reference}, branched off at commit {base[:12]}"
    folder = prefix if path is None else path.strip("/")
    files = _files(root, base or tip, folder, reference)
    report = files.pop(REPORT, None)
    return Past(files, commit, report, _tables(root, base or tip, reference), unrelated=not base)


def _run(place: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", "-C", str(place), *arguments],
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        found = str(getattr(error, "strerror", None) or error)
        if isinstance(error, subprocess.TimeoutExpired):
            found = f"no answer in {SECONDS} s"
        remedy = "Install git, or name a file or folder as the --baseline"
        raise CspbenchError("environment.no-git", "git cannot be run", found=found, remedy=remedy) from None


def _checkout(results: Path, needed: bool) -> tuple[Path, str]:
    """The checkout's root, and the path of the results directory in it."""
    for place in [results] if needed else [results, Path()]:
        toplevel = _run(place, "rev-parse", "--show-toplevel")
        if toplevel.returncode == 0:
            prefix = _run(place, "rev-parse", "--show-prefix").stdout
            return Path(os.fsdecode(toplevel.stdout.rstrip(b"\n"))), os.fsdecode(prefix.rstrip(b"\n")).rstrip("/")
    what, found = "not in a git checkout", _complaint(toplevel)
    remedy = "Name the folder too (git:REF:results) and run this in the checkout, or name a file as the --baseline"
    raise CspbenchError("baseline.no-checkout", what, where=str(results), found=found, remedy=remedy)


def _commit(root: Path, reference: str) -> str:
    parsed = _run(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    commit = parsed.stdout.decode(errors="replace").strip()
    if parsed.returncode != 0 or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        shallow = _run(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        what, found = "no such commit here", "a shallow clone, which has only the newest commits" if shallow else None
        remedy = f"Fetch it with `git fetch {'--unshallow ' if shallow else ''}origin`"
        raise CspbenchError("baseline.no-commit", what, where=f"git:{reference}", found=found, remedy=remedy)
    return commit


def _files(root: Path, commit: str, folder: str, reference: str) -> dict[str, bytes]:
    where = f"git:{reference}:{folder}"
    listed = _run(root, "ls-tree", "-r", "-z", "-l", "--full-tree", f"{commit}:{folder}")
    evaluation = re.compile(rf"{EVALUATIONS}/[^/]*\.json")
    blobs = {
        path: blob for path, blob in _listed(listed).items() if path in (*COUNTS, REPORT) or evaluation.fullmatch(path)
    }
    if listed.returncode != 0 or blobs.keys() <= {REPORT}:
        what, place = "no results at this commit", f"{where}, commit {commit[:12]}"
        expected = f"{COUNTS[0]} or {EVALUATIONS}/*.json"
        found = _complaint(listed) if listed.returncode else "neither"
        remedy = "Commit there what `cspbench params --all --save` writes, or name the folder: git:REF:FOLDER"
        raise CspbenchError("baseline.no-results", what, where=place, expected=expected, found=found, remedy=remedy)
    return _contents(root, blobs, where)


def _tables(root: Path, commit: str, reference: str) -> dict[str, bytes]:
    """The files of the tables at a commit; empty unless the checkout holds the tables, now and at that commit."""
    try:
        folder = tables.where_published().resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return {}
    listed = _run(root, "ls-tree", "-z", "-l", "--full-tree", f"{commit}:{folder}")
    blobs = {path: blob for path, blob in _listed(listed).items() if past_claims.NAMES.fullmatch(path)}
    return _contents(root, blobs, f"git:{reference}:{folder}") if "tables.toml" in blobs else {}


def _listed(listing: subprocess.CompletedProcess[bytes]) -> dict[str, tuple[bytes, int]]:
    """The files in a listing by git, without links: blob and size in bytes by path."""
    files = {}
    for entry in listing.stdout.split(b"\0")[:-1]:
        facts, name = entry.split(b"\t", 1)
        mode, _, blob, size = facts.split()
        if mode.startswith(b"100"):
            files[os.fsdecode(name)] = blob, int(size)
    return files


def _contents(root: Path, blobs: dict[str, tuple[bytes, int]], where: str) -> dict[str, bytes]:
    largest = max(blobs, key=lambda path: blobs[path][1])
    if blobs[largest][1] > LARGEST:
        raise not_results(f"{where}/{largest}", f"{blobs[largest][1]} bytes")
    names = b"".join(blob + b"\n" for blob, _ in blobs.values())
    batch = _run(root, "cat-file", "--batch", stdin=names)
    rest, files = batch.stdout, {}
    for path in blobs:
        head, _, rest = rest.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            place, found = f"{where}/{path}", _complaint(batch) or brief(head.decode(errors="replace"))
            remedy = "Fetch it with `git fetch origin`, or check the clone with `git fsck`"
            raise CspbenchError("baseline.git-failed", "git cannot read it", where=place, found=found, remedy=remedy)
        size = int(words[2])
        files[path], rest = rest[:size], rest[size + 1 :]
    return files


def _complaint(process: subprocess.CompletedProcess[bytes]) -> str:
    lines = process.stderr.decode(errors="replace").strip().splitlines()
    return brief(lines[0], 200) if lines else ""
