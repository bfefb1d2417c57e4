"""The CSV files against the documents they are taken from, their comparisons, and what a broken CSV is told."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from golden.documents import Documents, fingerprints, stored
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from snapshot import README, RESULTS, ROWS, TABLES

from cspbench.claims import model as claims
from cspbench.claims import tables
from cspbench.claims.verdict import comparison_of
from cspbench.errors import TableError

PUBLISHED = Path(__file__).parents[2] / "tables"

# Comparisons that the published numbers do not bear out, as (table, row, metric): none.
NOT_BORNE_OUT: set[tuple[str, str, str]] = set()


@pytest.fixture(scope="session")
def printed() -> Documents:
    """The digests of what the documents print."""
    return stored()


def lines(name: str) -> list[str]:
    """The lines of a table as the document prints it in markdown."""
    table = tables.load(name)
    header, *rows = [
        " | ".join(line) + " |"
        for line in (
            [column.header for column in table.columns],
            *([row.render(column) for column in table.columns] for row in table.rows),
        )
    ]
    return [header, "---|" * len(table.columns), *rows]


# --- the documents


@pytest.mark.parametrize(("index", "name"), list(enumerate(README)))
def test_readme_table_is_printed_line_by_line(index: int, name: str, printed: Documents) -> None:
    assert len(printed.readme_tables) == len(README)
    assert fingerprints(lines(name)) == printed.readme_tables[index]


def test_nothing_in_a_readme_table_is_missing(printed: Documents) -> None:
    # whole lines are compared above, so the numbers that stand in ours are the README's
    assert sum(map(len, printed.readme_tables)) == sum(len(lines(name)) for name in README)
    rows = [line for name in README for line in lines(name) if not line.startswith(("Model |", "---|"))]
    loaded = [tables.load(name) for name in README]
    assert len(rows) == sum(len(table.rows) for table in loaded)
    number = re.compile(r"[0-9]+(?:\.[0-9]+)?")
    columns = [table.columns for table in loaded for _ in table.rows]
    published = [cell for table in loaded for row in table.rows for cell in row.cells.values() if cell.published]
    in_document: Counter[str] = Counter()
    filled = 0
    for line, described in zip(rows, columns, strict=True):
        cells = line.removesuffix(" |").split(" | ")
        for text, column in zip(cells, described, strict=True):
            if column.role == "metric" and text != "-":
                filled += 1
                # a device's name such as 1080ti is no number of the table
                in_document.update(number.findall(re.sub(r"\([0-9A-Za-z]+\)", "", text)))
    parsed: Counter[str] = Counter()
    for cell in published:
        numbers = [value for _, value in cell.values] if cell.value is None else [cell.value]
        parsed.update(f"{value:f}" for value in numbers)
        if cell.comparison and cell.comparison != "(=)":
            parsed[cell.comparison.strip("(+-%)")] += 1
    assert filled == len(published) == 362
    assert parsed == in_document
    assert parsed.total() == 433


@pytest.mark.parametrize("name", README)
def test_titles_and_sections_are_the_readmes(name: str, printed: Documents) -> None:
    table = tables.load(name)
    assert set(fingerprints([table.title, *table.section])) <= set(printed.readme_lines)


def results_tables(text: str) -> list[list[list[str]]]:
    """The cells of the tables in an authors' list of results, without the lines that align the columns."""
    lines = [line if line.startswith("|") else "" for line in text.split("\n")]
    blocks = re.split(r"\n{2,}", "\n".join(lines).strip("\n"))
    tables = [[line.strip("|").split("|") for line in block.split("\n")] for block in blocks]
    assert all(set("".join(block[1])) <= {*"-: "} for block in tables)
    return [[[cell.strip() for cell in line] for line in (block[0], *block[2:])] for block in tables]


