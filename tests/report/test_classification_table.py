"""A classifier's accuracies beside the claims, in every form: nothing that is published is passed over in silence."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

from msgspec import structs
from result_files import WHO, changed, classifier, network_of

from cspbench.classification.classifiers import preset_of
from cspbench.report import judged_evaluations
from cspbench.report.judged_evaluations import judged, without_weights
from cspbench.report.tables.classification import as_json, text, without_json
from cspbench.results.schema import Scored
from cspbench.results.store import StoredEvaluation


def result(model: str, named: str = "readme", size: int = 256, **more: Any) -> StoredEvaluation:
    """77.2 % top-1 and 93.6 % top-5 of ImageNet."""
    fields = {"preset": preset_of(model, named).as_json(), "classes": "darknet", "size": size, **more}
    return classifier(model, **fields)


def with_identity(evaluation: StoredEvaluation, **fields: Any) -> StoredEvaluation:
    identity = structs.replace(evaluation.run.identity, **fields)
    metrics = structs.replace(evaluation.metrics, identity=identity)  # type: ignore[type-var]
    return replace(changed(evaluation, identity=identity), metrics=metrics)


def verdicts(evaluation: StoredEvaluation) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Table, row, mark and deviations of each claim on top-1."""
    return [
        (claim.row.table, claim.row.id, claim.cell.mark, claim.why)
        for claim in judged(evaluation)
        if claim.cell.metric == "top1"
    ]


def test_a_claim_under_another_protocol_is_named_and_not_judged() -> None:
    rows = [("imagenet-big", "cspdarknet-53"), ("imagenet-tricks-cspdarknet-53", "cspdarknet-53")]
    assert verdicts(result("csdarknet53")) == [(*row, "exact", ()) for row in rows]
    other = "unmeasured: protocol-mismatch"
    why = ("preset pjreddie, not readme",)
    assert [verdict[:3] for verdict in verdicts(result("csdarknet53", "pjreddie"))] == [(*row, other) for row in rows]
    assert all(each[3][:1] == why for each in verdicts(result("csdarknet53", "pjreddie")))
    assert verdicts(result("csdarknet53", size=224)) == [(*row, other, ("size 224x224, not 256x256",)) for row in rows]
    cards = verdicts(result("timm/cspdarknet53", "readme", classes="sorted"))
    assert cards
    for table, name, mark, deviations in cards:
        assert (mark, deviations[0]) == (other, f"preset readme, not {table}"), name
    assert verdicts(with_identity(result("csdarknet53"), user_file=True)) == []


def test_rows_whose_weights_were_never_released_are_not_claims_on_others() -> None:
    size = network_of("peleenet-mish")[1][0]
    ((table, name, mark, why),) = verdicts(result("peleenet-mish", size=size))
    assert (table, name, mark) == ("imagenet-activation", "peleenet-mish", "unmeasured: protocol-mismatch")
    assert why == ("weights that the row's authors never released",)


def test_another_class_order_is_another_protocol() -> None:
    assert verdicts(result("csdarknet53", classes="sorted"))[0][3] == ("class order sorted, not darknet",)


def test_the_original_engines_rule_is_the_claims() -> None:
    own = result("resnet50")
    assert verdicts(own)[0][3] == ()
    other = with_identity(own, preset={**own.run.identity.preset, "epsilon": "inside-1e-5"})
    assert verdicts(other)[0][3] == ("epsilon inside-1e-5, not outside-1e-6",)


def test_json_has_claims_and_provenance() -> None:
    session = structs.replace(WHO, device="cpu", commit="c" * 40)
    later = structs.replace(WHO, device="cuda")
    scored = Scored(["cspbench", "score", "x"], "0.2.0", None, "2026-01-02T00:00:00Z", ["top1", "top5"])
    found = json.loads(
        json.dumps(as_json(result("csdarknet53", run={"sessions": [session, later], "scored": [scored]})))
    )
    assert found["claims"][0] == {
        "table": "imagenet-big",
        "row": "CSPDarkNet-53",
        "id": "cspdarknet-53",
        "metric": "top1",
        "published": "77.2",
        "measured": "77.2",
        "delta": "+0.0",
        "images": 0,
        "tolerance": "0.05",
        "verdict": "exact",
        "reason": None,
        "why": [],
    }
    # Wilson's interval of 38,600 of 50,000: 77.2 +- 0.37
    assert found["top1"] == {"correct": 38_600, "total": 50_000, "percent": 77.2, "interval": [76.8302, 77.5656]}
    assert (found["run"], found["identity"]["precision"]) == ("runs/run", "fp32")
    made = found["provenance"]
    assert [each["commit"] for each in made["sessions"]] == ["c" * 40, "0" * 40]
    assert [each["device"] for each in made["sessions"]] == ["cpu", "cuda"]
    assert [(each["command"], each["cspbench"]) for each in made["scored"]] == [(["cspbench", "score", "x"], "0.2.0")]
    assert made["weights"]["arrays"] == f"arrays:{'a' * 64}"


