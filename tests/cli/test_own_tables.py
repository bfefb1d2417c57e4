"""Tables of one's own on the command line: the example of the documentation, as its page uses it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from checkouts import commit, repository
from processes import run
from refusals import error_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-tables"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the example in its folder claims/."""
    place = repository(tmp_path / "checkout")
    shutil.copytree(EXAMPLE, place / "claims")
    return place


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_example_is_checked_listed_and_counted(checkout: Path) -> None:
    done = run(["tables", "check", "claims", "--format", "json"], cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [{"table": "small-nets", "rows": 3, "claims": 4, "models": "darknet, narrow"}]
    listed = json.loads(run(["list", "--tables", "claims", "--format", "json"], cwd=checkout).stdout)
    assert [(row["id"], row["model"], row["definition"]) for row in listed] == [
        ("darknet", "darknet", "cfg"),
        ("narrow", "narrow", "own"),
        ("planned", None, "none"),
    ]
    counting = run(["params", "--all", "--format", "json"], cwd=checkout, CSPBENCH_TABLES="claims", command=COLD)
    assert counting.returncode == 0, counting.stderr
    narrow = json.loads(counting.stdout)[1]
    # 216 + 1152 + 160 weights; maps of 32x32 and 16x16: 2 x (216 x 1024 + 1152 x 256 + 160 x 256), and 4 x 2048 of max
    assert (narrow["params"]["count"], narrow["params"]["verdict"]) == (1528, "exact")
    assert (narrow["bflops"]["count"], narrow["bflops"]["verdict"]) == (1_122_304, "exact")


COLD = [sys.executable, "-m", "cspbench"]


def test_every_way_to_name_its_model(checkout: Path) -> None:
    for name in ("narrow", "narrow*"):
        done = run(["params", name, "--tables", "claims", "--format", "json"], cwd=checkout)
        assert [row["model"] for row in json.loads(done.stdout)] == ["narrow"]
    assert run(["show", "narrow", "--tables", "claims"], cwd=checkout).stdout.startswith("# narrow\n")
    assert error_of(run(["show", "narrow"], cwd=checkout)) == "usage.unknown-model"
    only = run(["params", "--table", "small-nets", "--tables", "claims", "--format", "json"], cwd=checkout)
    assert len(json.loads(only.stdout)) == 3
    assert error_of(run(["params", "--table", "imagenet-big", "--tables", "claims"], cwd=checkout)) == (
        "usage.unknown-table"
    )


def test_a_count_that_is_one_parameter_off_says_so(checkout: Path) -> None:
    edit(checkout / "claims" / "small-nets.csv", "7314352", "7314353")
    done = run(["params", "darknet", "--tables", "claims"], cwd=checkout)
    assert (done.returncode, "| 7314353 | 7314352 | off -1 |" in done.stdout) == (1, True)


def test_a_column_that_is_not_declared(checkout: Path) -> None:
    edit(checkout / "claims" / "tables.toml", '"BFLOPs"]', '"BFLOPS"]')
    done = run(["tables", "check", "claims"], cwd=checkout)
    assert (done.returncode, error_of(done)) == (3, "tables.incomplete")
    assert "column BFLOPS" in done.stderr


def test_faults_end_with_exit_code_3_and_a_line_each(checkout: Path) -> None:
    edit(checkout / "claims" / "small-nets.csv", "1528 ", "many ")
    edit(checkout / "claims" / "narrow.cfg", "activation=linear", "activation=liner")
    done = run(["tables", "check", "claims"], cwd=checkout)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 2)
    assert "small-nets.csv, line 3" in done.stderr
    assert "narrow.cfg:" in done.stderr
    assert run(["params", "--all", "--tables", "claims"], cwd=checkout).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["tables", "check"], "usage.no-tables"),
        (["tables", "check", "nowhere"], "usage.no-tables"),
        (["list", "--tables", "nowhere"], "usage.no-tables"),
    ],
)
def test_a_folder_is_needed(checkout: Path, arguments: list[str], code: str) -> None:
    done = run(arguments, cwd=checkout)
    assert (done.returncode, error_of(done)) == (2, code)


def test_the_gate_says_which_layer_and_which_claim_changed(checkout: Path) -> None:
    counted = run(["params", "--all", "--save", "--tables", "claims"], cwd=checkout)
    assert counted.returncode == 0, counted.stderr
    assert sorted(path.name for path in (checkout / "results").iterdir()) == ["params.json", "params.md"]
    commit(checkout)
    gate = ["ci", "--baseline", "git:HEAD", "--tables", "claims", "--junit", "junit.xml", "--format", "json"]
    done = run(gate, cwd=checkout)
    assert (done.returncode, json.loads(done.stdout)["numbers"]["compared"]) == (0, 6), done.stderr
    edit(checkout / "claims" / "narrow.cfg", "filters=16", "filters=24")
    stale = json.loads(run(gate, cwd=checkout).stdout)
    assert {change["kind"] for change in stale["changes"]} == {"worse"}
    assert run(["params", "--all", "--save", "--tables", "claims"], cwd=checkout).returncode == 1
    edit(checkout / "claims" / "small-nets.csv", "0.97", "0.96")
    done = run(gate, cwd=checkout)
    result = json.loads(done.stdout)
    assert done.returncode == 1
    assert result["causes"] == [
        {"models": ["narrow"], "what": "layer 2 filters 16 → 24", "cells": 2},
        {"models": [], "what": "claim changed", "cells": 1},
    ]
    # 8 more filters of 3x3 over 8 channels, and 8 more channels of the last layer's 10 filters
    (params,) = [change for change in result["changes"] if change["metric"] == "params"]
    assert (params["table"], params["row"], params["change"]) == ("small-nets", "narrow", "656")
    assert "1528 → 2184, +656" in (checkout / "junit.xml").read_text(encoding="utf-8")
    report = run(["report", "--tables", "claims", "--format", "csv"], cwd=checkout)
    assert report.stdout.count("small-nets") == 6