@pytest.mark.parametrize(("document", "names"), [("imagenet", RESULTS[:4]), ("coco", RESULTS[4:])])
def test_lists_of_results_are_printed_line_by_line(document: str, names: tuple[str, ...], shared: Path) -> None:
    printed = results_tables((shared / f"published/results-{document}.md").read_text(encoding="utf-8"))
    assert [name for name in RESULTS if name.startswith(document)] == list(names)
    ours = []
    for table in map(tables.load, names):
        header = [column.header for column in table.columns]
        ours.append([header, *([row.render(column) for column in table.columns] for row in table.rows)])
    assert ours == printed
    assert sum(len(lines) - 1 for lines in printed) == {"imagenet": 17, "coco": 32}[document]


@pytest.mark.parametrize("name", RESULTS)
def test_titles_of_results_are_their_headings(name: str, shared: Path) -> None:
    table = tables.load(name)
    text = (shared / f"published/results-{table.dataset}.md").read_text(encoding="utf-8")
    assert [re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE) is not None for heading in table.section] == [
        True,
        True,
    ]
    assert table.title.startswith(table.section[-1])


def test_mmpretrain_is_its_card(printed: Documents) -> None:
    header, _, *rows = lines("mmpretrain")
    ours = [cell for line in (header, *rows) for cell in line.removesuffix(" |").split(" | ")]
    assert fingerprints(ours) == printed.mmpretrain_card
    assert len(ours) == 8 * (1 + 3)


def test_timm_is_its_card(printed: Documents) -> None:
    table = tables.load("timm")
    ours = [f"{column.header}: {table.rows[0].render(column)}" for column in table.columns]
    assert fingerprints(ours) == printed.timm_card


@pytest.mark.parametrize("name", TABLES)
def test_cells_are_rendered_from_what_was_read(name: str) -> None:
    for row in tables.load(name).rows:
        for cell in row.cells.values():
            assert cell.render() == cell.text


# --- what the tables say


def test_names_and_row_counts() -> None:
    assert tables.names() == tuple(TABLES)
    counted = {table.name: (len(table.rows), sum(len(row.cells) for row in table.rows)) for table in tables.load_all()}
    assert counted == TABLES


def test_every_comparison_follows_from_the_published_numbers() -> None:
    checked = 0
    not_borne_out = set()
    for table in tables.load_all():
        for row in table.rows:
            for metric, cell in row.cells.items():
                if cell.comparison is None:
                    continue
                assert row.base is not None
                checked += 1
                if comparison_of(row, table.row(row.base), metric) != cell.comparison:
                    not_borne_out.add((table.name, row.id, metric))
    assert checked == 90
    assert not_borne_out == NOT_BORNE_OUT


def test_no_other_base_explains_the_comparisons() -> None:
    for table in tables.load_all():
        for row in filter(lambda row: row.base, table.rows):
            printed = {metric: cell.comparison for metric, cell in row.cells.items() if cell.comparison}
            explaining = []
            for base in table.rows:
                if printed == {metric: comparison_of(replace(row, base=base.id), base, metric) for metric in printed}:
                    explaining.append(base.id)
            assert explaining == [row.base]


def test_a_table_of_tricks_names_the_row_without_them() -> None:
    """Its base has an empty cell, or the plain word, in every column of settings."""
    plain = {"", "Normal", "Leaky ReLU", "MSE"}
    named = [table for table in tables.load_all() if table.base]
    assert len(named) == 8
    for table in named:
        base = table.row(str(table.base))
        assert set(base.settings.values()) <= plain
        assert table.base_of(base) is None
        assert all(table.base_of(row) == base for row in table.rows if row != base)
        assert not any(row.base for row in table.rows)


def test_a_printed_base_goes_before_that_of_the_table() -> None:
    table = replace(tables.load("imagenet-big"), base="resnet-50")
    assert [table.base_of(table.row(name)) for name in ("cspdarknet-53", "resnext-50", "resnet-50")] == [
        *(table.row("darknet-53"), table.row("resnet-50")),
        None,
    ]
    assert tables.load("imagenet-big").base_of(table.row("resnext-50")) is None


def test_a_table_with_an_unknown_base(tmp_path: Path) -> None:
    for name in ("tables.toml", "imagenet-smoothing.csv"):
        text = (tables.where_published() / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace('base = "cspresnext-50-normal"', 'base = "cspresnext-50"'), "utf-8")
    with refuses("tables.unknown-base", where='imagenet-smoothing.csv, column "base"', found="'cspresnext-50'"):
        tables.load("imagenet-smoothing", tmp_path, claims_only=True)


