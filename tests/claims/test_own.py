"""Tables of one's own: the example of the documentation, and what is wrong with broken ones, by file and line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from result_files import classifier, sources

from cspbench.claims import models, own, tables
from cspbench.claims.check import MOST_FAULTS, check
from cspbench.report.build import rows
from cspbench.report.yours import yours
from cspbench.results.schema import Data, Weights
from cspbench.zoo import registry
from cspbench.zoo.own import faults, own_models

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-tables"
Edit = Callable[[str, str, str], Path]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, which the program uses."""
    folder = tmp_path / "own tables"
    shutil.copytree(EXAMPLE, folder)
    monkeypatch.setenv(own.VARIABLE, str(folder))
    return folder


@pytest.fixture
def edit(example: Path) -> Edit:
    """Replaces the only such text of one of its files."""

    def edited(name: str, old: str, new: str) -> Path:
        file = example / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        file.write_text(text.replace(old, new), encoding="utf-8")
        return example

    return edited


def test_they_stand_in_place_of_the_published_ones(example: Path) -> None:
    assert tables.names() == tables.names(kind=None) == ("small-nets",)
    assert "sample-nms" in tables.names(kind="sample")
    (table,) = tables.load_all()
    assert [(row.id, row.model, row.weights_status) for row in table.rows] == [
        ("darknet", "darknet", "never-released"),
        ("narrow", "narrow", "never-released"),
        ("planned", None, "never-released"),
    ]
    # a column of [columns], and one that the published tables declare
    assert table.rows[1].cells["params"].value == Decimal(1528)
    assert table.rows[1].cells["bflops"].counting == "conv+maxpool"
    with refuses("usage.unknown-table"):
        tables.load("imagenet-big")


def test_a_network_is_read_from_its_file_under_its_name(example: Path) -> None:
    (name,) = own_models()
    model = own_models()[name]
    network = model.build()
    assert (name, network.name, network.input, len(network.layers)) == ("narrow", "narrow", (3, 64, 64), 6)
    assert (model.definition, model.source, network.places) == ("own", "our own design", ())


def test_the_weights_of_a_network_are_those_of_its_rows(edit: Edit) -> None:
    edit("models.toml", 'source = "our own design"', 'weights = "narrow.weights"\nsha256 = "0123abcd"')
    row = tables.load("small-nets").rows[1]
    assert row.weights is not None
    assert (row.weights.file, row.weights.sha256, row.weights_status) == ("narrow.weights", "0123abcd", "released")


