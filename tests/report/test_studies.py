"""The report's section on studies: what is said of each row, in every form, with its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs
from studied import ROWS, study

from cspbench.plots.report_files import save
from cspbench.plots.studies import curves, plots
from cspbench.report.formats import Paragraph, Table
from cspbench.report.studies import flat, pages, text
from cspbench.retrained.studies import Study, keep

AGREES, UNDECIDED = study([60, 61, 62], [62, 63.1, 64]), study([60, 61, 62], [61, 63, 65])


def lines(shown: Study) -> list[dict[str, str]]:
    table = text.table(shown)
    return [dict(zip(table.header, line, strict=True)) for line in table.lines]


def test_the_table_has_claim_measurement_and_word() -> None:
    base, row = lines(AGREES)
    assert (base["Row"], base["Changes"], base["Word"]) == ("CSPResNeXt-50 (Normal)", "the base", "-")
    assert row["Changes"] == "label_smooth_eps=0.1"
    assert (row["Top-1 published"], row["ΔTop-1 published"]) == ("78.1", "+0.2")
    assert row["Top-1 measured"] == "63.03 ± 1.00"
    assert row["ΔTop-1 measured"] == "+2.03 (95 %: +1.89 to +2.18, 3 pairs)"
    assert (row["n"], row["Word"]) == ("3", "agrees")
    assert lines(UNDECIDED)[1]["Word"] == "undecided"


def test_what_differs_from_the_claim_the_head_room_and_the_cost_are_said() -> None:
    about = text.about(AGREES)
    assert "Head room: the base row's Top-1 is 61.0 %, chance gives 6.2 %." in about
    assert "The claim's setting is another: csresnext50 on ImageNet val" in about
    assert "seeds 0, 1, 2" in about
    assert "scored on 800 that are held out" in about
    assert "Cost: 6 trainings, 6 minutes" in about  # of 61.5 s
    assert "Rows: 1 agrees." in about


def test_words_are_counted() -> None:
    twice = structs.replace(AGREES, rows=[*AGREES.rows, AGREES.rows[-1]])
    assert "Rows: 2 agree." in text.about(twice)


def test_no_word_is_a_verdict() -> None:
    """Blocks of a study never call a published number exact or off."""
    shown = list(text.blocks([AGREES, UNDECIDED]))
    texts = [block.text for block in shown if isinstance(block, Paragraph)]
    texts += [cell for block in shown if isinstance(block, Table) for line in block.lines for cell in line]
    words = {word.strip(".,:;*()") for each in texts for word in each.split()}
    assert not words & {"exact", "off", "close", "fitted", "missed", "wrong", "right"}


def test_a_single_seed_says_that_there_is_no_interval() -> None:
    row = lines(study([60], [62]))[1]
    assert (row["ΔTop-1 measured"], row["Word"]) == ("+2.00 (1 pair, no interval)", "undecided")


def test_csv_and_json() -> None:
    (document,) = flat.as_json([AGREES])
    assert [(row["row"], row["metric"], row["word"]) for row in document["rows"]] == [
        ("cspresnext-50-normal", "top1", None),
        ("cspresnext-50-normal", "top5", None),
        ("cspresnext-50-smooth", "top1", "agrees"),
        ("cspresnext-50-smooth", "top5", "agrees"),
    ]
    assert document["variants"][1]["outcomes"]["2"]["numbers"][""]["top1"] == 64
    header, *rows = flat.as_csv([AGREES]).splitlines()
    values = dict(zip(header.split(","), rows[2].split(","), strict=True))
    assert (values["difference"], values["pairs"], values["published_difference"]) == ("2.0333", "3", "0.2")


def test_pages_have_the_section() -> None:
    markdown = "\n\n".join(pages.as_markdown([AGREES], ["study-imagenet-smoothing.png", "residuals.png"]))
    assert "## Studies: Other (imagenet-smoothing)" in markdown
    assert "(study-imagenet-smoothing.png)" in markdown
    assert "residuals" not in markdown
    page = pages.as_html([AGREES], [plot.svg for plot in (*plots(AGREES), *curves(AGREES))])
    assert page.count("<figure>") == 2
    assert "agrees" in page
    assert pages.as_markdown([]) == []
    assert pages.as_html([]) == ""


def test_names_are_escaped() -> None:
    page = pages.as_html([study([60, 61], [61, 62], rows=[ROWS[0], type(ROWS[1])(ROWS[1].row, lack="<b>")])])
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_the_figure_of_differences_has_both_and_the_interval() -> None:
    (plot,) = plots(AGREES)
    assert plot.name == "study-imagenet-smoothing"
    axes: Any = plot.figure.axes[0]
    points = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert points["as published"] == [pytest.approx(0.2)]
    assert points["as measured, 95 % interval"] == [pytest.approx(2.0333, abs=1e-3)]
    (segment,) = [segment for each in axes.collections for segment in each.get_segments()]
    assert segment[:, 0].tolist() == pytest.approx([1.8899, 2.1768], abs=1e-3)
    assert "agrees" in axes.get_yticklabels()[0].get_text()


def test_learning_curves_are_means_over_seeds() -> None:
    (plot,) = curves(UNDECIDED)
    loss, scores = (cast(Any, axes) for axes in plot.figure.axes)
    assert loss.lines[0].get_xydata().tolist() == [[100, 2.5], [200, 2.0], [300, 1.5]]
    assert scores.lines[0].get_xydata().tolist() == [[150, 41], [300, 61]]
    assert scores.lines[1].get_xydata().tolist() == [[150, 43], [300, 63]]


def test_save_writes_the_section_and_its_figures(tmp_path: Path) -> None:
    keep(tmp_path, [AGREES])
    written, _ = save(tmp_path, [], lambda _: None)
    names = {path.name for path in written}
    assert {"study-imagenet-smoothing.png", "study-imagenet-smoothing.svg", "report.html"} <= names
    page = (tmp_path / "report.html").read_text()
    assert 'id="studies"' in page
    assert "learning curves" in page
    assert "![study imagenet smoothing](study-imagenet-smoothing.png)" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["studies"][0]["table"] == "imagenet-smoothing"
    assert "imagenet-smoothing" in (tmp_path / "report.tex").read_text()
