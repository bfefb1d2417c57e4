"""Results by hand: a counted row, a classifier's and a detector's evaluation, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from cspbench.classification.classifiers import class_order
from cspbench.data import presets
from cspbench.data.detection_presets import detection_preset
from cspbench.inference.shards import SHARD
from cspbench.network.network import digest
from cspbench.results.analysis_record import NAMES, AnalysisRecord, ClassErrors, Errors, Mistake
from cspbench.results.counts import CountedCell, CountedRow, Counts
from cspbench.results.encoding import encode
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
from cspbench.results.store import Sources, StoredEvaluation, of_files
from cspbench.zoo.registry import model

COMMIT = "0" * 40
WHO = Session(["cspbench", "by", "hand"], "0.1.0", COMMIT)
SCORING = Scoring("0.1.0", COMMIT)
GAINS, COUNTS = dict.fromkeys(NAMES, 0.125), dict.fromkeys(NAMES, 2)
ANALYSIS = AnalysisRecord(
    nms=0.45,
    kind="default",
    conf=0.25,
    areas={
        "all": Errors(3, 0.5, GAINS, COUNTS),
        **{name: Errors(0, None, {}, dict.fromkeys(NAMES, 0)) for name in ("small", "medium", "large")},
    },
    classes=[ClassErrors(3, 0.5, GAINS, COUNTS, "person")],
    confusion=[Mistake(0, 0, 1), Mistake(0, 1, 2), Mistake(1, 0, 7)],
)


@cache
def network_of(name: str, size: int | None = None) -> tuple[str, tuple[int, int]]:
    """The digest of a catalogue's network, at its own size or a square one, and that size."""
    network = model(name).build()
    network = network if size is None else network.resized(size, size)
    return digest(network), network.input[1:]


def counted(table: str, row: str, name: str, **counts: Any) -> CountedRow:
    """A row of params.json; `counts` are (count, counting) by metric, or any other field."""
    printed = {"params": ("-", "M", "printed"), "bflops": ("-", "G", "darknet")}
    fields: dict[str, Any] = counts
    for metric, words in printed.items():
        count, counting = counts.get(metric, (None, "weights"))
        fields[metric] = CountedCell(counting, count, *words)
    return CountedRow(name, table=table, id=row, **fields)


def counts(*rows: CountedRow) -> bytes:
    """A params.json."""
    return encode(Counts(session=WHO, rows=list(rows)))


def _run(identity: ImagenetIdentity | CocoIdentity, when: str, more: Mapping[str, Any]) -> Run:
    fields: dict[str, Any] = {"sessions": [msgspec.structs.replace(WHO, when=when)], **more}
    fields.setdefault("weights", Weights(identity.weights, fields.pop("file", None)))
    return Run(samples=identity.data.samples, shard=SHARD, identity=identity, **fields)


def classifier(
    name: str = "csdarknet53",
    top1: int = 38_600,
    when: str = "2026-01-01T00:00:00Z",
    images: int = 50_000,
    limit: int | None = None,
    seed: int | None = None,
    finished: bool = True,
    run: Mapping[str, Any] | None = None,
    scoring: Scoring = SCORING,
    size: int | None = None,
    **changes: Any,
) -> StoredEvaluation:
    """An evaluation on ImageNet's `images`, or `limit` of them; `changes` are of its identity, `run` of its record."""
    network, own = network_of(name, size)
    identity = ImagenetIdentity(
        **{
            "model": name,
            "network": network,
            "weights": f"arrays:{'a' * 64}",
            "data": Data("folders", images, "b" * 64, limit=limit, seed=seed),
            "preset": presets.preset("readme").as_json(),
            "size": own,
            "precision": "fp32",
            "classes": class_order(name),
            "user_file": False,
            **changes,
        }
    )
    total = identity.data.samples
    metrics = ClassificationMetrics(
        identity=identity,
        images=total,
        top1=Hits(top1, total),
        top5=Hits(total * 936 // 1000, total),
        bad=[],
        pixels="e" * 64,
        class_order=ClassOrder("as declared", {}, ""),
        scoring=scoring,
    )
    return StoredEvaluation("run", "runs/run", _run(identity, when, run or {}), metrics if finished else None)


def threshold(nms: float = 0.45, ap: str | None = "38.04", kind: str = "default", **more: Any) -> Threshold:
    """AP and AP50 at one NMS threshold; none where the server has not answered."""
    numbers = {} if ap is None else {"ap": Decimal(ap), "ap50": Decimal(60)}
    fields = {"asked": kind, "scoring": SCORING, "engine": "cspbench", "ap": numbers, **more}
    return Threshold(nms=nms, kind=kind, **fields)


def detector(
    nms: float = 0.45,
    ap: str | None = "38.04",
    split: str = "test-dev2017",
    when: str = "2026-01-01T00:00:00Z",
    preset: str = "readme",
    limit: int | None = None,
    seed: int | None = None,
    kind: str = "default",
    own: Mapping[str, Any] | None = None,
    finished: bool = True,
    run: Mapping[str, Any] | None = None,
    thresholds: Sequence[Threshold] | None = None,
    intervals: dict[str, tuple[float, float] | None] | None = None,
    pixels: str | None = "f" * 64,
    **changes: Any,
) -> StoredEvaluation:
    """An evaluation of csresnext50-panet-spp at 512x512; `own` replaces fields of its preset."""
    network, size = network_of("csresnext50-panet-spp", 512)
    forward, chosen = detection_preset(preset).forward_json(), {**detection_preset(preset).as_json(), **(own or {})}
    identity = CocoIdentity(
        **{
            "model": "csresnext50-panet-spp",
            "network": network,
            "weights": f"arrays:{'c' * 64}",
            "data": Data("coco", 20_288, "d" * 64, split, limit=limit, seed=seed),
            "preset": {field: chosen[field] for field in forward},
            "size": size,
            "precision": "fp32",
            "quoted": False,
            "user_file": False,
            "last": LastLayer(80, "default", 0.6),
            **changes,
        }
    )
    named = ("name", "conf", "nms", "nms_kind")
    rest = {name: value for name, value in chosen.items() if name not in named}
    settings = DetectionSettings(**{name: chosen[name] for name in named}, fields=rest)
    metrics = DetectionMetrics(
        identity=identity,
        images=identity.data.samples,
        bad=[],
        thresholds=list(thresholds or [threshold(nms, ap, kind, intervals=intervals)]),
        pixels=pixels,
    )
    record = _run(identity, when, {"settings": settings, **(run or {})})
    return StoredEvaluation("run", "runs/run", record, metrics if finished else None)


def stored(evaluation: StoredEvaluation) -> bytes:
    """A file of a results directory."""
    assert evaluation.metrics is not None
    return encode(Evaluation(run=evaluation.run, metrics=evaluation.metrics))


def put(folder: Path, evaluation: StoredEvaluation) -> Path:
    """Write a run directory of it, without predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_bytes(encode(evaluation.run))
    (folder / "metrics.json").unlink(missing_ok=True)
    if evaluation.metrics is not None:
        (folder / "metrics.json").write_bytes(encode(evaluation.metrics))
    return folder


def sources(counted: bytes | None = None, **evaluations: StoredEvaluation) -> Sources:
    """What a results directory of them gives; incomplete ones, which none keeps, as their run directories do."""
    finished = {name: each for name, each in evaluations.items() if each.metrics is not None}
    files = {f"evaluations/{name}.json": stored(each) for name, each in finished.items()}
    if counted is not None:
        files["params.json"] = counted
    kept = of_files(files, "results")
    rest = [replace(each, name=name) for name, each in evaluations.items() if each.metrics is None]
    return Sources(kept.counts, (*kept.evaluations, *rest))


def changed(evaluation: StoredEvaluation, **run: Any) -> StoredEvaluation:
    """The evaluation with other fields of its record."""
    return replace(evaluation, run=msgspec.structs.replace(evaluation.run, **run))
