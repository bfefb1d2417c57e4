"""The documents that published the numbers, as digests of their lines: equality can be checked, nothing be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parent / "documents.json"
DIGITS = 16
"""Hexadecimal digits kept of a line's sha256."""


@dataclass(frozen=True)
class Documents:
    """Lines of the documents, or their digests."""

    readme_tables: list[list[str]]
    """Every line of every table of the README, in order."""
    readme_lines: list[str]
    """Its other lines without the mark of a list, and whatever ends a line that ends in a colon, word by word."""
    mmpretrain_card: list[str]
    """The cells of the card's table, in order."""
    timm_card: list[str]
    """Its properties of the network and its training as "key: value", in order."""
    timm_lines: list[str]
    """Every line of its index of models, without indentation."""

    def digests(self) -> Documents:
        """The same with every line replaced by its digest."""
        tables = [fingerprints(table) for table in self.readme_tables]
        others = {key: fingerprints(value) for key, value in asdict(self).items() if key != "readme_tables"}
        return Documents(readme_tables=tables, **others)


def fingerprints(lines: Iterable[str]) -> list[str]:
    """The digest of every line."""
    return [hashlib.sha256(line.encode()).hexdigest()[:DIGITS] for line in lines]


def fingerprint(line: str) -> str:
    """The digest of one line."""
    return fingerprints([line])[0]


def stored() -> Documents:
    """The digests that are kept here."""
    return Documents(**json.loads(FILE.read_text(encoding="utf-8")))


def read(folder: Path) -> Documents:
    """The documents themselves: README (004), mmpretrain's card (003) and timm's (001)."""
    readme, mmpretrain, timm = (_lines(folder, number) for number in ("004", "003", "001"))
    return Documents(
        readme_tables=_tables(readme),
        readme_lines=[part for line in readme if line and "|" not in line for part in _parts(line)],
        mmpretrain_card=_cells(mmpretrain),
        timm_card=_properties(timm),
        timm_lines=[line.strip() for line in timm[timm.index("Models:") :] if line],
    )


def _lines(folder: Path, number: str) -> list[str]:
    (path,) = folder.glob(f"{number}_*.txt")
    return path.read_text(encoding="utf-8").split("\n")


def _tables(lines: list[str]) -> list[list[str]]:
    """Every run of lines that end in a table's bar; no other line has one."""
    text = "\n".join(line if line.endswith("|") else "" for line in lines)
    tables = [block.split("\n") for block in re.split(r"\n{2,}", text.strip("\n"))]
    assert sum(map(len, tables)) == sum("|" in line for line in lines)
    return tables


def _parts(line: str) -> list[str]:
    line = line.removeprefix("- ")
    words = line.removesuffix(":").split(" ") if line.endswith(":") else []
    return [line, *(" ".join(words[at:]) for at in range(1, len(words)))]


def _cells(lines: list[str]) -> list[str]:
    lines = [line for line in lines if line]
    opening = lines.index("Model")
    return lines[opening : next(n for n, line in enumerate(lines) if line.startswith("Models with *"))]


def _properties(lines: list[str]) -> list[str]:
    result = [re.fullmatch(r"\s*(?:- )?([^:]+): '?([^']+)'?", line) for line in lines[lines.index("Models:") :]]
    # what is not a property of the network or its training
    others = {"In Collection", "Code", "Weights", "Task", "Dataset"}
    return [f"{match[1]}: {match[2]}" for match in result if match and match[1] not in others]
