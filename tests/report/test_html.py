"""The page as text: it is whole, it asks for nothing from elsewhere, and what it shows stays text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from report_lines import HOSTILE, published
from snapshot import ROWS

from cspbench.claims import tables
from cspbench.plots.style import VARIABLES
from cspbench.report.build import rows
from cspbench.report.html import Svg, html
from cspbench.report.markdown import OURS
from cspbench.report.select import MARKS, Section, select
from cspbench.report.text import SYMBOLS
from cspbench.results.store import Sources
from cspbench.zoo.registry import MODELS

TABLES = tables.load_all()
VOID = {"meta", "link", "input", "wbr"}


class Page(HTMLParser):
    """Every tag with its attributes, scripts, styles and text; a tag closed out of turn is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.inside == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.inside[-1] if self.inside else "", []).append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        """The attributes of those tags."""
        return [attributes for tag, attributes in self.tags if tag in tags]


DRAWING = Svg(
    "dots",
    '<svg class="plot" role="img" aria-label="dots"><g class="dots-0"/></svg>',
    ".dots-0 { fill: var(--ink) }",
    "dots",
)


@pytest.fixture(scope="module")
def text() -> str:
    return html(select(published(), TABLES), [DRAWING])


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_row_is_there_without_a_script(page: Page) -> None:
    rows = [attributes for attributes in page.all("tr") if "data-marks" in attributes]
    assert len(rows) == ROWS
    assert not any("hidden" in attributes for attributes in rows)
    (controls,) = page.all("form")[:1]
    assert "hidden" in controls  # until the script comes
    assert len(page.all("table")) == len(page.all("caption")) == len(TABLES)
    headers = page.all("th")
    assert all(attributes.get("scope") in ("col", "row") for attributes in headers)
    assert sum(attributes["scope"] == "row" for attributes in headers) == ROWS


