"""The published tables with other claims on the bundled nets, of a few images that a test draws."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from cspbench.claims.tables import where_published

Claims = Mapping[tuple[str, str], Mapping[str, str]]
"""By table and row id, what its columns claim."""


def altered(folder: Path, data: Mapping[str, str], claims: Claims) -> Path:
    """A copy of the tables in `folder`: `data` are the digests of the images that the sample's tables are of."""
    shutil.copytree(where_published(), folder)
    described = (folder / "tables.toml").read_text(encoding="utf-8")
    for table, digest in data.items():
        described, count = re.subn(
            rf'(\[tables\.{table}\][^\[]*?(?:"[^"]*"|\[[^\]]*\]|[^\[])*?\ndata = )"[0-9a-f]+"',
            rf'\g<1>"{digest}"',
            described,
            count=1,
        )
        assert count == 1
    (folder / "tables.toml").write_text(described, encoding="utf-8")
    for (table, row), cells in claims.items():
        path = folder / f"{table}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        (result,) = [each for each in rows if each["id"] == row]
        assert cells.keys() <= result.keys()
        result.update(cells)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(result), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder
