"""Documents of schema 1 become documents of schema 2, and nothing of them is lost or guessed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import field, make_dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
import schema1
from msgspec.structs import replace as replace_
from refusals import refuses
from schema1 import CLASSIFIER, CLASSIFIER_FILE, DETECTOR, DETECTOR_FILE

from cspbench.network.layers import Convolution, Dropout, Route
from cspbench.network.network import Network, digest
from cspbench.results import migrate
from cspbench.results.counts import CountedCell, CountedRow, Counts
from cspbench.results.encoding import decode, encode
from cspbench.results.migrate import OldDigests, _digest_v1
from cspbench.results.schema import (
    ClassificationMetrics,
    ClassOrder,
    CocoIdentity,
    Data,
    DetectionMetrics,
    DetectionSettings,
    Evaluation,
    Hits,
    ImagenetIdentity,
    LastLayer,
    Run,
    Scoring,
    Session,
    Threshold,
    Weights,
)
from cspbench.results.store import of_files
from cspbench.weights.catalogue import published
from cspbench.zoo.registry import MODELS, names_of_layered

SESSION = Session(
    ["cspbench", "x"],
    "0.1.0",
    "0" * 40,
    python="3.11.7",
    platform="linux x86_64",
    packages={"torch": "2.13.0+cpu", "faster-coco-eval": None},
)
ARRAYS = f"arrays:{published('sample-csp-classifier')[1]}"
NOW = digest(MODELS["sample-csp-classifier"].build())
SMALL = Network("small", (3, 8, 9), (Convolution(sources=(-1,), filters=4), Route(sources=(0,))))
WRITTEN = (
    "((3, 8, 9), False, (Convolution(sources=(-1,), filters=4, size=1, stride=(1, 1), padding=0, groups=1, dilation=1, "
    "batch_normalize=True, bias=True, activation='leaky', antialiasing=0, share=None), "
    "Route(sources=(0,), groups=1, group_id=0)))"
)
"""What schema 1 made a digest of, written down by hand."""


def test_the_old_digest_is_what_it_was() -> None:
    assert _digest_v1(SMALL) == hashlib.sha256(WRITTEN.encode()).hexdigest()
    single = replace(SMALL, layers=SMALL.layers[:1])
    text = WRITTEN.replace(", Route(sources=(0,), groups=1, group_id=0)", ",")
    assert _digest_v1(single) == hashlib.sha256(text.encode()).hexdigest()
    assert _digest_v1(MODELS["sample-csp-classifier"].build()) == CLASSIFIER
    assert _digest_v1(MODELS["sample-csp-detector"].build()) == DETECTOR


def test_the_old_digest_knows_every_layer() -> None:
    assert all(_digest_v1(MODELS[name].build()) for name in names_of_layered())
    drop = (Dropout(sources=(-1,), probability=0.25),)
    text = "((3, 8, 9), True, (Dropout(sources=(-1,), probability=0.25),))"
    assert _digest_v1(replace(SMALL, layers=drop, letter_box=True)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_network_that_schema_1_could_not_say_has_no_old_digest() -> None:
    extended = make_dataclass(
        "Other", [("dropblock", float, field(default=0.0))], bases=(Convolution,), frozen=True, kw_only=True
    )
    new = type("New", (Convolution,), {"kind": "new"})
    same, used, unknown = (
        replace(SMALL, layers=(layer, SMALL.layers[1]))
        for layer in (
            extended(sources=(-1,), filters=4),
            extended(sources=(-1,), filters=4, dropblock=0.1),
            new(sources=(-1,), filters=4),
        )
    )
    assert _digest_v1(same) == _digest_v1(SMALL)
    assert _digest_v1(used) is _digest_v1(unknown) is None


def test_counts() -> None:
    alone = schema1.row(model="mine", table=None, id=None, size=None, network=None, settings=None)
    new = migrate.counts(schema1.counts(schema1.row(), alone), OldDigests())
    assert new.session == SESSION
    first = CountedRow(
        "sample-csp-classifier",
        CountedCell("weights", 1, "-", "M", "printed"),
        CountedCell("conv+maxpool", 2, "-", "G", "darknet"),
        "sample-classification",
        "sample-csp-classifier",
        "CSP classifier",
        {},
        (64, 64),
        NOW,
        "paper",
    )
    assert new.rows == [first, replace_(first, model="mine", table=None, id=None, size=None, network=None)]
    assert decode(encode(new), Counts) == new


def test_counts_without_networks_as_the_first_versions_wrote_them() -> None:
    line = schema1.row()
    del line["network"]
    (row,) = migrate.counts(schema1.counts(line), OldDigests()).rows
    assert (row.network, row.params.count) == (None, 1)


def test_a_run_and_its_metrics() -> None:
    old = schema1.run()
    new = migrate.run(old, OldDigests())
    identity = ImagenetIdentity(
        model="sample-csp-classifier",
        network=NOW,
        weights=ARRAYS,
        data=Data("folders", 2, "b" * 64),
        preset={"name": "readme", "crop_pct": 1.0},
        size=(64, 64),
        precision="fp32",
        classes="sample",
        user_file=False,
    )
    assert new == Run(
        samples=2,
        shard=256,
        identity=identity,
        sessions=[replace_(SESSION, when="2026-01-01T00:00:00Z", device="cpu")],
        weights=Weights(ARRAYS, CLASSIFIER_FILE),
        files="cba0049db9061e6a",
    )
    scored = migrate.metrics(schema1.metrics(old), old, OldDigests())
    assert scored == ClassificationMetrics(
        identity=identity,
        images=2,
        top1=Hits(1, 2),
        top5=Hits(1, 2),
        bad=[],
        pixels="e" * 64,
        class_order=ClassOrder("as declared", {"sample": 1}, "in the sample order"),
        scoring=Scoring("0.1.0", "0" * 40),
    )
    kept = migrate.evaluation({"run": old, "metrics": schema1.metrics(old)}, OldDigests())
    assert kept == Evaluation(run=new, metrics=scored)
    assert decode(encode(kept), Evaluation) == kept


def test_a_detectors_run_and_its_metrics() -> None:
    old = schema1.detection_run()
    new = migrate.run(old, OldDigests())
    identity = CocoIdentity(
        model="sample-csp-detector",
        network=digest(MODELS["sample-csp-detector"].build()),
        weights=f"arrays:{published('sample-csp-detector')[1]}",
        data=Data("coco", 160, "7" * 64, "custom", annotations="instances_val2017.json", objects=893),
        preset=schema1.PRESET,
        size=(224, 224),
        precision="fp32",
        quoted=False,
        user_file=False,
        last=LastLayer(10, "default", 0.6),
    )
    fields = {name: value for name, value in schema1.PRESET.items() if name != "conf"}
    settings = DetectionSettings("readme", 0.005, 0.45, "default", {"image_id": "underscore", **fields})
    assert (new.identity, new.settings) == (identity, settings)
    assert (new.place, new.weights.file, new.partial) == ("/home/me/coco", DETECTOR_FILE, False)
    metrics = migrate.metrics(schema1.detection_metrics(old), old, OldDigests())
    assert metrics == DetectionMetrics(
        identity=identity,
        images=160,
        bad=[],
        thresholds=[
            Threshold(
                nms=0.45,
                kind="default",
                asked="default",
                scoring=Scoring("0.1.0"),
                engine="cspbench",
                ap={"ap": Decimal("64.5907"), "ap50": Decimal("88.2225"), "apl": None},
                intervals={"ap": (62.6, 66.8), "apl": None},
                per_class={"disc": {"ap": Decimal("71.25")}},
                detections=8563,
            )
        ],
        pixels="d" * 64,
    )
    kept = Evaluation(run=new, metrics=metrics)
    assert decode(encode(kept), Evaluation) == kept


def test_a_part_of_schema_1_is_one_that_nobody_drew() -> None:
    old = schema1.detection_run(limit=50)
    new = migrate.run(old, OldDigests())
    assert (new.samples, new.partial, new.identity.data.limit, new.identity.data.seed) == (50, True, 50, None)
    assert migrate.metrics(schema1.detection_metrics(old), old, OldDigests()).images == 50
    few = schema1.run(data={"kind": "folders", "images": 20, "limit": 2})
    assert (migrate.run(few, OldDigests()).samples, migrate.run(few, OldDigests()).partial) == (2, True)


def test_later_sessions_are_kept() -> None:
    later = {**schema1.WHO, "command": ["cspbench", "y"], "when": "2026-01-02T00:00:00Z"}
    new = migrate.run({**schema1.run(), "sessions": [later]}, OldDigests())
    assert [(session.command, session.when) for session in new.sessions] == [
        (["cspbench", "x"], "2026-01-01T00:00:00Z"),
        (["cspbench", "y"], "2026-01-02T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("old", "decoder"),
    [
        ({"decoder": "Pillow", "exif": False}, "pillow"),
        ({"decoder": "Pillow", "exif": True}, "opencv"),
        ({"decoder": "stb", "exif": False}, "stb"),
        ({"decoder": "opencv"}, "opencv"),
    ],
)
def test_a_decoder_and_exif_that_were_recorded_apart_are_one(old: dict[str, Any], decoder: str) -> None:
    new = migrate.run(schema1.run(preset={"name": "readme", **old}), OldDigests())
    assert new.identity.preset == {"name": "readme", "decoder": decoder}


def test_what_awaits_the_server_is_without_numbers() -> None:
    old = schema1.detection_run()
    waiting = {**schema1.detection_metrics(old, ap={}, engine=None), "submissions": ["x.zip"]}
    metrics = migrate.metrics(waiting, old, OldDigests())
    assert isinstance(metrics, DetectionMetrics)
    assert (metrics.thresholds[0].ap, metrics.submissions) == ({}, ["x.zip"])


def test_weights_that_only_their_file_tells_stay_so() -> None:
    new = migrate.run(schema1.run(weights="c" * 64), OldDigests())
    assert new.weights == Weights(f"file:{'c' * 64}", "c" * 64)
    assert new.identity.weights == f"file:{'c' * 64}"


def test_a_run_at_another_size() -> None:
    sized = MODELS["sample-csp-classifier"].build().resized(96, 64)
    new = migrate.run(schema1.run(size=[96, 64], definition=_digest_v1(sized)), OldDigests())
    assert (new.identity.network, new.identity.size) == (digest(sized), (96, 64))


@pytest.mark.parametrize(
    "changes",
    [{"definition": "e" * 64}, {"size": [88, 96]}, {"model": "no such model"}, {"model": "sample-csp-detector"}],
)
def test_an_unknown_network_is_refused_or_stays_an_old_one(changes: dict[str, Any]) -> None:
    old = schema1.run(**changes)
    with refuses("results.unknown-network", found=old["identity"]["definition"]):
        migrate.run(old, OldDigests())
    new = migrate.run(old, OldDigests(strict=False))
    assert new.identity.network == f"v1:{old['identity']['definition']}"
    with refuses("results.unknown-network", found="e" * 64):
        migrate.counts(schema1.counts(schema1.row(network="e" * 64)), OldDigests())


def test_a_network_of_a_cfg() -> None:
    old = schema1.run(model="mine", file=True, size=[6, 6], definition=_digest_v1(SMALL.resized(6, 6)))
    new = migrate.run(old, OldDigests([SMALL]))
    assert (new.identity.network, new.identity.user_file) == (digest(SMALL.resized(6, 6)), True)
    with refuses("results.unknown-network"):
        migrate.run(old, OldDigests([replace(SMALL, letter_box=True)]))


def test_metrics_of_another_run_are_refused() -> None:
    with pytest.raises(ValueError, match="another run"):
        migrate.metrics(schema1.metrics(schema1.run(weights="c" * 64)), schema1.run(), OldDigests())


# --- read where they lie


def files(*, counts: dict[str, Any], evaluations: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    named = {"params.json": counts, **{f"evaluations/{name}.json": each for name, each in evaluations.items()}}
    return {name: json.dumps(each).encode() for name, each in named.items()}


def test_results_of_schema_1_are_read() -> None:
    run, other = schema1.run(), schema1.detection_run()
    old = {"run": run, "metrics": schema1.metrics(run)}
    evaluations = {"one": old, "two": {"run": other, "metrics": schema1.detection_metrics(other)}}
    result = of_files(files(counts=schema1.counts(schema1.row()), evaluations=evaluations), "results")
    assert [count.record for count in result.counts] == [migrate.counts(schema1.counts(schema1.row()), OldDigests())]
    assert [(evaluation.name, evaluation.run.identity.network) for evaluation in result.evaluations] == [
        ("one", NOW),
        ("two", digest(MODELS["sample-csp-detector"].build())),
    ]
    # a network that nobody has any more is another than today's, and no error
    gone = of_files(files(counts=schema1.counts(schema1.row(network="e" * 64)), evaluations={}), "results")
    assert gone.counts[0].record.rows[0].network == f"v1:{'e' * 64}"


@pytest.mark.parametrize("schema", [0, 3, "1", True, 1.5, None])
@pytest.mark.parametrize("name", ["params.json", "evaluations/x.json"])
def test_another_schema_is_refused(name: str, schema: Any) -> None:
    run = schema1.run()
    document = schema1.counts() if name == "params.json" else {"run": run, "metrics": schema1.metrics(run)}
    (document if name == "params.json" else document["run"])["schema"] = schema
    with refuses("results.not-results", where=f"results/{name}"):
        of_files({name: json.dumps(document).encode()}, "results")