def test_ids_are_unique_and_references_lead_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len({*ids})
    links = [attributes["href"] for attributes in page.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for name in ("aria-labelledby", "data-row"):
        assert {attributes[name] for _, attributes in page.tags if name in attributes} <= {*ids}


def test_nothing_comes_from_elsewhere(text: str, page: Page) -> None:
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    for name in ("src", "srcset", "action", "background", "style", "poster"):
        assert not any(name in attributes for _, attributes in page.tags)
    assert [attributes["href"] for attributes in page.all("link")] == ["data:,"]
    styles = "".join(page.texts["style"])
    assert not re.search(r"url\(|@import|@font-face", styles)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_the_policy_allows_its_own_script_and_style_alone(page: Page) -> None:
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"  # the icon, so that no browser looks for one
    for name in ("script", "style"):
        digest = hashlib.sha256("".join(page.texts[name]).encode()).digest()
        assert rules[f"{name}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert "unsafe" not in policy


def test_what_is_hostile_stays_text() -> None:
    first = published()[0]
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    cells = {
        name: replace(cell, note=evil, provenance=HOSTILE, measured="1", exact="1")
        for name, cell in first.cells.items()
    }
    line = replace(
        first, row=evil, label=evil, definition=evil, note=evil, model=evil, settings={"Size": evil}, cells=cells
    )
    page = Page(html([Section(tables.load(first.table), (line,))]))
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert any(evil in each for each in page.texts["span"])
    assert any("<script>alert(1)</script>" in each for each in page.texts["code"])


@pytest.mark.parametrize("quote", ['"', "'", "`", ""])
def test_what_is_hostile_becomes_no_attribute(page: Page, quote: str) -> None:
    """Whatever ends an attribute: none is there that the page does not have otherwise, and each text is whole."""
    evil = f"a{quote} onerror={quote}alert(1){quote} data-x={quote}b&quot;<i>"
    first = published()[0]
    cells = {
        name: replace(
            cell,
            header=evil,
            printed=evil,
            note=evil,
            reason=evil,
            provenance=replace(HOSTILE, command=evil, weights=evil, data=evil, preset=evil, run=evil),
            measured="1",
            exact="1",
        )
        for name, cell in first.cells.items()
    }
    line = replace(
        first,
        row=evil,
        label=evil,
        name=evil,
        definition=evil,
        note=evil,
        model=evil,
        settings={"S": evil},
        cells=cells,
    )
    drawing = DRAWING._replace(description=evil)
    result = Page(html([Section(tables.load(first.table), (line,))], [drawing]))
    known: dict[str, set[str]] = {}
    for tag, attributes in page.tags:
        known.setdefault(tag, set()).update(attributes)
    for tag, attributes in result.tags:
        assert attributes.keys() <= known[tag], (tag, attributes)
    (row,) = [each for each in result.all("tr") if "data-text" in each]
    assert evil in line.name
    assert row["data-text"] == f"{line.name} {evil} {evil} {evil}".lower()
    assert row["id"] == f"{first.table}/{evil}"
    titles = {each["data-title"] for each in result.all("td") if "data-title" in each}
    assert titles == {f"{line.name}: {evil}"}
    assert evil in "".join(result.texts["code"])


def test_the_heading_counts_what_stands_beside_the_published_rows() -> None:
    every = (*TABLES, *tables.load_all(kind="sample"))
    text = html(select(rows(Sources((), ())), every))
    assert re.search(rf"\b{ROWS} rows, .*\. Besides, 8 rows of our own\.</p>", text)
    assert "of our own" not in html(select(rows(Sources((), ())), TABLES))


def test_findings_come_first_and_link_their_rows(text: str, page: Page) -> None:
    result = text[text.index('<section id="findings"') : text.index("</section>")]
    assert text.index("<section") == text.index('<section id="findings"')
    headings = re.findall("<h3>(.*?)</h3>", result)
    assert headings == ["Wrong in the documents", "Not decided"]
    links = re.findall(r'<span class="mark (\w+)">.*?<a href="#([^"]*)">([^<]*)</a>', result)
    assert links[:2] == [
        ("off", "imagenet-big/cspdarknet-53", "CSPDarkNet-53"),
        ("off", "imagenet-big/resnet-50", "ResNet-50"),
    ]
    assert "BFLOPs: published 9.74, measured 10.0009 (+2.7 %); copied from a later file." in result


def test_tables_without_a_measurement_are_folded_and_last(text: str) -> None:
    shown = re.findall(r'<section id="([^"]*)" data-table[^>]*>\n<(div|details)', text)
    kinds = [kind for _, kind in shown]
    assert kinds == sorted(kinds, reverse=True)
    assert ("imagenet-big", "div") in shown
    assert ("coco-loss", "details") in shown
    contents = text[text.index('<nav id="contents"') : text.index("</nav>")]
    assert re.findall(r'<a href="#([^"]*)">', contents)[: kinds.count("div")] == [
        name for name, kind in shown if kind == "div"
    ]


def test_a_name_leads_to_where_its_definition_comes_from() -> None:
    row = replace(published()[0], model="peleenet")
    text = html([Section(tables.load(row.table), (row,))])
    assert '<th scope="row"><a class="network" href="#definition-peleenet">' in text
    definition = text[text.index('<details id="definition-peleenet"') :]
    assert "All 117 bars that Figure 7 of the CSPNet paper" in MODELS["peleenet"].evidence
    for part in (
        "<dt>Confidence</dt><dd>very high</dd>",
        "All 117 bars that Figure 7 of the CSPNet paper draws for its",
    ):
        assert part in definition
    assert "definition-" not in html([Section(tables.load(row.table), (replace(row, model="mine"),))])


def test_marks_are_words_and_symbols(text: str) -> None:
    assert {*SYMBOLS} == {*MARKS}
    assert len({*SYMBOLS.values()}) == len(SYMBOLS)
    for word, symbol in (("exact", "✓"), ("close", "≈"), ("off, explained", "✗")):
        kind = re.split(r"[,:]", word)[0]
        assert f'<span class="mark {kind}"><span aria-hidden="true">{symbol}</span>&nbsp;{word}</span>' in text
    # a lone dash at the end of a line says nothing
    head = '<span class="whole"><span aria-hidden="true">–</span>&nbsp;unmeasured:</span> no-weights</span>'
    assert f'<span class="mark unmeasured">{head}' in text
    assert '<span class="mark off"><span aria-hidden="true">✗</span>&nbsp;(-10%) off</span>' in text


def test_a_cell_tells_everything(text: str) -> None:
    cell = text[text.index('data-title="CSPDarkNet-53: Top-5"') :]
    cell = cell[: cell.index("</td>")]
    for part in (
        "<dt>Claim</dt><dd>93.6 (-0.2)</dd>",
        "<dt>as published</dt><dd>93.1</dd>",
        "<dt>Delta</dt><dd>-0.5</dd>",
        "<dt>95 % interval</dt><dd>92.9–93.3: where another draw of images would put it</dd>",
        "<dt>Comparison</dt><dd>with darknet-53: published (-0.2), measured (-0.2): exact</dd>",
        '<dt>Provenance</dt><dd><a href="#made-2">[2]</a></dd>',
        '<dd>77.1, which does not count: older than the run that counts <a href="#made-3">[3]</a></dd>',
    ):
        assert part in cell
    close = text[text.index('data-title="CSPDarkNet-53: Top-1"') :]
    close = close[: close.index("</td>")]
    assert "<dt>Delta</dt><dd>+0.2 (100 images more)</dd>" in close
    assert "<dt>Tolerance</dt><dd>0.05 points</dd>" in close
    assert "<dd>27,610,900 parameters</dd>" in text
    assert "<dd>+0.26 (+2.7 %)</dd>" in text


def test_the_page_says_who_made_and_scored_a_number(text: str) -> None:
    made = text[text.index('id="made-2"') :]
    made = made[: made.index('id="made-3"')]
    for part in (
        "<code>cspbench eval-imagenet -m csresnext50</code>",
        "cspbench 0.3.0, commit 1234567",
        "2026-01-03T00:00:00Z, cspbench 0.2.0: cspbench eval-imagenet &#39;&lt;i&gt;&#39; --again",
    ):
        assert part in made


def test_what_is_ours_comes_last_and_says_so() -> None:
    big = tables.load("imagenet-big")
    sample = replace(big, name="sample-imagenet", kind="sample")
    lines = published()
    text = html(select([replace(lines[7], table=sample.name), *lines], (sample, *TABLES)))
    assert text.index(OURS) > max(text.index(f'<section id="{table.name}"') for table in TABLES)
    assert text.index('<section id="sample-imagenet"') > text.index(OURS)


def test_two_renderings_are_the_same(text: str) -> None:
    assert html(select(published(), tables.load_all()), [DRAWING]) == text


def colours(scheme: str) -> dict[str, str]:
    """The page's variables on light or on dark ground."""
    css = files("cspbench.report").joinpath("page.css").read_text("utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    blocks = [light[: light.index("}")], dark[: dark.index("}")]]
    result = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[0]))
    return result | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[1])) if scheme == "dark" else result


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str) -> None:
    known = colours(scheme)
    pairs = [(word, f"{word}-ground") for word in ("exact", "close", "off", "fitted", "missed", "plain")]
    pairs += [(ink, on) for ink in ("ink", "quiet", "link", "plain") for on in ("paper", "ground", "raised", "hit")]
    pairs += [(name, "paper") for name in VARIABLES.values() if name not in ("paper", "grid")]
    for ink, ground in pairs:
        one, other = sorted((luminance(known[ink]), luminance(known[ground])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (ink, ground)
