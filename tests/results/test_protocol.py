"""A measurement that was made otherwise than its claim is shown, and never gets a verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from result_files import classifier, counted, counts, detector
from test_build import ap, cell, top1

from cspbench.claims import tables
from cspbench.data import presets
from cspbench.network.counting import ledger
from cspbench.results.explain_counts import why
from cspbench.results.match import digests
from cspbench.results.protocol import weights
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.zoo.catalogue import model
from cspbench.zoo.rows import row_model

ROW = ("coco-nms", "cspresnext50-panet-spp-512-nms0.45")
ANY_THRESHOLD = ("coco-loss", "cspresnext50-panet-spp-512-mse")
README = presets.preset("readme")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"definition": "e" * 64}, "the network has changed since"),
        ({"precision": "bf16"}, "bf16 arithmetic"),
        ({"preset": presets.preset("head").as_json()}, "preset head, not readme"),
        (
            {"preset": replace(README, crop_pct=0.875, decoder="stb").as_json()},
            "decoder stb, not opencv; crop_pct 0.875, not 1",
        ),
        # recorded when EXIF had a field of its own
        ({"preset": {**README.as_json(), "decoder": "Pillow", "exif": False}}, "decoder pillow, not opencv"),
    ],
)
def test_an_accuracy_reached_in_another_way_has_no_verdict(changes: dict[str, Any], note: str) -> None:
    found = top1(run=classifier(**changes))
    assert (found.mark, found.measured, found.exact) == ("unmeasured: other-way", "77.2", "77.2")
    assert (found.delta, found.note) == (None, note)


def test_what_is_graver_is_the_reason() -> None:
    part = top1(run=classifier(top1=77, images=100, data={"images": 100, "limit": 100}, precision="bf16"))
    assert (part.mark, part.note) == ("unmeasured: partial", "a part of the data only; bf16 arithmetic")
    other = top1(run=classifier(images=200, top1=150, precision="bf16"))
    assert (other.mark, other.note) == ("unmeasured: other-split", "other data than the claim's; bf16 arithmetic")


def test_a_part_of_the_data_never_counts_before_all_of_it() -> None:
    whole = classifier(precision="bf16", definition="e" * 64)
    part = classifier(top1=77, images=100, data={"images": 100, "limit": 100}, when="2027-01-01T00:00:00Z")
    found = top1(whole=whole, part=part)
    assert found.made is not None
    assert (found.made.run, found.mark) == ("whole", "unmeasured: other-way")


@pytest.mark.parametrize(
    ("own", "fault", "preset"),
    [
        ({"conf": 0.3}, "conf 0.3, not 0.005", "readme with conf 0.3, NMS 0.45 default"),
        ({"decoder": "stb"}, "decoder stb, not opencv", "readme with decoder stb, NMS 0.45 default"),
        ({"image_id": "basename"}, "image_id basename, not underscore", "readme with image_id basename, "),
    ],
)
def test_an_overridden_preset_is_another(own: dict[str, Any], fault: str, preset: str) -> None:
    found = ap(*ROW, run=detector(own=own))
    assert (found.mark, found.measured, found.delta, found.note) == ("unmeasured: other-way", "38.0", None, fault)
    assert found.made is not None
    assert str(found.made.preset).startswith(preset)


def test_a_decoder_and_exif_that_were_recorded_apart_are_one() -> None:
    turned = {**presets.preset("readme").as_json(), "decoder": "Pillow", "exif": True}
    assert top1(run=classifier(preset=turned)).mark == "exact"


def test_another_kind_of_suppression_is_another_way() -> None:
    found = ap(*ROW, run=detector(kind="diou"))
    assert (found.mark, found.note) == ("unmeasured: other-way", "nms_kind diou, not default")
    assert found.made is not None
    assert found.made.preset == "readme, NMS 0.45 diou"
    # the run was made with another kind, and scored again with the preset's
    assert ap(*ROW, run=detector(own={"nms_kind": "diou"})).mark == "exact"


def test_another_threshold_than_the_presets_is_another_way() -> None:
    found = ap(*ANY_THRESHOLD, run=detector(nms=0.6))
    assert (found.mark, found.note) == ("unmeasured: other-way", "NMS 0.6, not the preset's 0.45")


def test_other_thresholds_of_a_run_are_not_listed_beside_its_own() -> None:
    document = json.loads(detector())
    (usual,) = document["metrics"]["thresholds"]
    more = [{**usual, "nms": 0.7}, {**usual, "kind": "diou", "asked": "diou"}]
    document["metrics"]["thresholds"] = [more[0], usual, more[1]]
    found = ap(*ANY_THRESHOLD, run=json.dumps(document).encode())
    assert (found.verdict, found.measured, found.others) == (ap(*ANY_THRESHOLD, run=detector()).verdict, "38.0", ())


def test_the_weight_file_is_the_published_one_where_that_is_known() -> None:
    preset = presets.preset("timm").as_json()

    def made_with(weights: str) -> tuple[str, str | None, str | None]:
        run = classifier("timm/cspdarknet53", 40_000, preset=preset, weights=weights)
        found = cell({"evaluations/run.json": run}, "timm", "cspdarknet53", "top1")
        assert found.made is not None
        return found.mark, found.note, found.made.weights

    known = "d05c7c21" + "0" * 56
    assert made_with(known)[1:] == (None, known)
    assert made_with("a" * 64) == (
        "unmeasured: other-way",
        "other weights than the published file's",
        "a" * 64,
    )
    unknown = top1(run=classifier())
    assert unknown.made is not None
    assert (unknown.mark, unknown.made.weights) == ("exact", f"{'a' * 64} (no published digest to compare with)")


def test_the_samples_weights_are_those_of_the_package() -> None:
    path = shipped("sample-csp-detector")
    assert path is not None
    assert digests(tables.load("sample-detection").row("sample-csp-detector")) == (digest(path),)


def test_counts_of_another_model_have_no_verdict() -> None:
    files = {"params.json": counts(counted("imagenet-big", "darknet-53", "resnet50", params=(41_573_216, "weights")))}
    found = cell(files, "imagenet-big", "darknet-53", "params")
    assert (found.mark, found.note) == ("unmeasured: other-way", "counted for resnet50, not darknet53")


def off(table: str, row: str, name: str, count: int) -> tuple[str, str | None]:
    """The mark and the note of a count of operations whose file calls it explained."""
    line = counted(table, row, name, bflops=(count, "conv+maxpool"))
    line["bflops"]["explained"] = True
    line["note"] = "a note of the file"
    found = cell({"params.json": counts(line)}, table, row, "bflops")
    return found.mark, found.note


def test_a_file_does_not_explain_itself() -> None:
    assert off("imagenet-big", "darknet-53", "darknet53", 1) == ("off", None)


def test_a_namesake_explains_the_models_own_count() -> None:
    row = tables.load("imagenet-big").row("resnet-50")
    count = _operations("resnet50")
    mark, note = off(row.table, row.id, "resnet50", count)
    assert mark == "off, explained"
    assert note == "exact for icfg-resnet50-leaky"
    # any other count is not what the namesake was chosen to explain
    assert off(row.table, row.id, "resnet50", count + 10**9)[0] == "off"
    assert not why(row, row.cells["bflops"], "resnet50", count + 1).explained


def _operations(name: str) -> int:
    return ledger(model(name).build()).total("conv+maxpool")


def test_a_stand_in_explains_its_miss() -> None:
    row = tables.load("imagenet-small").row("cspdensenet-ref")
    mark, note = off(row.table, row.id, str(row_model(row.table, row.id).model), 1)
    assert mark == "off, explained"
    assert note == "of our stand-in, which is no fault of the claim"


@pytest.mark.parametrize(("table", "row"), [("timm", "cspdarknet53"), ("mmpretrain", "cspresnet50")])
def test_weights_are_the_published_ones_to_the_last_known_digit(table: str, row: str) -> None:
    found = tables.load(table).row(row)
    (known, *_) = digests(found)
    assert len(known) >= 8
    whole = known.ljust(64, "0")
    other = known[:-1] + ("1" if known[-1] == "0" else "0")
    assert weights(found, {"weights": whole}) == []
    for wrong in (other.ljust(64, "0"), "0" + whole[:-1], known[:-1]):
        assert len(weights(found, {"weights": wrong})) == 1
