"""A classifier's accuracies beside the claims, in every form: nothing that is published is passed over in silence."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cspbench.classification.accuracy import Accuracy
from cspbench.classification.classifiers import preset_of
from cspbench.cli.eval_imagenet import finish
from cspbench.cli.options import Format
from cspbench.io import write_json
from cspbench.network.network import digest
from cspbench.report.classification_table import claims, lines, text, unmeasured
from cspbench.zoo.registry import model as entry


def result(model: str, named: str = "readme", size: int = 256, total: int = 50_000) -> dict[str, Any]:
    network = entry(model).build().resized(size, size)
    return {
        "identity": {
            "task": "imagenet",
            "model": model,
            "definition": digest(network),
            "weights": "0123456789abcdef",
            "data": {"images": total, "sha256": "fedcba9876543210"},
            "preset": preset_of(model, named).as_json(),
            "size": [size, size],
            "precision": "fp32",
            "classes": "darknet",
            "file": False,
        },
        "images": total,
        "top1": Accuracy(total * 772 // 1000, total).as_json(),
        "top5": Accuracy(total * 936 // 1000, total).as_json(),
        "bad": [],
        "class_order": {"verdict": "as declared", "hits": {}, "words": ""},
    }


def judged(found: dict[str, Any]) -> list[tuple[str, str, str, list[str]]]:
    return [(line["table"], line["id"], f"{line['top1']['verdict']} {line['top1']['reason']}", line["why"])
            for line in lines(found)]  # fmt: skip


def test_a_claim_made_another_way_is_named_and_not_judged() -> None:
    rows = [("imagenet-big", "cspdarknet-53"), ("imagenet-tricks-cspdarknet-53", "cspdarknet-53")]
    assert judged(result("csdarknet53")) == [(*row, "exact None", []) for row in rows]
    other = "unmeasured protocol-mismatch"
    assert judged(result("csdarknet53", "pjreddie")) == [(*row, other, ["preset pjreddie, not readme"]) for row in rows]
    assert judged(result("csdarknet53", size=224)) == [(*row, other, ["size 224x224, not 256x256"]) for row in rows]
    for table, name, verdict, why in judged(result("timm/cspdarknet53", "readme")):
        assert (verdict, why[0]) == (other, f"preset readme, not {table}"), name
    own = result("csdarknet53")
    assert lines({**own, "identity": {**own["identity"], "file": True}})[0]["top1"]["verdict"] == "unpublished"


def test_rows_whose_weights_were_never_released_are_no_claims_on_others() -> None:
    size = entry("peleenet-mish").build().input[1]
    ((table, name, verdict, why),) = judged(result("peleenet-mish", size=size))
    assert (table, name, verdict) == ("imagenet-activation", "peleenet-mish", "unmeasured protocol-mismatch")
    assert why == ["weights that the row's authors never released"]


@pytest.fixture
def finished(tmp_path: Path) -> dict[str, Any]:
    found = {**result("csdarknet53"), "run": str(tmp_path)}
    about = {"when": "2026-01-01T00:00:00Z", "command": ["cspbench"], "cspbench": "0.1", "commit": "c" * 40}
    kept = {"schema": 2, **about, "device": "cpu", "shard": 256, "samples": 50_000, "identity": found["identity"]}
    write_json(tmp_path / "run.json", {**kept, "sessions": [{"device": "cuda"}]})
    return found


def test_json_has_claims_provenance_and_the_rows_without_weights(
    finished: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    finish([finished], ["resnet50"], Format.JSON, 0)
    found, without = json.loads(capsys.readouterr().out)
    top1 = found["claims"][0]
    assert {key: top1[key] for key in ("table", "id", "metric", "published", "measured", "delta", "verdict")} == {
        "table": "imagenet-big",
        "id": "cspdarknet-53",
        "metric": "top1",
        "published": "77.2",
        "measured": "77.200",
        "delta": "0.0",
        "verdict": "exact",
    }
    assert found["provenance"]["commit"] == "c" * 40
    assert (found["provenance"]["device"], found["provenance"]["precision"]) == ("cpu", "fp32")
    assert found["provenance"]["sessions"] == [{"device": "cuda"}]
    assert (without["model"], without["verdict"], without["reason"]) == ("resnet50", "unmeasured", "no-weights")
    assert {(each["published"], each["measured"], each["verdict"]) for each in without["claims"]} >= {
        ("75.8", None, "unmeasured")
    }


def test_every_table_has_the_rows_without_weights(finished: dict[str, Any]) -> None:
    rows = list(csv.DictReader(text(lines(finished), ["resnet50"], "csv").splitlines()))
    assert [row["Model"] for row in rows] == ["csdarknet53"] * 2 + ["resnet50"] * len(unmeasured("resnet50"))
    assert (rows[2]["Top-1"], rows[2]["verdict"], rows[2]["n"]) == ("-", "unmeasured: no-weights", "-")
    assert "resnet50" in text(lines(finished), ["resnet50"], "latex")
    assert claims(unmeasured("resnet50"))


def test_the_printed_table_says_what_it_was_made_of(
    finished: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    finish([finished], [], Format.MD, 0)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == (
        "csdarknet53: 38600/50000 top-1, 46800/50000 top-5; weights 0123456789ab, data fedcba987654, cpu, fp32, "
        f"batch norm inside-1e-5; {finished['run']}"
    )


def test_what_was_left_out_decides_the_exit_code(finished: dict[str, Any]) -> None:
    with pytest.raises(typer.Exit) as left:
        finish([finished], [], Format.MD, 0, 4)
    assert left.value.exit_code == 4


def test_a_swapped_class_order_is_no_success(finished: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    order = {"verdict": "swapped", "hits": {}, "words": "the classes are in the sorted order"}
    with pytest.raises(typer.Exit) as left:
        finish([{**finished, "class_order": order}], [], Format.MD, 0)
    assert left.value.exit_code == 3
    assert "csdarknet53: the classes are in the sorted order" in capsys.readouterr().err


def test_another_class_order_is_another_way() -> None:
    found = result("csdarknet53")
    found["identity"]["classes"] = "sorted"
    assert judged(found)[0][3] == ["class order sorted, not darknet"]


def test_the_original_engines_rule_is_the_claims() -> None:
    found = result("resnet50")
    assert judged(found)[0][3] == []
    found["identity"]["preset"]["epsilon"] = "inside-1e-5"
    assert judged(found)[0][3] == ["epsilon inside-1e-5, not outside-1e-6"]
