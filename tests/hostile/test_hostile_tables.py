"""Hostile tables: CSV files and their description with random damage, and values of the wrong kind everywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given

from cspbench.claims import tables
from cspbench.claims.model import Table
from cspbench.errors import CspbenchError

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
    result = result_of(lambda: tables.load(NAME, folder))
    if isinstance(result, Table):
        assert "\n" not in "".join(row.render(column) for row in result.rows for column in result.columns)


@fuzz(60)
@given(data=chosen([(PUBLISHED / "tables.toml").read_bytes()]))
def test_damaged_descriptions(folder: Path, data: bytes) -> None:
    shutil.copy(PUBLISHED / f"{NAME}.csv", folder)
    (folder / "tables.toml").write_bytes(data)
    result = result_of(lambda: tables.names(folder))
    if isinstance(result, tuple) and NAME in result:
        result_of(lambda: tables.load(NAME, folder))


@fuzz(60)
@given(data=chosen([(PUBLISHED / "models.toml").read_bytes()]))
def test_damaged_models(folder: Path, data: bytes) -> None:
    shutil.copy(PUBLISHED / f"{NAME}.csv", folder)
    shutil.copy(PUBLISHED / "tables.toml", folder)
    (folder / "models.toml").write_bytes(data)
    result_of(lambda: tables.load(NAME, folder))


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("a = " + "[" * 50_000, "tables.not-toml", ""),
        ("a." * 20_000 + "b = 1", "tables.not-toml", ""),
        ("models = 5", "tables.not-sections", ""),
        ("[models]\ndarknet53 = 5", "tables.not-sections", ""),
        ("[models.darknet53]\nweights = 5", "models.not-an-entry", "`$.weights`"),
        ("[models.darknet53]\nweights = [5]", "models.not-an-entry", "`$.weights[0]`"),
        ("[models.darknet53]\nnamesakes = [5]", "models.not-an-entry", "`$.namesakes[0]`"),
        ("[models.darknet53]\ndefinition = 5\nsource = 'a'", "models.not-an-entry", "`$.definition`"),
        (
            "[models.darknet53]\ndefinition = 'paper'\nsource = '\\u0007'".replace("'", '"'),
            "models.not-an-entry",
            repr("\a"),
        ),
        (
            "[models.darknet53]\ndefinition = 'paper'\nsource = 'a'\nsize = 99999999999999999999",
            "models.not-an-entry",
            "size",
        ),
        ("#" + "x" * (1 << 18), "tables.not-toml", ""),
        ("#" + "x" * (1 << 23), "tables.unreadable", "4,194,304 bytes"),
    ],
)
def test_models_that_are_refused(text: str, code: str, found: str, tmp_path: Path) -> None:
    for name in (f"{NAME}.csv", "tables.toml"):
        shutil.copy(PUBLISHED / name, tmp_path)
    path = tmp_path / "models.toml"
    path.write_text(text, encoding="utf-8")
    refused(lambda: tables.load(NAME, tmp_path), code, path, found=found)


DESCRIPTION = (PUBLISHED / "tables.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a = " + "[" * 50_000, "tables.not-toml"),
        ("a." * 20_000 + "b = 1", "tables.not-toml"),
        ("tables = 5", "tables.not-sections"),
        (f"tables = ['{NAME}']", "tables.not-sections"),
        (f"[tables]\n'{NAME}' = 5", "tables.not-sections"),
        (f"columns = 5\n[tables.{NAME}]\ncolumns = ['Model']\nsection = []", "tables.not-sections"),
        (DESCRIPTION.replace('role = "name"', "role = 5"), "tables.incomplete"),
        (DESCRIPTION.replace('role = "name"', 'role = "nobody"'), "tables.incomplete"),
        (DESCRIPTION.replace('suffix = "M"', "suffix = [1]"), "tables.incomplete"),
        (DESCRIPTION.replace('title = "Big Models"', "title = 1979-05-27"), "tables.incomplete"),
        ("\ufeff\ufeff", "tables.not-toml"),
    ],
)
def test_descriptions_that_are_refused(text: str, code: str, tmp_path: Path) -> None:
    assert text != DESCRIPTION
    path = tmp_path / "tables.toml"
    path.write_text(text, encoding="utf-8")
    for name in (f"{NAME}.csv", "models.toml"):
        shutil.copy(PUBLISHED / name, tmp_path)
    refused(lambda: tables.load(NAME, tmp_path), code, path)


HEADER = "id,Model,#Parameter,BFLOPs,Top-1,Top-5,cfg,weight,base"
ROW = "darknet-53,DarkNet-53 [1],41.57M,18.57,77.2,93.8,cfg,weight,"


def broken(tmp_path: Path, text: str) -> Path:
    """The file of a table with that text, beside the published description."""
    shutil.copy(PUBLISHED / "tables.toml", tmp_path)
    path = tmp_path / f"{NAME}.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (f"{HEADER}\n{ROW.replace('41.57', '9' * 200_000)}", "not-csv", ", line 2"),
        (f"{HEADER}\n{ROW.replace('77.2', 'x' * 100_000)}", "not-a-number", ', line 2, column "Top-1"'),
        (f"{HEADER}\n{ROW.replace('77.2', chr(27) + '[31m')}", "not-a-cell", ', line 2, column "Top-1"'),
        (HEADER + "," + "\x1b[31m" * 20_000, "unexpected-column", ", line 1"),
        (
            f"{HEADER}\n{ROW}\n" + "".join(f"{at}{ROW}darknet-53\n" for at in range(20_000)) + f"a{ROW}a",
            "unknown-base",
            ', line 20003, row adarknet-53, column "base"',
        ),
        (HEADER + '\n"' * 19_999, "row-too-short", ', line 3, column "Model"'),
        ("x" * (1 << 23), "unreadable", ""),
    ],
    ids=["digits", "a long word", "controls", "a long column", "rows", "quotes", "bytes"],
)
def test_tables_that_are_refused(text: str, code: str, where: str, tmp_path: Path) -> None:
    path = broken(tmp_path, text)
    error = result_of(lambda: tables.load(NAME, tmp_path, claims_only=True), path)
    assert isinstance(error, CspbenchError)
    assert error.code == f"tables.{code}"
    assert path.name + where in str(error.where)


def test_many_digits_are_read_faithfully(tmp_path: Path) -> None:
    digits = "9" * 38 + ".5"
    broken(tmp_path, f"{HEADER}\n{ROW.replace('41.57', digits)}\n")
    result = result_of(lambda: tables.load(NAME, tmp_path, claims_only=True))
    assert isinstance(result, Table)
    assert result.rows[0].cells["params"].render() == f"{digits}M"


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tables.toml")
    refused(lambda: tables.names(tmp_path), "tables.unreadable", tmp_path / "tables.toml", found="pipe")
