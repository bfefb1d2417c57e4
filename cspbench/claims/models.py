"""The models of the rows and their weight files, from `models.toml` beside the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from cspbench.claims.toml import sections
from cspbench.errors import TableError, brief

FILE = "models.toml"
LARGEST = 1 << 18
"""Limit of the file, in characters."""

Definition = Literal["cfg", "paper", "reconstruction", "stand-in", "file"]
"""cfg: equal to a published file layer by layer. paper: another complete public definition. reconstruction: implied by
independent evidence. stand-in: our own, since too little is known, chosen to have the published totals, if any, so that
agreement proves nothing. file: a cfg from the user."""

Confidence = Literal["certain", "very high", "high", "medium", "low"]
"""Confidence that the published numbers are those of this network."""

Status = Literal["released", "gone", "never-released"]
"""released: a document links the file. gone: only an earlier version of the document linked it. never-released: no
document of these tables has ever linked a file, even if the authors of a quoted network offer one. A link may be dead;
it is not checked here."""

Classes = Literal["darknet", "sorted", "sample"]
Engine = Literal["any", "original"]

_REMEDY = "Add or correct that entry."


@dataclass(frozen=True)
class PublishedFile:
    """A published weight file; the head of `models.toml` describes the fields.

    `size` is in bytes. `sha256` may be a prefix of the digest. `same_as` names a file with the same arrays.
    """

    file: str
    status: Status
    url: str | None = None
    source: str | None = None
    size: int | None = None
    sha256: str | None = None
    arrays: str | None = None
    same_as: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Entry:
    """A model's entry in `models.toml`; its head describes the fields."""

    name: str
    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    evidence: str = ""
    namesakes: tuple[str, ...] = ()
    classes: Classes = "darknet"
    engine: Engine = "any"
    weights: tuple[PublishedFile, ...] = ()

    def file(self, name: str) -> PublishedFile | None:
        """The model's weight file of that name, or None."""
        return next((file for file in self.weights if file.file == name), None)


@lru_cache(maxsize=4)
def parse(text: str) -> Mapping[str, Entry]:
    """The entries by model name, in file order; raises `TableError` for malformed ones."""
    entries: dict[str, Entry] = {}
    files: set[str] = set()
    for name, section in sections(text, FILE, ("models",), LARGEST)["models"].items():
        entry = _entry(name, section)
        for weights in entry.weights:
            if weights.file in files:
                raise _entry_error(
                    "models.duplicate-file", "duplicate weight file", name, "one model per file", weights.file
                )
            files.add(weights.file)
        entries[name] = entry
    for entry in entries.values():
        for other in entry.namesakes:
            if other not in entries:
                raise _entry_error(
                    "models.unknown-namesake", "unknown namesake", entry.name, "the name of another model", other
                )
    return entries


def _entry(name: str, section: Mapping[str, Any]) -> Entry:
    values = dict(section)
    files, namesakes = values.pop("weights", []), values.pop("namesakes", [])
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise _entry_error(
            "models.not-files", "not a list of weight files", name, f"[[models.{name}.weights]]", repr(files)
        )
    if not isinstance(namesakes, list) or not all(isinstance(namesake, str) for namesake in namesakes):
        raise _entry_error("models.not-namesakes", "not a list of namesakes", name, "names of models", repr(namesakes))
    _check(name, Entry, values, required=("definition", "source"))
    for key, kinds in (
        ("definition", Definition),
        ("confidence", Confidence),
        ("classes", Classes),
        ("engine", Engine),
    ):
        if key in values and values[key] not in (allowed := [kind for kind in get_args(kinds) if kind != "file"]):
            raise _entry_error(
                "models.unknown-word", f"unknown {key}", name, f"one of {', '.join(allowed)}", repr(values[key])
            )
    if values["definition"] == "cfg":
        against = values["source"].split(" ")[0]
        equal = f"Equal to the published file layer by layer: `cspbench params {name} --against {against}`."
        values.setdefault("evidence", equal)
    weights = tuple(_published(name, file) for file in files)
    for file in weights:
        if file.same_as is not None and file.same_as not in {other.file for other in weights if other is not file}:
            raise _entry_error(
                "models.unknown-file", "unknown file", name, "same_as another file of the model", file.same_as
            )
    return Entry(name=name, namesakes=tuple(namesakes), weights=weights, **values)


def _published(model: str, values: Mapping[str, Any]) -> PublishedFile:
    name = f"{model}, weights"
    _check(name, PublishedFile, values, required=("file", "status"), numbers=("size",))
    file, url, size = values["file"], values.get("url"), values.get("size")
    if not re.fullmatch(r"[^/\\\s]+\.(weights|pth|safetensors)", file):
        raise _entry_error(
            "models.not-a-file-name",
            "not a weight file's name",
            name,
            "a name ending in .weights, .pth or .safetensors",
            file,
        )
    if values["status"] not in get_args(Status):
        raise _entry_error(
            "models.unknown-status",
            "unknown status",
            f"{model}, {file}",
            f"one of {', '.join(get_args(Status))}",
            values["status"],
        )
    if url is not None and not _address(url):
        raise _entry_error("models.not-an-address", "not an address", f"{model}, {file}", "https://HOST/...", url)
    if url is not None and "source" not in values:
        raise _entry_error(
            "models.no-source",
            "an address without a source",
            f"{model}, {file}",
            "source, the document with the link",
            "none",
        )
    if size is not None and size <= 0:
        raise _entry_error("models.not-a-size", "not a size", f"{model}, {file}", "bytes", str(size))
    if not re.fullmatch(r"[0-9a-f]{8,64}", values.get("sha256", "0" * 8)):
        raise _entry_error(
            "models.not-a-digest", "not a digest", f"{model}, {file}", "8 to 64 hexadecimal digits", values["sha256"]
        )
    return PublishedFile(**cast("dict[str, Any]", values))


def _check(
    where: str, kind: type[Any], values: Mapping[str, Any], required: tuple[str, ...], numbers: tuple[str, ...] = ()
) -> None:
    """Raise `TableError` unless a section has all `required` keys, no unknown ones, and strings or `numbers`."""
    names = {field.name for field in fields(kind)} - {"name"}
    for key in required:
        if key not in values:
            raise _entry_error("models.incomplete", "incomplete description", where, key, ", ".join(values))
    for key, value in values.items():
        if key not in names:
            raise _entry_error("models.unknown-key", "unknown key", where, f"one of {', '.join(sorted(names))}", key)
        if type(value) is not (int if key in numbers else str):
            raise _entry_error(
                "models.wrong-type",
                "wrong type",
                where,
                f"{key} to be a number" if key in numbers else f"{key} to be a string",
                repr(value),
            )
        if isinstance(value, str) and not value.replace("\n", " ").isprintable():
            raise _entry_error("models.not-printable", "not printable", where, "printable characters", repr(value))


def _address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # raises ValueError for a port that is not a number
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and "@" not in parts.netloc and url.isascii() and " " not in url


def _entry_error(code: str, what: str, model: str, expected: str, found: str) -> TableError:
    where = f"{FILE}, model {brief(model, 80)}"
    return TableError(code, what, where=where, expected=expected, found=brief(found, 120), remedy=_REMEDY)
