"""Hostile tables: CSV files and their description with random damage, and values of the wrong kind everywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from contract import chosen, fuzz, kept, refused
from hypothesis import given

from cspbench.claims import tables
from cspbench.claims.model import Table

PUBLISHED = tables.where_published()
NAME = "imagenet-big"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the published tables."""
    folder = tmp_path_factory.mktemp("tables")
    for path in PUBLISHED.iterdir():
        shutil.copy(path, folder)
    return folder


@fuzz(100)
@given(data=chosen([(PUBLISHED / f"{NAME}.csv").read_bytes()]))
def test_damaged_tables(folder: Path, data: bytes) -> None:
    (folder / f"{NAME}.csv").write_bytes(data)
    found = kept(lambda: tables.load(NAME, folder))
    if isinstance(found, Table):
        assert "\n" not in "".join(row.render(column) for row in found.rows for column in found.columns)


@fuzz(60)
@given(data=chosen([(PUBLISHED / "tables.toml").read_bytes()]))
def test_damaged_descriptions(folder: Path, data: bytes) -> None:
    shutil.copy(PUBLISHED / f"{NAME}.csv", folder)
    (folder / "tables.toml").write_bytes(data)
    found = kept(lambda: tables.names(folder))
    if isinstance(found, tuple) and NAME in found:
        kept(lambda: tables.load(NAME, folder))


@fuzz(60)
@given(data=chosen([(PUBLISHED / "models.toml").read_bytes()]))
def test_damaged_models(folder: Path, data: bytes) -> None:
    shutil.copy(PUBLISHED / f"{NAME}.csv", folder)
    shutil.copy(PUBLISHED / "tables.toml", folder)
    (folder / "models.toml").write_bytes(data)
    kept(lambda: tables.load(NAME, folder))


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a." * 20_000 + "b = 1",
        "models = 5",
        "[models]\ndarknet53 = 5",
        "[models.darknet53]\nweights = 5",
        "[models.darknet53]\nweights = [5]",
        "[models.darknet53]\nnamesakes = [5]",
        "[models.darknet53]\ndefinition = 5\nsource = 'a'",
        "[models.darknet53]\ndefinition = 'paper'\nsource = '\\u0007'".replace("'", '"'),
        "[models.darknet53]\ndefinition = 'paper'\nsource = 'a'\nsize = 99999999999999999999",
        "#" + "x" * (1 << 18),
        "#" + "x" * (1 << 23),
    ],
)
def test_models_that_are_refused(text: str, tmp_path: Path) -> None:
    for name in (f"{NAME}.csv", "tables.toml"):
        shutil.copy(PUBLISHED / name, tmp_path)
    (tmp_path / "models.toml").write_text(text, encoding="utf-8")
    refused(lambda: tables.load(NAME, tmp_path), "")


DESCRIPTION = (PUBLISHED / "tables.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a." * 20_000 + "b = 1",
        "tables = 5",
        f"tables = ['{NAME}']",
        f"[tables]\n'{NAME}' = 5",
        f"columns = 5\n[tables.{NAME}]\ncolumns = ['Model']\nsection = []",
        DESCRIPTION.replace('role = "name"', "role = 5"),
        DESCRIPTION.replace('role = "name"', 'role = "nobody"'),
        DESCRIPTION.replace('suffix = "M"', "suffix = [1]"),
        DESCRIPTION.replace('title = "Big Models"', "title = 1979-05-27"),
        "\ufeff\ufeff",
    ],
)
def test_descriptions_that_are_refused(text: str, tmp_path: Path) -> None:
    assert text != DESCRIPTION
    (tmp_path / "tables.toml").write_text(text, encoding="utf-8")
    shutil.copy(PUBLISHED / f"{NAME}.csv", tmp_path)
    refused(lambda: tables.load(NAME, tmp_path), "")


HEADER = "id,Model,#Parameter,BFLOPs,Top-1,Top-5,cfg,weight,base"
ROW = "darknet-53,DarkNet-53 [1],41.57M,18.57,77.2,93.8,cfg,weight,"


def broken(tmp_path: Path, text: str) -> Path:
    """The file of a table with that text, beside the published description."""
    shutil.copy(PUBLISHED / "tables.toml", tmp_path)
    path = tmp_path / f"{NAME}.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADER}\n{ROW.replace('41.57', '9' * 200_000)}", "not CSV"),
        (f"{HEADER}\n{ROW.replace('77.2', 'x' * 100_000)}", "not a published number"),
        (f"{HEADER}\n{ROW.replace('77.2', chr(27) + '[31m')}", "not a printed cell"),
        (HEADER + "," + "\x1b[31m" * 20_000, "unknown or repeated column"),
        (f"{HEADER}\n{ROW}\n" + "".join(f"{at}{ROW}darknet-53\n" for at in range(20_000)) + f"a{ROW}a", "unknown base"),
        (HEADER + '\n"' * 19_999, "line 3"),
        ("x" * (1 << 23), "more than"),
    ],
    ids=["digits", "a long word", "controls", "a long column", "rows", "quotes", "bytes"],
)
def test_tables_that_are_refused(text: str, words: str, tmp_path: Path) -> None:
    path = broken(tmp_path, text)
    refused(lambda: tables.load(NAME, tmp_path, claims_only=True), words, path)


def test_any_number_of_digits_is_read_faithfully(tmp_path: Path) -> None:
    digits = "9" * 100_000 + ".5"
    broken(tmp_path, f"{HEADER}\n{ROW.replace('41.57', digits)}\n")
    found = kept(lambda: tables.load(NAME, tmp_path, claims_only=True))
    assert isinstance(found, Table)
    assert found.rows[0].cells["params"].render() == f"{digits}M"


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tables.toml")
    refused(lambda: tables.names(tmp_path), "a pipe", tmp_path / "tables.toml")
