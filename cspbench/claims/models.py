"""What is known of the models behind the rows, and of their weight files: `models.toml`, beside the tables."""

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
"""Characters of the file."""

Definition = Literal["cfg", "paper", "reconstruction", "stand-in", "file"]
"""cfg: equals a published file layer by layer. paper: another complete public definition. reconstruction: forced by
independent evidence. stand-in: ours, since too little is known, and made to carry the published totals where there are
any, so that agreement proves nothing. file: a cfg the user gave."""

Confidence = Literal["certain", "very high", "high", "medium", "low"]
"""That the network is the one behind the published numbers."""

Status = Literal["released", "gone", "never-released"]
"""released: a document links the file. gone: only an earlier version of the document linked it. never-released: no
document has ever linked one, whatever the authors of a quoted network may offer. A link that is printed may be dead all
the same: nothing here asks the network."""

Classes = Literal["darknet", "sorted", "sample"]
Engine = Literal["any", "original"]

_REMEDY = "Add or correct that entry."


@dataclass(frozen=True)
class PublishedFile:
    """A weight file that somebody has published: see the head of `models.toml`.

    `size` is in bytes. `sha256` may be only the digest's beginning. `same_as` names the file whose arrays it has, too.
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
    """What `models.toml` says of one model: see its head."""

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
        """The model's weight file of that name, None where it has none."""
        return next((each for each in self.weights if each.file == name), None)


@lru_cache(maxsize=4)
def parse(text: str) -> Mapping[str, Entry]:
    """The entries by the models' names, in their order in the file; raises `TableError` for anything malformed."""
    entries: dict[str, Entry] = {}
    files: set[str] = set()
    for name, section in sections(text, FILE, ("models",), LARGEST)["models"].items():
        entry = _entry(name, section)
        for each in entry.weights:
            if each.file in files:
                raise _fault("models.file-twice", "a weight file named twice", name, "one model a file", each.file)
            files.add(each.file)
        entries[name] = entry
    for entry in entries.values():
        for other in entry.namesakes:
            if other not in entries:
                raise _fault(
                    "models.unknown-namesake", "unknown namesake", entry.name, "the name of another model", other
                )
    return entries


def _entry(name: str, section: Mapping[str, Any]) -> Entry:
    given = dict(section)
    listed, namesakes = given.pop("weights", []), given.pop("namesakes", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise _fault("models.not-a-list", "not a list", name, f"[[models.{name}.weights]]", repr(listed))
    if not isinstance(namesakes, list) or not all(isinstance(each, str) for each in namesakes):
        raise _fault("models.not-a-list", "not a list", name, "names of models", repr(namesakes))
    _check(name, Entry, given, required=("definition", "source"))
    for key, kinds in (
        ("definition", Definition),
        ("confidence", Confidence),
        ("classes", Classes),
        ("engine", Engine),
    ):
        if key in given and given[key] not in (known := [each for each in get_args(kinds) if each != "file"]):
            raise _fault("models.unknown-value", f"unknown {key}", name, f"one of {', '.join(known)}", repr(given[key]))
    if given["definition"] == "cfg":
        against = given["source"].split(" ")[0]
        equal = f"Equal to the published file layer by layer: `cspbench params {name} --against {against}`."
        given.setdefault("evidence", equal)
    weights = tuple(_published(name, each) for each in listed)
    for each in weights:
        if each.same_as is not None and each.same_as not in {other.file for other in weights if other is not each}:
            raise _fault("models.unknown-file", "unknown file", name, "same_as another file of the model", each.same_as)
    return Entry(name=name, namesakes=tuple(namesakes), weights=weights, **given)


def _published(model: str, given: Mapping[str, Any]) -> PublishedFile:
    name = f"{model}, weights"
    _check(name, PublishedFile, given, required=("file", "status"), numbers=("size",))
    file, url, size = given["file"], given.get("url"), given.get("size")
    if not re.fullmatch(r"[^/\\\s]+\.(weights|pth|safetensors)", file):
        raise _fault(
            "models.file-name",
            "not a weight file's name",
            name,
            "a name ending in .weights, .pth or .safetensors",
            file,
        )
    if given["status"] not in get_args(Status):
        raise _fault(
            "models.unknown-value",
            "unknown status",
            f"{model}, {file}",
            f"one of {', '.join(get_args(Status))}",
            given["status"],
        )
    if url is not None and not _address(url):
        raise _fault("models.not-an-address", "not an address", f"{model}, {file}", "https://HOST/...", url)
    if url is not None and "source" not in given:
        raise _fault(
            "models.address-without-source",
            "an address without its source",
            f"{model}, {file}",
            "source, the document that prints it",
            "none",
        )
    if size is not None and size <= 0:
        raise _fault("models.not-a-size", "not a size", f"{model}, {file}", "bytes", str(size))
    if not re.fullmatch(r"[0-9a-f]{8,64}", given.get("sha256", "0" * 8)):
        raise _fault(
            "models.not-a-digest", "not a digest", f"{model}, {file}", "8 to 64 hexadecimal digits", given["sha256"]
        )
    return PublishedFile(**cast("dict[str, Any]", given))


def _check(
    where: str, kind: type[Any], given: Mapping[str, Any], required: tuple[str, ...], numbers: tuple[str, ...] = ()
) -> None:
    """That a section has only known keys, all `required` ones, and texts for values, but where these are `numbers`."""
    known = {each.name for each in fields(kind)} - {"name"}
    for key in required:
        if key not in given:
            raise _fault("models.incomplete", "incomplete description", where, key, ", ".join(given))
    for key, value in given.items():
        if key not in known:
            raise _fault("models.unknown-key", "unknown key", where, f"one of {', '.join(sorted(known))}", key)
        if type(value) is not (int if key in numbers else str):
            raise _fault(
                "models.wrong-kind",
                "a value of the wrong kind",
                where,
                "a number" if key in numbers else "a text",
                repr(value),
            )
        if isinstance(value, str) and not value.replace("\n", " ").isprintable():
            raise _fault("models.not-printable", "not a printable text", where, "printable characters", repr(value))


def _address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # raises ValueError for a port that is not a number
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and "@" not in parts.netloc and url.isascii() and " " not in url


def _fault(code: str, what: str, model: str, expected: str, found: str) -> TableError:
    where = f"{FILE}, model {brief(model, 80)}"
    return TableError(code, what, where=where, expected=expected, found=brief(found, 120), remedy=_REMEDY)
