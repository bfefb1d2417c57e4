"""Complete runs written without a network, and what holds for whatever is made of them."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.classification.predict import COLUMNS
from cspbench.data.classes import order
from cspbench.detection.candidates import Candidates, pack, shards
from cspbench.error_codes import CODES
from cspbench.errors import CspbenchError
from cspbench.evaluation import server
from cspbench.evaluation.imagenet import score_classifier
from cspbench.inference.shards import SHARD, Shards
from cspbench.results import store
from cspbench.results.encoding import encode
from cspbench.results.runs import find_runs, load_run, read_metrics
from cspbench.results.schema import (
    ClassificationMetrics,
    ClassOrder,
    CocoIdentity,
    Data,
    DetectionMetrics,
    DetectionSettings,
    Hits,
    ImagenetIdentity,
    LastLayer,
    Run,
    Scoring,
    Session,
    Threshold,
    Weights,
)

SAMPLES = 300
NAMED: dict[str, Any] = {
    "model": "small",
    "network": "0" * 64,
    "weights": "1" * 64,
    "size": (8, 8),
    "precision": "fp32",
    "user_file": True,
}


def record(identity: ImagenetIdentity | CocoIdentity, settings: DetectionSettings | None = None) -> Run:
    return Run(
        samples=SAMPLES,
        shard=SHARD,
        identity=identity,
        sessions=[Session(["cspbench"], "0.1.0")],
        weights=Weights(identity.weights),
        place="somewhere",
        settings=settings,
    )


IMAGENET = record(
    ImagenetIdentity(data=Data("folders", SAMPLES, "2" * 64), preset={"name": "readme"}, classes="darknet", **NAMED)
)
COCO = record(
    CocoIdentity(
        data=Data("coco", SAMPLES, "2" * 64, split="custom", objects=0),
        preset={"conf": 0.005},
        quoted=False,
        last=LastLayer(80, "default", 0.6),
        **NAMED,
    ),
    DetectionSettings("readme", 0.005, 0.45, "default"),
)

ANSWER = server.Answer(
    0.45, "default", {"ap": Decimal("38.4")}, server.AnswerFile("a.zip", "3" * 64), "b.zip", "2026-01-01T00:00:00Z"
)


def metrics(of: Run) -> bytes:
    """A metrics.json of such a run."""
    scoring = Scoring("0.1.0")
    if isinstance(of.identity, ImagenetIdentity):
        return encode(
            ClassificationMetrics(
                identity=of.identity,
                images=SAMPLES,
                top1=Hits(1, SAMPLES),
                top5=Hits(2, SAMPLES),
                bad=["a.png"],
                pixels="4" * 64,
                class_order=ClassOrder("as declared", {"darknet": 1}, "words"),
                scoring=scoring,
            )
        )
    threshold = Threshold(
        nms=0.45,
        kind="default",
        asked="default",
        scoring=scoring,
        engine="cspbench",
        ap={"ap": Decimal("38.4"), "apl": None},
        intervals={"ap": (38.0, 39.0)},
        per_class={"person": {"ap": Decimal("50.5")}},
        detections=3,
    )
    return encode(
        DetectionMetrics(identity=of.identity, images=SAMPLES, bad=[], thresholds=[threshold], pixels="4" * 64)
    )


def classified(run: Shards) -> None:
    wnids = np.array(order("darknet"))
    for shard in range(run.count):
        index = np.array(run.block(shard))
        columns: dict[str, Any] = {
            "index": index,
            "classes": (index[:, None] // 2 * 2 + np.arange(5)) % 1000,
            "probability": np.full((len(index), 5), 0.2),
            "key": [f"{at:04d} é.png" for at in index],
            "wnid": wnids[index],
            "checksum": index,
            "ok": np.ones(len(index)),
        }
        run.write(shard, {name: np.array(columns[name], kind) for name, kind in COLUMNS.items()})


def detected(run: Shards) -> None:
    for shard in range(run.count):
        index = np.array(run.block(shard))
        one = Candidates(
            np.ones((2, 4), np.float32), np.array([0, 1], np.int32), np.zeros(2, np.int16), np.ones(2, np.float32)
        )
        about = {
            "index": index,
            "key": np.array([f"{at}.jpg" for at in index]),
            "extent": np.full((len(index), 2), 9, np.int32),
            "checksum": index.astype(np.uint32),
            "ok": np.ones(len(index), np.bool_),
        }
        run.write(shard, {**about, **pack([one] * len(index))})


@contextmanager
def copied(whole: Path, name: str) -> Iterator[Path]:
    """A copy of a run, in a folder where nothing else may appear."""
    place = whole / "sandbox"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole / name, place / "run")
    yield place / "run"
    assert [path.name for path in place.iterdir()] == ["run"]


def numbers(path: Path) -> Any:
    """All that a command reads from a run, down to its metrics; the metrics."""
    assert find_runs([path]) == [path]
    run = load_run(path)
    assert store.of_run(path).run.identity == run.identity
    run.shards.missing()
    read_metrics(run)
    server.answers(run)
    if isinstance(run.identity, ImagenetIdentity):
        metrics = score_classifier(run)
        encode(metrics)
        return run.identity.classes, metrics.top1, metrics.top5, metrics.bad, metrics.pixels
    return [
        (arrays["key"].tolist(), arrays["extent"].tolist(), [len(image) for image in images])
        for arrays, images in shards(run.shards)
    ]


def well_told(error: CspbenchError) -> None:
    """What, where and what to do, on one line that can be printed."""
    assert error.exit_code in (2, 3, 4)
    assert error.code in CODES
    assert error.what
    assert error.remedy
    assert error.where or error.exit_code == 2
    assert len(str(error)) < 2000
    assert "\n" not in str(error)
    str(error).encode()


def obeys(path: Path, expected: Any) -> None:
    """The right numbers or an error with all its parts, without much memory."""
    tracemalloc.start()
    try:
        result = numbers(path)
    except CspbenchError as error:
        well_told(error)
    else:
        assert result == expected
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100e6