def test_json_of_a_model_without_weights_has_its_claims() -> None:
    without = without_json("resnet50")
    assert (without["model"], without["verdict"], without["reason"]) == ("resnet50", "unmeasured", "no-weights")
    assert {(each["published"], each["measured"], each["verdict"]) for each in without["claims"]} >= {
        ("75.8", None, "unmeasured")
    }


def test_every_table_has_the_rows_without_weights() -> None:
    evaluation = result("csdarknet53")
    rows = list(csv.DictReader(text([evaluation], ["resnet50"], "csv").splitlines()))
    missing = {(claim.row.table, claim.row.id) for claim in without_weights("resnet50")}
    assert missing
    assert [row["model"] for row in rows] == ["csdarknet53"] * 2 + ["resnet50"] * len(missing)
    measured = ("top1", "top1_low", "top1_high", "top1_claim", "top1_delta", "top1_verdict", "top1_reason", "n")
    assert [rows[0][key] for key in measured] == ["77.2", "76.8302", "77.5656", "77.2", "+0.0", "exact", "", "50000"]
    assert [rows[2][key] for key in measured] == ["", "", "", "75.8", "", "unmeasured", "no-weights", ""]
    assert not any(value == "-" for row in rows for value in row.values())
    assert "resnet50" in text([evaluation], ["resnet50"], "latex")
    assert text([evaluation], ["resnet50"], "md").endswith("\n\nunmeasured, no-weights: resnet50\n")


def test_the_printed_table_says_what_it_is_of() -> None:
    evaluation = result("csdarknet53", run={"sessions": [structs.replace(WHO, device="cpu")]})
    printed = text([evaluation], [], "md")
    assert (
        "| csdarknet53 | cfg | imagenet-big: CSPDarkNet-53 | 50000 | 77.200 [76.83, 77.57] | 77.2 | 0 | exact "
        "| 93.600 [93.38, 93.81] | 93.6 | 0 | exact | readme |\n"
    ) in printed
    assert printed.splitlines()[-1] == (
        "csdarknet53: 38600/50000 top-1, 46800/50000 top-5; weights aaaaaaaaaaaa, data bbbbbbbbbbbb, cpu, fp32, "
        "decoder opencv, batch norm inside-1e-5; runs/run"
    )


def test_a_difference_is_shown_in_images() -> None:
    assert "| 77.2 | -0.300 (150 images fewer) | off |" in text([result("csdarknet53", top1=38_450)], [], "md")
    assert "| 77.2 | +0.050 (25 images more) | close |" in text([result("csdarknet53", top1=38_625)], [], "md")
    assert "| 77.2 | 0 (24 images more) | exact |" in text([result("csdarknet53", top1=38_624)], [], "md")


def test_what_is_off_fails_and_nothing_else() -> None:
    for right, fails in ((38_600, False), (38_625, False), (38_626, True)):
        assert judged_evaluations.failed(judged(result("csdarknet53", top1=right))) is fails
    assert not judged_evaluations.failed(judged(result("csdarknet53", "pjreddie", top1=1)))
    # of 100 drawn at random 77 hold the claim, none does not; of a part that nobody drew nothing is said
    assert not judged_evaluations.failed(judged(result("csdarknet53", top1=77, limit=100, seed=0)))
    assert judged_evaluations.failed(judged(result("csdarknet53", top1=0, limit=100, seed=0)))
    assert not judged_evaluations.failed(judged(result("csdarknet53", top1=0, limit=100)))