def test_countings_and_roundings() -> None:
    exceptions = {
        ("imagenet-big", "cspresnext-50-plus-elastic"): (("weights", "printed"), ("conv+maxpool+shortcut", "darknet")),
        ("imagenet-big", "hardnet-138s"): (("learnable", "printed"), ("mac", "doubled")),
        ("imagenet-big", "resnet-152"): (("learnable", "printed"), ("mac", "doubled")),
        ("imagenet-big", "densenet-264-32"): (("learnable", "printed"), ("sparsenet", "printed")),
        ("imagenet-big", "densenet-201-plus-elastic"): (("learnable", "printed"), ("elastic", "printed")),
        ("imagenet-big", "cspdensenet-201-plus-elastic"): (("learnable", "printed"), ("elastic", "printed")),
        ("imagenet-small", "darknet-ref"): (("weights", "printed"), ("conv", "printed")),
    }
    defaults = {
        "imagenet-big": (("weights", "printed"), ("conv+maxpool", "darknet")),
        "imagenet-small": (("weights", "printed"), ("conv+maxpool", "darknet")),
        "mmpretrain": (("learnable", "printed"), ("mmcv", "printed")),
        "timm": (("learnable", "cut"), ("thop", "printed")),
    }
    counted = ("standard", "light", "standard-legacy", "light-legacy", "roadmap", "yolov5", "tiny-detectors")
    defaults |= {f"yolox-{name}": (("learnable", "printed"), ("thop-2021", "printed")) for name in counted}
    for table in tables.load_all():
        for row in table.rows:
            result = tuple(
                (row.cells[metric].counting, row.cells[metric].rounding)
                for metric in ("params", "bflops")
                if metric in row.cells
            )
            assert result == exceptions.get((table.name, row.id), defaults.get(table.name, ()))


def test_sizes_settings_links_and_splits() -> None:
    nms = tables.load("coco-nms").row("cspresnext50-panet-spp-512-nms0.45")
    assert (nms.size, nms.counting_size, nms.settings, nms.links) == ((512, 512), None, {"Threshold": "0.45"}, {})
    assert tables.load("imagenet-activation").row("peleenet-mish").settings == {"Activation": "Mish"}
    assert tables.load("imagenet-big").row("darknet-53").links == {"cfg": "cfg", "weight": "weight"}
    timm = tables.load("timm").rows[0]
    assert (timm.size, timm.counting_size) == ((256, 256), (256, 326))
    assert tables.load("mmpretrain").rows[0].counting_size == (224, 224)
    for table in tables.load_all():
        unsaid = ("coco-tricks", "coco-necks", "yolox-yolov5", "yolox-tiny-detectors")
        of_yolox = {
            f"yolox-{name}" for name in ("standard", "light", "light-legacy", "heads", "roadmap", "mmdetection")
        }
        split = "val" if table.dataset == "imagenet" else "val2017" if table.name in of_yolox else "test-dev2017"
        if table.name.startswith((*unsaid, "yolox-augmentation")):
            split = "not printed"
        assert table.split == split


def test_numbers_keep_their_decimals_and_units() -> None:
    cell = tables.load("imagenet-big").row("cspresnext-50").cells["params"]
    assert (str(cell.value), cell.decimals, cell.unit, cell.column) == ("20.50", 2, "M", "#Parameter")
    assert cell.comparison == "(-8%)"
    elastic = tables.load("imagenet-big").row("cspdarknet-53-elastic").cells["params"]
    assert not elastic.published
    assert (elastic.value, elastic.decimals) == (None, None)


def test_frame_rates_of_several_devices() -> None:
    cell = tables.load("coco-headline").row("cspresnext50-panet-spp-512").cells["fps"]
    assert cell.value is None
    assert cell.published
    assert cell.values == (("1080ti", Decimal(44)), ("GV100", Decimal(67)))
    assert tables.load("coco-gpu").rows[0].cells["fps"].value == 44