def test_a_run_is_judged_by_a_claim_on_images_of_ones_own(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("tables.toml", 'split = "val"', f'split = "ours"\npresets = ["readme"]\ndata = "{"b" * 64}"')
    edit("tables.toml", '"BFLOPs"]', '"Top-1"]')
    edit("models.toml", 'source = "our own design"', 'weights = "narrow.weights"\nsha256 = "0123abcd"')
    place = edit("small-nets.csv", "BFLOPs", "Top-1")
    header, _, narrow, _ = (place / "small-nets.csv").read_text().splitlines()
    row = narrow.replace("0.001 (-100%),darknet", "69.5,").replace("1528 (-100%)", "1528")
    (place / "small-nets.csv").write_text(f"{header}\n{row}\n")
    monkeypatch.setitem(registry.MODELS, "narrow", own_models()["narrow"])
    for images, file, mark in (
        ("b", "0123abcd" * 8, "exact"),
        ("c", "0123abcd" * 8, "unmeasured: split-mismatch"),
        ("b", "f" * 64, "unmeasured: protocol-mismatch"),
    ):
        data = Data("folders", 200, images * 64)
        run = classifier("narrow", top1=139, data=data, run={"weights": Weights(f"arrays:{'a' * 64}", file)})
        (line,) = rows(sources(run=run))
        assert (line.cells["top1"].measured, line.cells["top1"].mark) == ("69.5", mark)
    assert [your.table for your in yours(sources(run=run))] == []


def test_a_sound_folder_has_no_faults(example: Path) -> None:
    result = check(example)
    assert (result.faults, result.sound, [len(table.rows) for table in result.tables]) == ((), True, [3])
    assert faults(own_models().values()) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "where"),
    [
        ("small-nets.csv", "id,Model,Weights", "id,Model,Weight", "tables.missing-column", "small-nets.csv, line 1"),
        ("small-nets.csv", "base,model", "base,modle", "tables.missing-column", "small-nets.csv, line 1"),
        ("small-nets.csv", "1528 ", "1,528 ", "tables.row-too-long", "small-nets.csv, line 3"),
        ("small-nets.csv", "1528 ", "1528M ", "tables.not-a-number", "small-nets.csv, line 3"),
        ("small-nets.csv", "darknet,narrow", "darknet,narow", "tables.unknown-model", "small-nets.csv, line 3"),
        ("small-nets.csv", "(-100%),darknet,", "(-100%),darkent,", "tables.unknown-base", "small-nets.csv, line 3"),
        ("small-nets.csv", "planned", "narrow", "tables.duplicate-id", "small-nets.csv, line 4"),
        ("tables.toml", '"BFLOPs"]', '"MFLOPs"]', "tables.incomplete", "tables.toml, line 7"),
        (
            "tables.toml",
            'split = "val"',
            'kind = "yours"',
            "tables.incomplete",
            "tables.toml, line 7",
        ),
        ("tables.toml", "[tables.small-nets]", "[tables.small-nets", "tables.not-toml", "tables.toml"),
        ("models.toml", "[models.narrow]", "[models.darknet53]", "models.name-taken", "models.toml, line 3"),
        ("models.toml", "cfg =", "file =", "models.not-an-entry", "models.toml, line 3, model narrow"),
        ("models.toml", 'cfg = "narrow.cfg"', 'cfg = "/narrow.cfg"', "models.not-an-entry", "models.toml, line 3"),
        ("models.toml", 'source = "', 'sha256 = "0123abcd"\nsource = "', "models.not-an-entry", "models.toml, line 3"),
        (
            "models.toml",
            'source = "',
            'weights = "a/b.weights"\nsource = "',
            "models.not-an-entry",
            "models.toml, line 3",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(
    edit: Edit, file: str, old: str, new: str, code: str, where: str
) -> None:
    result = check(edit(file, old, new)).faults
    assert [fault.code for fault in result][:1] == [code]
    assert (result[0].where or "").startswith(where)
    assert result[0].remedy
    with refuses(code):
        tables.load_all(kind=None)


def test_all_faults_of_a_file_are_named(edit: Edit, example: Path) -> None:
    edit("small-nets.csv", "1528 ", "many ")
    edit("small-nets.csv", "7314352", "7.31.4")
    (example / "others.csv").write_text("id\n")
    assert [(fault.code, (fault.where or "").partition(", column")[0]) for fault in check(example).faults] == [
        ("tables.not-a-number", "small-nets.csv, line 2"),
        ("tables.not-a-number", "small-nets.csv, line 3"),
        ("tables.undescribed", "others.csv"),
    ]
    row = "x,A,many,-,,darknet,\n"
    (example / "small-nets.csv").write_text("id,Model,Weights,BFLOPs,base,model,note\n" + row * 1000)
    assert len(check(example).faults) == MOST_FAULTS


@given(st.sampled_from(["tables.toml", "models.toml", "small-nets.csv"]), st.integers(0, 2000), st.binary(max_size=9))
def test_any_damage_is_a_fault_or_harmless(name: str, at: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tables"
        shutil.copytree(EXAMPLE, folder)
        data = (folder / name).read_bytes()
        at %= len(data)
        (folder / name).write_bytes(data[:at] + damage + data[at + len(damage) :])
        for fault in check(folder).faults:
            assert str(fault).isprintable()
            assert fault.where


def test_a_network_that_cannot_be_read_is_a_fault(edit: Edit, example: Path) -> None:
    edit("narrow.cfg", "activation=linear", "activation=liner")
    (fault,) = faults(own_models().values())
    assert (fault.code, "narrow.cfg:" in (fault.where or "")) == (
        "cfg.unknown-value",
        True,
    )
    edit("models.toml", "narrow.cfg", "missing.cfg")
    (fault,) = faults(own_models().values())
    assert "missing.cfg" in str(fault)


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(own.VARIABLE, str(tmp_path / "nowhere"))
    with refuses("usage.no-tables", found=str(tmp_path / "nowhere")):
        tables.load_all()
    (tmp_path / "tables.toml").write_text("")
    assert [fault.code for fault in check(tmp_path).faults] == ["tables.none"]


def test_a_network_of_ones_own_is_declared_by_its_path() -> None:
    for definition in ("file", "own"):
        with refuses("models.not-an-entry", where="models.toml, line 1, model net"):
            models.parse(f'[models.net]\ndefinition = "{definition}"\nsource = "a file"\n')
