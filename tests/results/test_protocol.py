"""A measurement that was made otherwise than its claim is shown, and never gets a verdict."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Literal

import pytest
from msgspec import structs
from result_files import classifier, counted, detector, threshold
from test_build import ap, count, line, rows, top1

from cspbench.claims import tables
from cspbench.data import presets
from cspbench.network.counting import ledger
from cspbench.results.explain_counts import explanation
from cspbench.results.match import PublishedWeights, published_weights
from cspbench.results.schema import Weights
from cspbench.results.store import StoredEvaluation
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import model

ROW = ("coco-nms", "cspresnext50-panet-spp-512-nms0.45")
ANY_THRESHOLD = ("coco-loss", "cspresnext50-panet-spp-512-mse")
README = presets.preset("readme")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"network": "v2:" + "e" * 64}, "the network has changed since"),
        ({"precision": "bf16"}, "bf16 arithmetic"),
        ({"classes": "sorted"}, "class order sorted, not darknet"),
        ({"size": 224}, "size 224x224, not 256x256"),
        ({"preset": presets.preset("head").as_json()}, "preset head, not readme"),
        (
            {"preset": replace(README, crop_pct=0.875, decoder="stb").as_json()},
            "decoder stb, not opencv; crop_pct 0.875, not 1",
        ),
    ],
)
def test_an_accuracy_reached_in_another_way_has_no_verdict(changes: dict[str, Any], note: str) -> None:
    result = top1(run=classifier(**changes))
    assert (result.mark, result.measured, result.exact) == ("unmeasured: protocol-mismatch", "77.2", "77.2")
    assert (result.delta, result.note) == (None, note)


def test_what_is_graver_is_the_reason() -> None:
    part = top1(run=classifier(top1=77, limit=100, precision="bf16"))
    assert (part.mark, part.note) == ("unmeasured: partial", "bf16 arithmetic")
    drawn = top1(run=classifier(top1=77, limit=100, seed=1, precision="bf16"))
    assert (drawn.mark, drawn.note, drawn.partial) == ("unmeasured: protocol-mismatch", "bf16 arithmetic", True)
    other = top1(run=classifier(images=50_001, top1=150, precision="bf16"))
    assert (other.mark, other.note) == ("unmeasured: split-mismatch", "other images than the claim's; bf16 arithmetic")


def test_any_part_shows_its_interval() -> None:
    """Wilson's of 39 of 50: (0.78 + 0.0384 ± 1.96 sqrt(0.003432 + 0.000384)) / 1.0768."""
    result = top1(run=classifier(images=50, top1=39))
    assert (result.mark, result.measured, result.interval) == ("unmeasured: partial", "78.0", ("64.76", "87.25"))
    assert (result.delta, result.partial) == (None, True)


def bad(evaluation: StoredEvaluation, count: int = 2) -> StoredEvaluation:
    assert evaluation.metrics is not None
    return replace(evaluation, metrics=structs.replace(evaluation.metrics, bad=[f"{at}.png" for at in range(count)]))


def test_images_that_could_not_be_read_leave_a_part() -> None:
    bounds: dict[str, tuple[float, float] | None] = {"ap": (37.1, 39.0)}
    whole, drawn = detector(intervals=bounds), detector(intervals=bounds, limit=9, seed=0)
    for run in (classifier(), classifier(limit=50_000, seed=0)):
        result = top1(run=bad(run))
        assert (result.mark, result.note, result.delta) == ("unmeasured: partial", "2 images could not be read", None)
        assert result.interval is not None
    for run in (whole, drawn):
        result = ap(*ROW, run=bad(run, 1))
        assert (result.mark, result.note) == ("unmeasured: partial", "1 image could not be read")
        assert result.interval == ("37.10", "39.00")
    other = top1(run=bad(classifier(images=50_001)))
    assert other.mark == "unmeasured: split-mismatch"