def test_torch_and_pandas_are_not_imported() -> None:
    code = (
        "import sys, cspbench.claims.tables, cspbench.claims.verdict; "
        "sys.exit({'torch', 'pandas'} & {*sys.modules} != set())"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_installed_package_carries_its_tables(tmp_path: Path) -> None:
    package = tmp_path / "cspbench"
    package.mkdir()
    for name in ("__init__.py", "errors.py", "io.py", "waiting.py"):
        shutil.copy(PUBLISHED.parent / "cspbench" / name, package)
    shutil.copytree(PUBLISHED.parent / "cspbench/claims", package / "claims")
    shutil.copytree(PUBLISHED, package / "published")
    code = (
        "import cspbench.claims.tables as tables; print(tables.__file__, sum(len(t.rows) for t in tables.load_all()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(package / "claims/tables.py"), str(ROWS)]


# --- unknown names


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ("imagenet", "Did you mean imagenet-big?"),
        ("COCO-NMS", "Did you mean coco-nms?"),
        ("tim", "Did you mean timm?"),
        ("", "Name one of these"),
        ("xyzzy", "Name one of these"),
    ],
)
def test_unknown_table(asked: str, remedy: str) -> None:
    with refuses("usage.unknown-table", found=asked, remedy=remedy) as caught:
        tables.load(asked)
    assert caught.value.exit_code == 2


def test_unknown_row() -> None:
    with refuses("usage.unknown-row", found="CSPDarkNet53", remedy="Did you mean cspdarknet-53?"):
        tables.load("imagenet-big").row("CSPDarkNet53")


# --- broken files

