"""`cspbench ci` as a gate runs it: exit codes, files, and how little it takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import counts_by_hand as counts
import pytest
import typer
from checkouts import ALONE, commit, git, repository
from job import REPOSITORY
from result_files import classifier, put
from snapshot import CELLS

from cspbench.ci.render import MARKER
from cspbench.cli.choices import Format
from cspbench.cli.reports.ci import ci
from cspbench.errors import CspbenchError
from cspbench.network.network import Network, digest
from cspbench.results import store
from cspbench.results.store import record_of
from cspbench.zoo import model as models


def cspbench(*arguments: str | Path, cwd: Path, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command; `python` are options of the interpreter."""
    return subprocess.run(
        [sys.executable, *python, "-m", "cspbench", *map(str, arguments)],
        cwd=cwd,
        env={**ALONE, "CI": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def changed_results(folder: Path) -> Path:
    """A results directory in which DarkNet-53 has one parameter more."""
    return counts.write(folder, *counts.with_cell("params", count=41_573_217))


def test_a_change_is_named_everywhere_and_fails(tmp_path: Path) -> None:
    counts.write(tmp_path / "old")
    changed_results(tmp_path / "results")
    (tmp_path / "summary.md").write_text("before\n")
    files = ("--junit", "new/junit.xml", "--comment", "comment.md", "--summary", "summary.md")
    done = cspbench("ci", "--baseline", "old", *files, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    row = (
        "| fails: changed | imagenet-big: DarkNet-53 | #Parameter 41.57M "
        "| 41.57 (41573216) → 41.57 (41573217), +1 (less than 0.01 %) | moved by more than 0 % |\n"
    )
    assert row in done.stdout
    comment = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert comment == f"{MARKER}\n### cspbench: 1 failing\n\n{done.stdout}"
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == f"before\n### cspbench ci\n\n{done.stdout}\n"
    assert Xml.parse(tmp_path / "new" / "junit.xml").getroot().get("failures") == "1"


def test_the_same_results_give_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = counts.write(tmp_path / "old"), changed_results(tmp_path / "results")
    texts = set()
    for name in ("one.xml", "two.xml"):
        with pytest.raises(typer.Exit):
            ci(str(old), results=new, junit=tmp_path / name, form=Format.CSV)
        texts.add((*capsys.readouterr(), (tmp_path / name).read_bytes()))
    ((table, words, _),) = texts
    assert table.count("\n") == 2
    # the sample has 46 cells, and two were counted for a detector of whose counts no table has columns
    cells = CELLS + 46 + 2
    assert words == f"cspbench: {cells} cells compared, 1 changed, 1 failing, {cells - 1} unchanged.\n"


def test_what_is_tolerated_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ci(str(counts.write(tmp_path / "old")), results=changed_results(tmp_path / "results"), fail_on="params:0.001")
    said = capsys.readouterr().out
    assert said.startswith("Nothing changed against ")
    assert said.endswith(" unchanged (1 moved within tolerance).\n")
    assert said.count("\n") == 1


def test_an_incomplete_run_never_passes(tmp_path: Path) -> None:
    counts.write(tmp_path / "results")
    run = counts.unfinished_run(tmp_path / "run")
    done = cspbench("ci", "--baseline", "results", run, cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "| partial | imagenet-big: CSPDarkNet-53 | Top-1 77.2 (=) | - |" in done.stdout


def test_an_incomplete_run_of_no_row_never_passes_either(tmp_path: Path) -> None:
    """A cfg of one's own stands against nothing: the run is still of a part, and it was asked about."""
    counts.write(tmp_path / "results")
    run = counts.unfinished_run(tmp_path / "run", model="own", user_file=True)
    for named, code in (([run], 4), ([], 0)):
        assert cspbench("ci", "--baseline", "results", *named, cwd=tmp_path).returncode == code


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_part_counts_where_it_is_asked_about(tmp_path: Path, finished: bool, named: bool) -> None:
    """Beside a whole run of the same cell: a stored part is passed over, one that is named never passes."""
    results = counts.write(tmp_path / "results")
    put(results / "evaluations" / "whole", classifier())
    part = classifier(top1=77, limit=100, finished=finished)
    put(results / "evaluations" / "part", part)
    run = put(tmp_path / "part", part)
    if named:
        with pytest.raises(typer.Exit) as left:
            ci(str(results), [run], results=results)
        assert left.value.exit_code == 4
    else:
        ci(str(results), results=results)


def test_a_change_outweighs_an_incomplete_run(tmp_path: Path) -> None:
    counts.write(tmp_path / "old")
    changed_results(tmp_path / "results")
    run = counts.unfinished_run(tmp_path / "run", model="own", user_file=True)
    assert cspbench("ci", "--baseline", "old", run, cwd=tmp_path).returncode == 1
    assert cspbench("ci", "--baseline", "old", run, "--fail-on", "params:1", cwd=tmp_path).returncode == 4
    assert cspbench("ci", "--baseline", "old", "--fail-on", "params:1", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--baseline", "results", "--fail-on", "fps:1"], 2),
        ([], 2),
        (["--baseline", "nowhere"], 3),
        (["--baseline", "results", "--results", "nowhere"], 3),
        (["--baseline", "results", "nowhere"], 3),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, arguments: list[str], code: int) -> None:
    counts.write(tmp_path / "results")
    done = cspbench("ci", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"baseline": "none"}, 3, "none: not a baseline"),
        ({"results": Path("none")}, 3, "none: no results here"),
        ({"fail_on": "fps:1"}, 2, "--fail-on cannot be read"),
        ({"baseline": "git:--output=x"}, 2, "--baseline: not a name of a commit"),
        ({"summary": Path("results")}, 3, "results: cannot be written"),
        ({"junit": Path("results/params.json/x")}, 3, "results/params.json/x: cannot be written"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], code: int, message: str
) -> None:
    counts.write(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CspbenchError) as caught:
        ci(**{"baseline": "results", **options})
    assert caught.value.exit_code == code
    assert str(caught.value).startswith(message)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    counts.write(tmp_path / "results")
    done = cspbench("ci", "--baseline", "results", cwd=tmp_path, python=("-X", "importtime"))
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"torch", "timm", "pandas", "matplotlib", "rich", "fvcore", "PIL", "pycocotools"})
    assert imported.isdisjoint(
        {
            "cspbench.inference.engine",
            "cspbench.evaluation.runner",
            "cspbench.network.module",
            "cspbench.network.fvcore_counter",
        }
    )
    assert "cspbench.ci.diff" in imported