def test_a_part_of_the_data_never_counts_before_all_of_it() -> None:
    whole = classifier(precision="bf16", network="v2:" + "e" * 64)
    result = top1(whole=whole, part=classifier(top1=77, limit=100, seed=0, when="2027-01-01T00:00:00Z"))
    assert result.provenance is not None
    assert (result.provenance.run, result.mark) == ("whole", "unmeasured: protocol-mismatch")


@pytest.mark.parametrize(
    ("own", "fault", "preset"),
    [
        ({"conf": 0.3}, "conf 0.3, not 0.005", "readme with conf 0.3, NMS 0.45 default"),
        ({"decoder": "stb"}, "decoder stb, not opencv", "readme with decoder stb, NMS 0.45 default"),
        ({"image_id": "basename"}, "image_id basename, not underscore", "readme with image_id basename, "),
    ],
)
def test_an_overridden_preset_is_another(own: dict[str, Any], fault: str, preset: str) -> None:
    result = ap(*ROW, run=detector(own=own))
    assert (result.mark, result.measured, result.delta, result.note) == (
        "unmeasured: protocol-mismatch",
        "38.0",
        None,
        fault,
    )
    assert result.provenance is not None
    assert str(result.provenance.preset).startswith(preset)


def test_another_kind_of_suppression_is_another_way() -> None:
    result = ap(*ROW, run=detector(kind="diou"))
    assert (result.mark, result.note) == ("unmeasured: protocol-mismatch", "nms_kind diou, not default")
    assert result.provenance is not None
    assert result.provenance.preset == "readme, NMS 0.45 diou"
    # the run was made with another kind, and scored again with the preset's
    assert ap(*ROW, run=detector(own={"nms_kind": "diou"})).mark == "exact"


def test_another_threshold_than_the_presets_is_another_way() -> None:
    result = ap(*ANY_THRESHOLD, run=detector(nms=0.6))
    assert (result.mark, result.note) == ("unmeasured: protocol-mismatch", "NMS 0.6, not the preset's 0.45")


def test_other_thresholds_of_a_run_are_not_listed_beside_its_own() -> None:
    every = [threshold(0.7), threshold(), threshold(kind="diou")]
    result = ap(*ANY_THRESHOLD, run=detector(thresholds=every))
    assert (result.verdict, result.measured, result.others) == (ap(*ANY_THRESHOLD, run=detector()).verdict, "38.0", ())


def test_the_weight_file_is_the_published_one_where_that_is_known() -> None:
    preset = presets.preset("timm").as_json()

    def made_with(weights: str, file: str | None = None) -> tuple[str, str | None, str | None]:
        run = classifier(
            "timm/cspdarknet53", 40_000, preset=preset, weights=weights, run={"weights": Weights(weights, file)}
        )
        result = line(rows(run=run), "timm", "cspdarknet53").cells["top1"]
        assert result.provenance is not None
        return result.mark, result.note, result.provenance.weights

    arrays, known = f"arrays:{'1' * 64}", "d05c7c21" + "0" * 56
    other = "unmeasured: protocol-mismatch", "other weights than the published file's"
    assert made_with(arrays, known)[1:] == (None, arrays)
    assert made_with(arrays, "a" * 64) == (*other, arrays)
    assert made_with(f"file:{known}")[1:] == (None, f"file:{known}")
    assert made_with(f"file:{'a' * 64}") == (*other, f"file:{'a' * 64}")
    # of a run that says nothing of its file, and a row of which only the file is known, nobody can tell
    assert made_with(arrays)[1:] == (None, f"{arrays} (no published digest to compare with)")
    unknown = top1(run=classifier())
    assert unknown.provenance is not None
    assert (unknown.mark, unknown.provenance.weights) == (
        "exact",
        f"arrays:{'a' * 64} (no published digest to compare with)",
    )


def test_retrained_weights_are_never_held_against_a_claim() -> None:
    arrays = f"arrays:{'a' * 64}"  # which are not known to be others than the row's
    origins: tuple[Literal["published", "file", "retrained"], ...] = ("file", "published", "retrained")
    for origin, mark in zip(origins, ("exact", "exact", "unmeasured: protocol-mismatch"), strict=True):
        run = classifier(run={"weights": Weights(arrays, origin=origin)})
        assert top1(run=run).mark == mark


