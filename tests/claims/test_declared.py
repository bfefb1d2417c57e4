"""Adding a table: its CSV file and its entry, nothing else; whatever is not declared is an error when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from refusals import refuses

from cspbench.claims import models, tables
from cspbench.claims.model import Table
from cspbench.evaluation import counts
from cspbench.network.counter import Counter
from cspbench.results import match
from cspbench.results.schema import CocoIdentity, Data, LastLayer
from cspbench.weights.catalogue import of_row, weight_files

PUBLISHED = Path(__file__).parents[2] / "tables"
NAME = "scaled"
ENTRY = """

[tables.scaled]
title = "Scaled"
section = ["Scaled"]
source = "a document"
dataset = "coco"
split = "val2017"
presets = ["readme"]
columns = ["Model", "Size", "#Parameter", "AP", "weight"]
"""
ACCURACIES = """

[tables.scaled]
title = "Scaled"
section = ["Scaled"]
source = "a document"
dataset = "imagenet"
split = "val"
presets = ["readme"]
columns = ["Model", "#Parameter", "Top-1"]
"""
PANET = "a,CSPDarknet53,512×512,63.93M,40.1,weight,csdarknet53-panet-spp,,csdarknet53-panet-spp.weights,"
ROWS = f"""\
id,Model,Size,#Parameter,AP,weight,model,note,weights,weights_status
{PANET}
b,CSPDarknet53 trained longer,512×512,-,41.0,-,csdarknet53-panet-spp,trained otherwise,,never-released
c,Unknown,512×512,-,50.0,-,,no file was published,,never-released
"""


def files(entry: str = ENTRY, rows: str = ROWS, extra: str = "") -> dict[str, bytes | str]:
    """The published tables' files with a table more."""
    result: dict[str, bytes | str] = {path.name: path.read_bytes() for path in PUBLISHED.iterdir()}
    result["tables.toml"] = (PUBLISHED / "tables.toml").read_text("utf-8") + entry
    result["models.toml"] = (PUBLISHED / "models.toml").read_text("utf-8") + extra
    result[f"{NAME}.csv"] = rows
    return result


