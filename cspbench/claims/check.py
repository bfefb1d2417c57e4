"""Checks a folder of one's own tables, and names every fault by its file and line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cspbench.claims import tables
from cspbench.claims.model import Table
from cspbench.claims.rows import read_all
from cspbench.errors import TableError, brief

MOST_FAULTS = 100
"""Faults that `check` names."""


@dataclass(frozen=True)
class Checked:
    """What `check` read: the tables with their sound rows, and the faults."""

    tables: tuple[Table, ...]
    faults: tuple[TableError, ...]
    sound: bool
    """Whether tables.toml and models.toml could be read."""


def check(folder: Path) -> Checked:
    """Read everything in a folder of one's own tables; its faults in the order of the files, at most `MOST_FAULTS`."""
    faults: list[TableError] = []
    found: list[Table] = []
    try:
        text = tables.text_of(folder, tables.DESCRIPTION)
        described = list(tables.sections(text)["tables"])
        catalogue = tables.catalogue(tables.model_texts(folder))
    except TableError as error:
        return Checked((), (error,), sound=False)
    for name in described:
        try:
            table, sizes = tables.described(name, text)
            rows, of_rows = read_all(
                f"{name}.csv", tables.text_of(folder, f"{name}.csv"), table, sizes, catalogue, MOST_FAULTS
            )
        except TableError as error:
            faults.append(error)
            continue
        faults += of_rows
        found.append(replace(table, rows=rows))
    for file in sorted(folder.glob("*.csv")):
        if file.stem not in described:
            what = "a CSV file that no section describes"
            expected = f"[tables.{brief(file.stem)}] in {tables.DESCRIPTION}"
            remedy = "Add the section, or remove the file."
            faults.append(TableError("tables.undescribed", what, where=file.name, expected=expected, remedy=remedy))
    if not described:
        what, remedy = "no tables", "Add a section [tables.NAME] and the file NAME.csv."
        faults.append(TableError("tables.none", what, where=tables.DESCRIPTION, remedy=remedy))
    return Checked(tuple(found), tuple(faults[:MOST_FAULTS]), sound=True)