def test_the_samples_weights_are_those_of_the_package() -> None:
    path = shipped("sample-csp-detector")
    assert path is not None
    known = published_weights(tables.load("sample-detection").row("sample-csp-detector"))
    body = path.read_bytes()[20:]  # after Darknet's header
    assert (known.arrays, known.files) == ((hashlib.sha256(body).hexdigest(),), (digest(path),))


@pytest.mark.parametrize(
    ("weights", "file", "same"),
    [
        ("arrays:aa", None, True),
        ("arrays:aa", "22", True),  # in another format
        ("arrays:bb", None, False),
        ("arrays:bb", "1234", True),
        ("file:1234", None, True),
        ("file:2234", None, False),
        ("file:aa", None, False),
        ("module:cc", None, None),
    ],
)
def test_equal_arrays_are_equal_weights(weights: str, file: str | None, same: bool | None) -> None:
    assert PublishedWeights(("aa",), ("12",)).are(weights, file) is same


def test_what_is_known_of_one_kind_says_nothing_of_the_other() -> None:
    assert PublishedWeights(("aa",)).are("file:aa") is None
    assert PublishedWeights((), ("12",)).are("arrays:12") is None
    assert PublishedWeights((), ("12",)).are("arrays:12", "12") is True
    assert PublishedWeights().are("arrays:12", "12") is None


def test_counts_of_another_model_have_no_verdict() -> None:
    result = count(counted("imagenet-big", "darknet-53", "resnet50", params=(41_573_216, "weights")), "params")
    assert (result.mark, result.note) == ("unmeasured: protocol-mismatch", "counted for resnet50, not darknet53")


def off(table: str, row: str, name: str, operations: int) -> tuple[str, str | None]:
    """The mark and the note of a count of operations."""
    result = count(counted(table, row, name, bflops=(operations, "conv+maxpool")), "bflops")
    return result.mark, result.note


def test_a_file_does_not_explain_itself() -> None:
    assert off("imagenet-big", "darknet-53", "darknet53", 1) == ("off", None)
    row = counted("imagenet-big", "darknet-53", "darknet53", bflops=(1, "conv+maxpool"), definition="stand-in")
    assert count(row, "bflops").mark == "off"


def test_a_namesake_explains_the_models_own_count() -> None:
    row = tables.load("imagenet-big").row("resnet-50")
    own = _operations("resnet50")
    mark, note = off(row.table, row.id, "resnet50", own)
    assert mark == "off, explained"
    assert note == "exact for icfg-resnet50-leaky"
    # any other count is not what the namesake was chosen to explain
    assert off(row.table, row.id, "resnet50", own + 10**9)[0] == "off"
    assert not explanation(row.cells["bflops"], "resnet50", row.counting_size, own + 1).explained


def _operations(name: str) -> int:
    return ledger(model(name).build()).total("conv+maxpool")


def test_a_stand_in_explains_its_miss() -> None:
    row = tables.load("imagenet-small").row("cspdensenet-ref")
    mark, note = off(row.table, row.id, str(row.model), 1)
    assert mark == "missed"
    assert note == "of our stand-in, which says nothing about the claim"


@pytest.mark.parametrize(("table", "row"), [("timm", "cspdarknet53"), ("mmpretrain", "cspresnet50")])
def test_weights_are_the_published_ones_to_the_last_known_digit(table: str, row: str) -> None:
    published = published_weights(tables.load(table).row(row))
    known = published.files[0]
    assert len(known) >= 8
    whole = known.ljust(64, "0")
    other = known[:-1] + ("1" if known[-1] == "0" else "0")
    assert published.are("arrays:" + "2" * 64, whole) is True
    for wrong in (other.ljust(64, "0"), "0" + whole[:-1], known[:-1]):
        assert published.are("arrays:" + "2" * 64, wrong) is False
