"""The models of the rows and their weight files, from `models.toml` beside the tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, structs

from cspbench.claims.toml import place, read_sections
from cspbench.errors import TableError, brief

FILE = "models.toml"
LARGEST = 1 << 18
"""Limit of the file, in characters."""

Published = Literal["cfg", "paper", "reconstruction", "stand-in"]
Definition = Literal[Published, "own", "file"]
"""cfg: equal to a published file layer by layer. paper: another complete public definition. reconstruction: implied by
independent evidence. stand-in: our own, since too little is known, chosen to have the published totals, if any, so that
agreement proves nothing. own: a cfg of one's own tables. file: a cfg from the user."""

Confidence = Literal["certain", "very high", "high", "medium", "low"]
"""Confidence that the published numbers are those of this network."""

Status = Literal["released", "gone", "never-released"]
"""released: a document links the file. gone: only an earlier version of the document linked it. never-released: no
document of these tables has ever linked a file, even if the authors of a quoted network offer one. A link may be dead;
it is not checked here."""

Classes = Literal["darknet", "sorted", "sample"]
Engine = Literal["any", "original"]


class PublishedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A published weight file; the head of `models.toml` describes the fields.

    `size` is in bytes. `sha256` may be a prefix of the digest. `same_as` names a file with the same arrays.
    """

    file: Annotated[str, Meta(pattern=r"\A[^/\\\s]+\.(weights|pth|safetensors)\Z")]
    status: Status
    url: str | None = None
    source: str | None = None
    size: Annotated[int, Meta(gt=0)] | None = None
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,64}\Z")] | None = None
    arrays: str | None = None
    same_as: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        _check_printable(self)
        if self.url is not None and not _is_address(self.url):
            raise ValueError(f"url {self.url!r} is not an address, https://HOST/...")
        if self.url is not None and self.source is None:
            raise ValueError("a url without a source, the document with the link")


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A model's entry in `models.toml`; its head describes the fields. `cfg` is the path of a network of one's own."""

    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    evidence: str = ""
    namesakes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    classes: Classes = "darknet"
    engine: Engine = "any"
    weights: tuple[PublishedFile, ...] = ()
    cfg: str | None = None

    def __post_init__(self) -> None:
        _check_printable(self)
        if self.definition == "file" or (self.definition == "own") != (self.cfg is not None):
            raise ValueError("a network of one's own is declared by its cfg, without a definition")
        for file in self.weights:
            if file.same_as is not None and file.same_as not in {other.file for other in self.weights} - {file.file}:
                raise ValueError(f"same_as {file.same_as!r} is not another file of the model")

    def file(self, name: str) -> PublishedFile | None:
        """The model's weight file of that name, or None."""
        return next((file for file in self.weights if file.file == name), None)


class OwnNetwork(Struct, frozen=True, forbid_unknown_fields=True):
    """A network of one's own in `models.toml`: `cfg` is the path of its file, from the folder of the tables.

    `weights` is the name of its weight file, `sha256` that file's digest or the beginning of it.
    """

    cfg: Annotated[str, Meta(pattern=r"\A[^/\\\s][^\\\n]*\.cfg\Z", max_length=500)]
    source: str = ""
    unknown: str | None = None
    classes: Classes = "darknet"
    weights: str | None = None
    sha256: str | None = None

    def entry(self) -> Entry:
        """The same as an entry; raises `msgspec.ValidationError` for a weight file that cannot be one."""
        if self.weights is None and self.sha256 is not None:
            raise msgspec.ValidationError("sha256 without weights, the name of the file")
        file = {"file": self.weights, "status": "released", "sha256": self.sha256}
        values = {"definition": "own", "source": self.source or self.cfg, "unknown": self.unknown, "cfg": self.cfg}
        return msgspec.convert({**values, "classes": self.classes, "weights": [file] if self.weights else []}, Entry)


@lru_cache(maxsize=4)
def parse(text: str) -> Mapping[str, Entry]:
    """The entries by model name, in file order; raises `TableError` for malformed ones."""
    entries: dict[str, Entry] = {}
    files: set[str] = set()
    for name, section in read_sections(text, FILE, ("models",), LARGEST)["models"].items():
        try:
            own = "cfg" in section and "definition" not in section
            entry = msgspec.convert(section, OwnNetwork).entry() if own else msgspec.convert(section, Entry)
        except msgspec.ValidationError as error:
            where = place(text, FILE, "models", name)
            raise _error("models.not-an-entry", "not an entry", where, "what its head describes", str(error)) from None
        for file in (weights.file for weights in entry.weights):
            if file in files:
                where = place(text, FILE, "models", name)
                raise _error("models.duplicate-file", "duplicate weight file", where, "one model per file", file)
            files.add(file)
        if entry.definition == "cfg" and not entry.evidence:
            against = entry.source.split(" ")[0]
            equal = f"Equal to the published file layer by layer: `cspbench params {name} --against {against}`."
            entry = structs.replace(entry, evidence=equal)
        entries[name] = entry
    for name, entry in entries.items():
        for other in entry.namesakes:
            if other not in entries:
                where = place(text, FILE, "models", name)
                raise _error("models.unknown-namesake", "unknown namesake", where, "the name of another model", other)
    return entries


def _check_printable(record: Struct) -> None:
    for name, value in structs.asdict(record).items():
        if isinstance(value, str) and not value.replace("\n", " ").isprintable():
            raise ValueError(f"{name} {value!r} is not printable")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # raises ValueError for a port that is not a number
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and "@" not in parts.netloc and url.isascii() and " " not in url


def _error(code: str, what: str, where: str, expected: str, found: str) -> TableError:
    remedy = "Add or correct that entry."
    return TableError(code, what, where=where, expected=expected, found=brief(found, 200), remedy=remedy)