HEADER = "id,Model,#Parameter,BFLOPs,Top-1,Top-5,cfg,weight,base"
BASE = "darknet-53,DarkNet-53 [1],41.57M,18.57,77.2,93.8,cfg,weight,"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A copy of the description, beside which a test writes its own imagenet-big.csv."""
    shutil.copy(PUBLISHED / "tables.toml", tmp_path)
    return tmp_path / "imagenet-big.csv"


@pytest.mark.parametrize(
    ("text", "code", "where", "found"),
    [
        ("", "tables.empty", "imagenet-big.csv", "none"),
        (HEADER, "tables.empty", "imagenet-big.csv", "none"),
        ("\n" + HEADER, "tables.missing-column", 'line 1, column "id"', ""),
        (HEADER.replace(",Top-1", ""), "tables.missing-column", 'line 1, column "Top-1"', "Top-5"),
        (HEADER.replace("id,", ""), "tables.missing-column", 'line 1, column "id"', "Model"),
        (HEADER + ",Note", "tables.unexpected-column", 'line 1, column "Note"', "Note"),
        (HEADER + ",top1_counting", "tables.unexpected-column", 'line 1, column "top1_counting"', "top1"),
        (HEADER + ",BFLOPs", "tables.unexpected-column", 'line 1, column "BFLOPs"', "BFLOPs"),
        (f"{HEADER}\na,A,1M,1,1,1,cfg", "tables.row-too-short", 'line 2, column "weight"', "7"),
        (f"{HEADER}\n{BASE}\n\n", "tables.row-too-short", 'line 3, column "id"', "0"),
        (f"{HEADER}\n{BASE},x", "tables.row-too-long", "line 2", "10"),
        (f"{HEADER}\na,A,1,1,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "#Parameter"', "'1'"),
        (f"{HEADER}\na,A,1M,1.,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "BFLOPs"', "'1.'"),
        (f"{HEADER}\na,A,1M,1e3,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "BFLOPs"', "'1e3'"),
        (f"{HEADER}\na,A,1M,NaN,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "BFLOPs"', "'NaN'"),
        (f"{HEADER}\na,A,1M,-1,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "BFLOPs"', "'-1'"),
        (f"{HEADER}\na,A,1M,١,1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "BFLOPs"', "'١'"),
        (f"{HEADER}\na,A,1M,1,100.1,1,cfg,weight,", "tables.not-a-number", 'line 2, column "Top-1"', "100.1"),
        (f"{HEADER}\na,A,1M,1,07,1,cfg,weight,", "tables.not-a-number", 'line 2, column "Top-1"', "07"),
        (f"{HEADER}\na,A,1M,1,77 (0.1),1,cfg,weight,", "tables.not-a-number", 'line 2, column "Top-1"', "77 (0.1)"),
        (f"{HEADER}\na,A,1M,1,77(+0.1),1,cfg,weight,", "tables.not-a-number", 'line 2, column "Top-1"', "77(+0.1)"),
        (f"{HEADER}\na,A,1M,1,,1,cfg,weight,", "tables.not-a-cell", 'line 2, column "Top-1"', "''"),
        (f"{HEADER}\na, A,1M,1,1,1,cfg,weight,", "tables.not-a-cell", 'line 2, column "Model"', "' A'"),
        (f"{HEADER}\na,A|B,1M,1,1,1,cfg,weight,", "tables.not-a-cell", 'line 2, column "Model"', "A|B"),
        (f'{HEADER}\na,"A\nB",1M,1,1,1,cfg,weight,', "tables.not-a-cell", 'line 3, column "Model"', "A\\nB"),
        (f"{HEADER}\na,A\0,1M,1,1,1,cfg,weight,", "tables.not-a-cell", 'line 2, column "Model"', "A\\x00"),
        (f"{HEADER}\n,A,1M,1,1,1,cfg,weight,", "tables.not-a-cell", 'line 2, column "id"', "''"),
        (f"{HEADER}\n{BASE}\n{BASE}", "tables.duplicate-id", 'line 3, column "id"', "darknet-53"),
        (f"{HEADER}\n{BASE}\na,A,1M (-9%),1,1,1,cfg,weight,", "tables.unknown-base", 'row a, column "base"', "''"),
        (f"{HEADER}\n{BASE}\na,A,1M (-9%),1,1,1,cfg,weight,b", "tables.unknown-base", 'row a, column "base"', "'b'"),
        (f"{HEADER}\n{BASE}\na,A,1M,1,1,1,cfg,weight,a", "tables.unknown-base", 'row a, column "base"', "'a'"),
        (f"{HEADER},bflops_rounding\n{BASE},up", "tables.unknown-rounding", 'line 2, column "bflops_rounding"', "'up'"),
        (f"{HEADER},counting_size\n{BASE},256", "tables.not-a-size", 'line 2, column "counting_size"', "'256'"),
        (f'{HEADER}\na,"A', "tables.not-csv", "line 2", "unexpected end of data"),
    ],
)
def test_broken_csv(big: Path, text: str, code: str, where: str, found: str) -> None:
    big.write_text(text, encoding="utf-8")
    with refuses(code) as caught:
        tables.load("imagenet-big", big.parent, claims_only=True)
    error = caught.value
    assert error.where is not None
    assert error.where.startswith("imagenet-big.csv")
    assert error.where.endswith(where)
    assert found in (error.found or "")
    assert error.remedy
    assert error.exit_code == 3


def test_wrong_encoding(big: Path) -> None:
    big.write_bytes(f"{HEADER}\n{BASE}\n".encode() + "é".encode("latin-1"))
    with refuses("tables.encoding", where="imagenet-big.csv, line 3", expected="UTF-8", found="byte 0xe9"):
        tables.load("imagenet-big", big.parent, claims_only=True)


def test_missing_file(big: Path) -> None:
    with refuses("tables.unreadable", where=str(big), found="No such file or directory"):
        tables.load("imagenet-big", big.parent, claims_only=True)


def test_byte_order_mark_and_windows_line_ends_are_harmless(big: Path) -> None:
    big.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{BASE}\r\n".encode())
    assert tables.load("imagenet-big", big.parent, claims_only=True).row("darknet-53").name == "DarkNet-53 [1]"


@pytest.mark.parametrize("size", ["512", "512x512", "0×512", "512×512×3", "512 × 512"])
def test_broken_size(big: Path, size: str) -> None:
    published = (PUBLISHED / "coco-gpu.csv").read_text(encoding="utf-8")
    (big.parent / "coco-gpu.csv").write_text(published.replace("512×512", size, 1), encoding="utf-8")
    with refuses("tables.not-a-size", where='coco-gpu.csv, line 2, column "Size"', found=repr(size)):
        tables.load("coco-gpu", big.parent, claims_only=True)


@pytest.mark.parametrize(
    ("old", "new", "code", "where", "found"),
    [
        ('title = "Big Models"\n', "", "tables.incomplete", "tables.toml, line {}, table imagenet-big", "title"),
        (
            '"BFLOPs", "Top-1"',
            '"MFLOPs", "Top-1"',
            "tables.incomplete",
            "tables.toml, line {}, table imagenet-big",
            "MFLOPs",
        ),
        ("[columns]\n", "[columns\n", "tables.not-toml", "tables.toml", "line"),
    ],
)
def test_broken_description(big: Path, old: str, new: str, code: str, where: str, found: str) -> None:
    description = big.parent / "tables.toml"
    text = description.read_text(encoding="utf-8")
    assert old in text
    description.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text.split("\n").index("[tables.imagenet-big]") + 1
    with refuses(code, where=where.format(line)) as caught:
        source = {path.name: path.read_bytes() for path in (description, PUBLISHED / "imagenet-big.csv")}
        tables.load("imagenet-big", source, claims_only=True)
    assert found in str(caught.value.found)


@pytest.mark.parametrize("text", ["", "(", "(+)", "(1%)", "(+1.5%)", "(+1)", "(+01%)", "(= )", "(−34%)"])
def test_not_a_comparison(text: str) -> None:
    column = claims.Column("#Parameter", "metric", "params", "M", "M")
    with refuses("tables.not-a-number", found=repr(f"1.5M {text}")):
        claims.Cell.parse(f"1.5M {text}", column)


# --- parse, then render

integers = st.integers(0, 10**12).map(str)
decimals = st.text("0123456789", min_size=1, max_size=6)
numbers = st.one_of(integers, st.builds("{}.{}".format, integers, decimals))
signs = st.sampled_from("+-")
comparisons = st.one_of(
    st.just(" (=)"),
    st.builds(" ({}{}%)".format, signs, integers),
    st.builds(" ({}{}.{})".format, signs, integers, decimals),
)


@given(number=numbers, comparison=st.one_of(st.just(""), comparisons), suffix=st.sampled_from(["", "M", "%"]))
def test_parse_then_render_is_the_identity(number: str, comparison: str, suffix: str) -> None:
    column = claims.Column("#Parameter", "metric", "params", "M", suffix)
    text = f"{number}{suffix}{comparison}"
    assert claims.Cell.parse(text, column).render() == text


@given(st.lists(st.tuples(numbers, st.from_regex(r"[0-9A-Za-z]+", fullmatch=True)), min_size=1, max_size=4))
def test_parse_then_render_is_the_identity_for_frame_rates(readings: list[tuple[str, str]]) -> None:
    text = " ".join(f"{number}({device})" for number, device in readings)
    cell = claims.Cell.parse(text, claims.Column("fps", "metric", "fps", "fps"))
    assert cell.render() == text
    assert len(cell.values) == len(readings)


@given(st.text())
def test_any_text_is_read_faithfully_or_refused(text: str) -> None:
    for column in tables.load("coco-headline").columns:
        if column.role == "metric":
            try:
                cell = claims.Cell.parse(text, column)
            except TableError:
                continue
            assert cell.render() == text


def test_patterns_of_table_names() -> None:
    assert tables.matching(["timm", "coco-?pu", "c*-gpu"]) == ["timm", "coco-gpu", "coco-cpu"]
    assert tables.matching(["yolox-standard*"]) == ["yolox-standard", "yolox-standard-test", "yolox-standard-legacy"]
    assert tables.matching([]) == []
    assert tables.matching(["nowhere"]) == ["nowhere"]  # `load` says what there is
    assert tables.matching(["my*", "other"], ["mine", "my-other"]) == ["my-other", "other"]
    with refuses("usage.unknown-table", found="yolov*"):
        tables.matching(["yolov*"])
