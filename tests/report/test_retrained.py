"""The report on retrained networks: its numbers in every form, apart from published weights and without a verdict."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from result_files import put, stored
from test_html import Page
from trainings import LRELU, MISH, SWISH, evaluation, put_training, training

from cspbench.plots.report_files import save
from cspbench.report.brief import brief
from cspbench.report.build import sources
from cspbench.report.formats import Paragraph, Table
from cspbench.report.forms import ReportFormat, rendered
from cspbench.report.model import read
from cspbench.report.retrained.lines import Part, build
from cspbench.report.retrained.text import table
from cspbench.report.select import select
from cspbench.report.yours import all_tables, every_row
from cspbench.results.encoding import encode
from cspbench.results.schema import Data
from cspbench.results.store import Sources
from cspbench.retrained.record import Start, TrainingData

TABLES = all_tables()
HOSTILE = "<script>alert(1)</script>|`\x1b[31m\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three seeds of the base row and of one row, two of another, one of a model without a row."""
    place = tmp_path / "trainings"
    for seed, (base, swish) in enumerate([(700, 710), (700, 720), (700, 730)]):
        put_training(place / f"lrelu{seed}", training(LRELU, seed), base)
        put_training(place / f"swish{seed}", training(SWISH, seed), swish)
    for seed, mish in enumerate((704, 706)):
        put_training(place / f"mish{seed}", training(MISH, seed), mish)
    put_training(place / "own", training(None, model="own", recipe_iterations=None), 654)
    return place


def parts_of(*paths: Path) -> list[Part]:
    parts, notes = build(TABLES, None, paths)
    assert notes == []
    return parts


def cells(part: Part) -> list[dict[str, str]]:
    block = table(part)
    return [dict(zip(block.header, line, strict=True)) for line in block.lines]


def test_seeds_spread_and_gains_by_hand(folder: Path) -> None:
    activation, own = parts_of(folder)
    assert (activation.name, own.name) == ("imagenet-activation", "retrained-classifiers")
    base, swish, mish = cells(activation)
    assert [line["Row"] for line in (base, swish, mish)] == ["PeleeNet (LReLU)", "PeleeNet (Swish)", "PeleeNet (Mish)"]
    assert (base["Seeds"], base["Base"], base["Top-1 gain"]) == ("3 (0, 1, 2)", "-", "-")
    assert (base["Top-1 published"], base["Top-1 retrained"]) == ("70.7", "70.00 ± 0.00")
    assert (swish["Top-1 published"], swish["Top-1 retrained"]) == ("71.5 (+0.8)", "72.00 ± 1.00")
    # 1, 2, 3 points: 2 ± 4.302653 / sqrt(3)
    assert swish["Top-1 gain"] == "+0.8 published; +2.00 (95 %: -0.48 to +4.48, 3 pairs)"
    assert swish["Top-5 gain"] == "+0.7 published; +0.00 (3 pairs, all equal)"
    assert swish["Base"] == "PeleeNet (LReLU)"
    # 0.4 and 0.6 points: 0.5 ± 12.706205 0.141421 / sqrt(2); their spread is 0.141421
    assert mish["Top-1 retrained"] == "70.50 ± 0.14"
    assert mish["Top-1 gain"] == "+0.7 published; +0.50 (95 %: -0.77 to +1.77, 2 pairs)"
    assert swish["Trained on"] == "900 images of 10 classes (1a2b3c4d)"
    assert (swish["Iterations"], swish["How"]) == ("500 of 800,000", "head")
    (line,) = cells(own)
    assert (line["Model"], line["Seeds"], line["Iterations"], line["Top-1 retrained"]) == (
        "own",
        "1 (0)",
        "500",
        "65.40",
    )
    assert not {"Top-1 published", "Top-1 gain", "Base"} & line.keys()


def test_one_seed_has_neither_spread_nor_interval(tmp_path: Path) -> None:
    put_training(tmp_path / "a", training(LRELU), 700)
    put_training(tmp_path / "b", training(SWISH), 706)
    _, swish = cells(parts_of(tmp_path)[0])
    assert (swish["Top-1 retrained"], swish["Top-1 gain"]) == ("70.60", "+0.8 published; +0.60 (1 pair, no interval)")