def test_no_work_is_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is enough where every file is parsed once for each side, and every network is looked at once."""
    results = counts.write(tmp_path / "results")
    read: list[str] = []
    looked_at: list[tuple[str, tuple[int, ...]]] = []

    def parse(data: bytes, kind: type[Any], where: str) -> Any:
        read.append(where)
        return record_of(data, kind, where)

    def look(network: Network) -> str:
        looked_at.append((network.name, network.input))
        return digest(network)

    monkeypatch.setattr(store, "record_of", parse)
    monkeypatch.setattr(models, "digest", look)
    models._digest.cache_clear()
    ci(str(results), results=results)
    assert read == [f"{results}/params.json"] * 2
    assert len(looked_at) == len(counts.rows())


def test_the_repository_itself_against_a_commit(tmp_path: Path) -> None:
    place = repository(tmp_path / "checkout")
    for name in ("cspbench", "tables", "results"):
        shutil.copytree(REPOSITORY / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    head = commit(place)
    done = cspbench("ci", "--baseline", "git:HEAD", cwd=place)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("Nothing changed against "), done.stdout
    table = place / "tables" / "imagenet-big.csv"
    text = table.read_text(encoding="utf-8")
    assert text.count(",77.2 (=),") == 1
    table.write_text(text.replace(",77.2 (=),", ",70.1 (=),"), encoding="utf-8")
    commit(place)
    done = cspbench("ci", "--baseline", f"git:{head}", cwd=place)
    assert (done.returncode, done.stderr) == (1, "")
    assert "| fails: claim changed | imagenet-big: CSPDarkNet-53 | Top-1 70.1 (=) |" in done.stdout
    assert "| the claim 77.2 (=) became 70.1 (=) |" in done.stdout


def test_a_baseline_without_a_common_ancestor_is_warned_of(tmp_path: Path) -> None:
    place = repository(tmp_path / "checkout")
    counts.write(place / "results")
    commit(place)
    assert "--unshallow" not in cspbench("ci", "--baseline", "git:main", cwd=place).stderr
    git(place, "checkout", "--quiet", "--orphan", "other")
    commit(place, "another beginning")
    done = cspbench("ci", "--baseline", "git:main", cwd=place)
    assert (done.returncode, "git fetch --unshallow" in done.stderr) == (0, True)