def folder(place: Path, contents: Mapping[str, bytes | str]) -> Path:
    for name, data in contents.items():
        (place / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return place


@pytest.fixture
def added(tmp_path: Path) -> Table:
    """The table, out of a folder that has it."""
    table = tables.load_all(folder(tmp_path, files()))[-1]
    assert table.name == NAME
    return table


def test_its_rows_are_counted(added: Table) -> None:
    first, again, unknown = counts.count_rows(counts.published([added]), Counter())
    # of the 64,429,405 numbers of the published file 765 are biases, and 4 belong to each of 33,152 batch norms
    assert first.size == again.size == (512, 512)
    assert (first.params.count, again.params.count) == (64_296_032, 64_296_032)
    assert (first.params.printed, again.params.printed) == ("63.93M", "-")
    assert (unknown.params.count, added.rows[2].note) == (None, "no file was published")


def test_its_weights_have_their_status(added: Table) -> None:
    result = [of_row(row) for row in added.rows]
    assert [(each.file, each.size, each.status) for each in result] == [
        ("csdarknet53-panet-spp.weights", 257_717_640, "released"),
        (None, 257_717_640, "never-released"),
        (None, None, "never-released"),
    ]


def test_its_rows_stand_against_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run of the model with the released weights says something about: the added row as the published one."""
    place = folder(tmp_path, files())
    monkeypatch.setattr("cspbench.claims.tables.where_published", lambda: place)
    identity = CocoIdentity(
        model="csdarknet53-panet-spp",
        network="v2:0",
        weights="v1:0",
        data=Data("coco", 5000, split="val2017"),
        preset={},
        size=(512, 512),
        precision="fp32",
        quoted=False,
        user_file=False,
        last=LastLayer(80, "default", 0.6),
    )
    rows = match.of_detector(identity, 0.45)
    assert [(table.name, row.id) for table, row in rows] == [("coco-gpu", "cspdarknet53-panet-spp-512"), (NAME, "a")]
    assert tables.load(NAME).dataset == "coco"
    assert [weight_file.id for weight_file in weight_files([NAME])] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
def test_a_mapping_of_files_reads_as_the_folder(
    kind: Callable[[dict[str, bytes | str]], Mapping[str, bytes | str]], added: Table
) -> None:
    assert tables.load(NAME, kind(files())) == added
    assert tables.names(kind(files()))[-1] == NAME


def test_a_mapping_lacks_a_file() -> None:
    contents = files()
    del contents[f"{NAME}.csv"]
    with refuses("tables.no-file", where=f"{NAME}.csv"):
        tables.load_all(contents)


def changed(old: str, new: str, text: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        (changed('dataset = "coco"\n', "", ENTRY), "dataset"),
        (changed('"coco"', '"voc"', ENTRY), "'voc'"),
        (changed('split = "val2017"\n', "", ENTRY), "split"),
        (changed('"val2017"', '""', ENTRY), "split"),
        (changed('"Size", ', "", ENTRY), "size"),
        (ENTRY + 'sweep = "Threshold"\n', "sweep"),
        (ENTRY + 'figure = "pie"\n', "'pie'"),
        (ENTRY + 'kind = "smaple"\n', "'smaple'"),
        (ENTRY + 'show_settings = "no"\n', "show_settings"),
        (ENTRY + 'colour = "red"\n', "colour"),
        (changed('presets = ["readme"]\n', "", ENTRY), "presets"),
        (changed('presets = ["readme"]\n', "", ACCURACIES), "presets"),
        (changed('presets = ["readme"]\n', "presets = []\n", ACCURACIES), "presets"),
    ],
)
def test_a_table_that_does_not_say_what_it_is(entry: str, where: str) -> None:
    contents = files(entry)
    line = str(contents["tables.toml"]).split("\n").index(f"[tables.{NAME}]") + 1
    with refuses("tables.incomplete", where=f"tables.toml, line {line}, table {NAME}") as caught:
        tables.load(NAME, contents)
    assert where in (caught.value.found or "")


def without(column: str) -> str:
    lines = [line.split(",") for line in ROWS.splitlines()]
    at = lines[0].index(column)
    return "\n".join(",".join(line[:at] + line[at + 1 :]) for line in lines)


@pytest.mark.parametrize(
    ("rows", "code", "column"),
    [
        (without("model"), "tables.missing-column", "model"),
        (without("note"), "tables.no-model", "model"),
        (without("weights"), "tables.undeclared-weights", "weights"),
        (without("weights_status"), "tables.undeclared-weights", "weights"),
        (changed("no file was published", "", ROWS), "tables.no-model", "model"),
        (changed(",csdarknet53-panet-spp,,csd", ",csdarknet53-panet,,csd", ROWS), "tables.unknown-model", "model"),
        (
            changed(PANET, PANET.removesuffix("csdarknet53-panet-spp.weights,") + ",", ROWS),
            "tables.undeclared-weights",
            "weights",
        ),
        (changed(PANET, PANET + "never-released", ROWS), "tables.undeclared-weights", "weights"),
        (changed(PANET, PANET.replace("spp.weights", "spp2.weights"), ROWS), "tables.unknown-weights", "weights"),
        # the file of another model
        (changed(PANET, PANET.replace("spp.weights", "x.weights"), ROWS), "tables.unknown-weights", "weights"),
        (
            changed("trained otherwise,,never-released", "trained otherwise,,lost", ROWS),
            "tables.unknown-status",
            "weights_status",
        ),
        (
            changed("trained otherwise,,never-released", "trained otherwise,,released", ROWS),
            "tables.unknown-status",
            "weights_status",
        ),
        (changed("trained otherwise", "x" * 501, ROWS), "tables.not-a-note", "note"),
    ],
)
def test_a_row_that_does_not_say_what_it_is_of(rows: str, code: str, column: str) -> None:
    with refuses(code) as caught:
        tables.load(NAME, files(rows=rows))
    assert (caught.value.where or "").startswith(f"{NAME}.csv, line ")
    assert (caught.value.where or "").endswith(f'column "{column}"')
    # the claims alone need no models
    if code != "tables.missing-column":
        assert len(tables.load(NAME, files(rows=rows), claims_only=True).rows) == 3


MODEL = """
[models.new]
definition = "paper"
source = "a paper"
confidence = "high"

[[models.new.weights]]
file = "new.weights"
status = "released"
url = "https://host/new.weights"
source = "a document"
size = 7
sha256 = "0123abcd"
arrays = "v1:0123"
"""


def test_an_entry_of_a_model() -> None:
    entry = models.parse(MODEL)["new"]
    assert (entry.definition, entry.source, entry.confidence, entry.unknown) == ("paper", "a paper", "high", None)
    assert (entry.evidence, entry.namesakes, entry.classes, entry.engine) == ("", (), "darknet", "any")
    assert entry.weights == (
        models.PublishedFile(
            "new.weights", "released", "https://host/new.weights", "a document", 7, "0123abcd", "v1:0123"
        ),
    )
    assert entry.file("new.weights") is entry.weights[0]
    assert entry.file("old.weights") is None


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('definition = "paper"\n', "", "models.not-an-entry"),
        ('source = "a paper"\n', "", "models.not-an-entry"),
        ('file = "new.weights"\n', "", "models.not-an-entry"),
        ('status = "released"\n', "", "models.not-an-entry"),
        ('source = "a document"\n', "", "models.not-an-entry"),
        ('"paper"', '"guess"', "models.not-an-entry"),
        ('"paper"', '"file"', "models.not-an-entry"),
        ('"high"', '"quite"', "models.not-an-entry"),
        ('"released"', '"lost"', "models.not-an-entry"),
        ('confidence = "high"', 'classes = "any"', "models.not-an-entry"),
        ('confidence = "high"', 'engine = "mine"', "models.not-an-entry"),
        ('confidence = "high"', 'namesakes = ["old"]', "models.unknown-namesake"),
        ('confidence = "high"', 'colour = "red"', "models.not-an-entry"),
        ('confidence = "high"', "confidence = 1", "models.not-an-entry"),
        ("size = 7", 'size = "7"', "models.not-an-entry"),
        ("size = 7", "size = true", "models.not-an-entry"),
        ("size = 7", "size = 0", "models.not-an-entry"),
        ("size = 7", 'same_as = "new.weights"', "models.not-an-entry"),
        ('"0123abcd"', '"0123ABCD"', "models.not-an-entry"),
        ('"new.weights"\n', '"../new.weights"\n', "models.not-an-entry"),
        ('"new.weights"\n', '"new.zip"\n', "models.not-an-entry"),
        ("https://host", "ftp://host", "models.not-an-entry"),
        ("https://host", "http://host", "models.not-an-entry"),
        ("https://host", "https://me@host", "models.not-an-entry"),
        ("https://host", "https://host:x", "models.not-an-entry"),
        ("https://host/", "https://ho st/", "models.not-an-entry"),
    ],
)
def test_an_entry_that_is_refused(old: str, new: str, code: str) -> None:
    with refuses(code) as caught:
        models.parse(changed(old, new, MODEL))
    line = MODEL.split("\n").index("[models.new]") + 1
    assert caught.value.where == f"models.toml, line {line}, model new"


def test_a_file_has_one_model() -> None:
    with refuses("models.duplicate-file"):
        models.parse(MODEL + MODEL.replace("models.new", "models.newer"))


def test_layers_and_entries_are_of_the_same_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cspbench.zoo import registry

    place = folder(tmp_path, files(extra=MODEL))
    monkeypatch.setattr("cspbench.claims.tables.where_published", lambda: place)
    with refuses("models.unregistered", found="new"):
        registry._models()


def test_a_row_of_a_model_without_layers(tmp_path: Path) -> None:
    """The tables know models by their entries; that each has layers, the registry checks of the published ones."""
    rows = changed(PANET, "a,New,512×512,-,1.0,weight,new,,new.weights,", ROWS)
    assert tables.load(NAME, files(rows=rows, extra=MODEL)).rows[0].weights_status == "released"