def test_without_its_base_row_only_the_published_gain_is_there(tmp_path: Path) -> None:
    put_training(tmp_path / "b", training(SWISH), 706)
    (swish,) = cells(parts_of(tmp_path)[0])
    assert (swish["Top-1 gain"], swish["Base"]) == ("+0.8 published", "PeleeNet (LReLU): not retrained")
    put_training(tmp_path / "a", training(LRELU, data=TrainingData(5, 10, "images:other")), 700)
    _, swish = cells(parts_of(tmp_path)[0])
    assert swish["Top-1 gain"] == "+0.8 published"
    assert swish["Base"] == "PeleeNet (LReLU): retrained otherwise: other images for training"


def test_unpaired_seeds_say_so(tmp_path: Path) -> None:
    for seed in (0, 1):
        put_training(tmp_path / f"a{seed}", training(LRELU, seed), 700 + seed)
        put_training(tmp_path / f"b{seed}", training(SWISH, 7 + seed), 710 + seed)
    _, swish = cells(parts_of(tmp_path)[0])
    # both spreads 0.0707, standard error 0.0707, freedom 2: 1 ± 4.302653 0.0707
    assert swish["Top-1 gain"] == "+0.8 published; +1.00 (95 %: +0.70 to +1.30, unpaired)"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (Data("folders", 1000, "b" * 64), "folders, 1000 images, not the claim's"),
        (Data("folders", 50_000, "b" * 64), "folders, 50000 images, the claim's"),
        (Data("folders", 50_000, "b" * 64, limit=1000, seed=0), "folders, 1000 of 50000 images, not the claim's"),
        (Data("folders", 50_000, "b" * 64, "train"), "train, 50000 images, not the claim's"),
    ],
)
def test_other_images_than_the_claims_say_so(tmp_path: Path, data: Data, text: str) -> None:
    put_training(tmp_path / "a", training(SWISH), 706, data=data)
    (line,) = cells(parts_of(tmp_path)[0])
    assert line["Evaluated on"] == text


def test_what_is_not_as_the_recipe_has_it(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"gradients": "exact", "precision": "bf16", "changed": ["batch=32", "freeze=2"]}
    put_training(tmp_path / "a", training(SWISH, start=Start("arrays:12345678abc", 1, 0), **changes), 706)
    (line,) = cells(parts_of(tmp_path)[0])
    assert line["How"] == "head, exact gradients, bf16, from 1 layer of weights 12345678, batch=32, freeze=2"


# --- the forms


def test_every_form_has_them_and_the_rest_stays(folder: Path) -> None:
    shown, parts = select(every_row(Sources((), ())), TABLES, ["imagenet-activation"]), parts_of(folder)
    texts = {form: rendered(form, shown, retrained=parts) for form in ReportFormat}
    plain = {form: rendered(form, shown) for form in ReportFormat}
    for form in (ReportFormat.MD, ReportFormat.HTML, ReportFormat.LATEX):
        assert "72.00 " in texts[form]
        assert "72.00 " not in plain[form]
    assert texts[ReportFormat.MD].startswith(plain[ReportFormat.MD].partition("\n\n<details>")[0])
    # a link, two headings with tables of five and three lines, four commands, and how the intervals were computed
    assert texts[ReportFormat.MD].count("\n") - plain[ReportFormat.MD].count("\n") == 28
    page = Page(texts[ReportFormat.HTML])
    assert "72.00 ± 1.00" in page.texts["td"]
    document = json.loads(texts[ReportFormat.JSON])
    assert {key: value for key, value in document.items() if key != "retrained"} == json.loads(plain[ReportFormat.JSON])
    assert read(document, "report.json")


def test_for_programs(folder: Path) -> None:
    shown, parts = select(every_row(Sources((), ())), TABLES, ["imagenet-activation"]), parts_of(folder)
    lines = json.loads(rendered(ReportFormat.JSON, shown, retrained=parts))["retrained"]
    assert [line["row"] for line in lines] == ["peleenet-lrelu", "peleenet-swish", "peleenet-mish", None]
    swish = lines[1]
    assert swish["evaluation"]["claims_images"] is False
    assert swish["training"]["iterations"] == 500
    assert [each["seed"] for each in swish["runs"]] == [0, 1, 2]
    top1 = swish["metrics"][0]
    assert (top1["mean"], top1["spread"], top1["published"]) == ("72.0000", "1.0000", "71.5 (+0.8)")
    assert top1["seeds"] == {"0": "71.0000", "1": "72.0000", "2": "73.0000"}
    gain = {"mean": "2.0000", "interval": ["-0.4841", "4.4841"], "pairs": 3, "method": "paired t", "lack": None}
    assert (top1["gain"], top1["published_gain"]) == (gain, "0.8")

    table = list(csv.DictReader(io.StringIO(rendered(ReportFormat.CSV, shown, retrained=parts)), strict=True))
    retrained = [line for line in table if line["kind"] == "retrained"]
    assert len(retrained) == 8
    (top1,) = [line for line in retrained if (line["row"], line["metric"]) == ("peleenet-swish", "top1")]
    assert [top1[name] for name in ("measured", "verdict", "delta", "claim")] == [""] * 4
    assert (top1["retrained_mean"], top1["retrained_spread"], top1["retrained_seeds"]) == ("72.0000", "1.0000", "0 1 2")
    assert (top1["gain"], top1["gain_low"], top1["gain_high"], top1["gain_pairs"]) == (
        *("2.0000", "-0.4841", "4.4841"),
        "3",
    )
    assert all(line["retrained_mean"] == "" for line in table if line["kind"] != "retrained")


def test_a_terminal_shows_them(folder: Path) -> None:
    shown, parts = select(every_row(Sources((), ())), TABLES, ["imagenet-activation"]), parts_of(folder)
    blocks = list(brief(shown, parts))
    assert [block.text for block in blocks if isinstance(block, Paragraph) and block.text.startswith("Retrained")]
    assert [block for block in blocks if isinstance(block, Table)][1:] == [table(part) for part in parts]


def test_texts_of_others_stay_texts(tmp_path: Path) -> None:
    record = training(None, model=HOSTILE, era=HOSTILE, changed=[HOSTILE])
    place = put_training(tmp_path / "a", training(None), None)
    (place / "training.json").write_bytes(encode(record))
    put(place / "evaluations" / "final", evaluation(training(None), 700, b"None 0"))
    parts = parts_of(tmp_path)
    texts = {form: rendered(form, [], retrained=parts) for form in ReportFormat}
    assert "<script>alert" not in texts[ReportFormat.MD].replace("`", "")
    assert "\x1b" not in "".join(text for form, text in texts.items() if form is not ReportFormat.CSV)
    Page(texts[ReportFormat.HTML])
    assert "<script>alert" not in texts[ReportFormat.HTML]


def test_saved_and_built_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.plots.report_files.find_spec", lambda name: None)
    results, notes = tmp_path / "results", list[str]()
    (results / "evaluations").mkdir(parents=True)
    (folder / "swish1" / "training.json").write_text("{")
    written, _ = save(results, [folder], notes.append)
    assert len([path for path in written if path.parent.name == "retrained"]) == 8
    assert not list(results.glob("evaluations/*.json"))
    assert [str(folder / "swish1") in note for note in notes] == [True, False]
    parts, again = build(TABLES, results)
    assert (again, [len(part.lines) for part in parts]) == ([], [3, 1])
    assert cells(parts[0])[1]["Seeds"] == "2 (0, 2)"
    assert "71.00 ± 1.41" not in (results / "report.md").read_text()
    assert "72.00 ± 1.41" in (results / "report.md").read_text()
    document = json.loads((results / "report.json").read_text())
    assert len(document["retrained"]) == 4
    assert all(cell["measured"] is None for line in document["rows"] for cell in line["cells"])


def test_retrained_evaluations_among_others_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = evaluation(training(SWISH), 700, b"x")
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "alone.json").write_bytes(stored(alone))
    put(tmp_path / "run", alone)
    measured = sources(tmp_path, [tmp_path / "run"])
    assert measured.evaluations == ()
    _, notes = build(TABLES, tmp_path, [tmp_path / "run"])
    assert len(notes) == 2
    said: list[str] = []
    monkeypatch.setattr("cspbench.plots.report_files.find_spec", lambda name: None)
    (tmp_path / "results").mkdir()
    written, _ = save(tmp_path / "results", [tmp_path / "run"], said.append)
    assert {path.parent for path in written} == {tmp_path / "results"}
    assert str(tmp_path / "run") in said[0]
