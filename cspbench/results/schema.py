"""The records in result files: typed, versioned, and checked when they are read.

    RUN/run.json                   Run: its identity, and every session that made a part of it
    RUN/metrics.json               ClassificationMetrics or DetectionMetrics: numbers, and who computed them
    RESULTS/params.json            `cspbench.results.counts.Counts`
    RESULTS/evaluations/NAME.json  Evaluation: a run's record and its metrics

Numbers are stored at full precision: integers, or decimals as JSON numbers. Verdicts are never stored; they follow from
a claim and a measurement (`cspbench.claims.verdict.judge`).
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from cspbench.claims.metrics import ACCURACIES, COCO
from cspbench.claims.numbers import bounded
from cspbench.data.coco.source import SPLITS
from cspbench.results.analysis_record import AnalysisRecord
from cspbench.results.encoding import SCHEMA
from cspbench.results.map_record import MapRecord

MOST = 100_000_000
"""The largest number of samples or images."""

Count = Annotated[int, Meta(ge=0, le=MOST)]
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Share = Annotated[float, Meta(ge=0, le=1)]
Size = tuple[Positive, Positive]
"""Height, width in pixels."""
Precision = Literal["fp32", "bf16", "fp16"]


class Session(Struct, frozen=True, omit_defaults=True):
    """One process tree that made predictions or counts."""

    command: list[str]
    cspbench: str
    commit: str | None = None
    when: str = ""
    """UTC, "2026-11-29T13:35:50Z"; the clock may be wrong, so it serves only to sort runs."""
    python: str = ""
    platform: str = ""
    packages: dict[str, str | None] = field(default_factory=dict)
    device: str | None = None

    def __post_init__(self) -> None:
        if self.when and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", self.when, re.ASCII):
            raise ValueError("when is not a time like 2026-11-29T13:35:50Z")


class Scoring(Struct, frozen=True, omit_defaults=True):
    """The program that computed a number from predictions; `Scored` in run.json has time and command."""

    cspbench: str
    commit: str | None = None


class Scored(Struct, frozen=True, omit_defaults=True):
    """One scoring of a run, and the numbers that it wrote ("0.45 default")."""

    command: list[str]
    cspbench: str
    commit: str | None = None
    when: str = ""
    numbers: list[str] = field(default_factory=list)


class Data(Struct, frozen=True, omit_defaults=True):
    """The images of a run, without paths. `images` is the size of the set; `limit` of them were drawn with `seed`."""

    kind: str
    images: Count
    sha256: str | None = None
    split: str | None = None
    labels: str | None = None
    annotations: str | None = None
    objects: Count | None = None
    name: str | None = None
    top: Positive | None = None
    """The number of guesses that a data set in Darknet's form asks for, if it is not 1."""
    limit: Positive | None = None
    seed: Annotated[int, Meta(ge=0, le=2**62)] | None = None

    @property
    def samples(self) -> int:
        """The number of evaluated images."""
        return self.images if self.limit is None else self.limit


class Weights(Struct, frozen=True, omit_defaults=True):
    """A network's weights: `arrays` is their digest, `file` the sha256 of the weight file."""

    arrays: str
    file: str | None = None
    origin: Literal["published", "file", "retrained"] = "file"


class _Identity(Struct, frozen=True, omit_defaults=True):
    # The names of run directories depend on the order of the fields.
    model: str
    network: str
    """The definition's digest (`cspbench.network.network.digest`)."""
    weights: str
    """The digest of the arrays."""
    data: Data
    preset: dict[str, Any]
    """The fields of the preset, of a classifier's with its name."""
    size: Size
    precision: Precision


class ImagenetIdentity(_Identity, frozen=True, omit_defaults=True, tag_field="task", tag="imagenet"):
    """Everything that changes a classifier's predictions; two runs of one identity are one run."""

    classes: str
    """The order in which the network numbers the classes."""
    user_file: bool
    """Whether the network is a user's cfg file, which may have a catalogue model's name."""

    def __post_init__(self) -> None:
        if not isinstance(self.preset.get("name"), str):
            raise ValueError("the preset has no name")


class LastLayer(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What NMS needs to know about a network's last box layer."""

    classes: Positive
    nms_kind: str
    beta_nms: Annotated[float, Meta(ge=-1e9, le=1e9)]


class CocoIdentity(_Identity, frozen=True, omit_defaults=True, tag_field="task", tag="coco"):
    """Everything that changes a detector's candidates. NMS comes later and is not part of it.

    A `quoted` detector's NMS belongs to its protocol and cannot be chosen, so its whole protocol is the preset.
    """

    quoted: bool
    user_file: bool
    last: LastLayer

    def __post_init__(self) -> None:
        if self.data.split is not None and self.data.split not in SPLITS:  # files are named after split and model
            raise ValueError(f"split {self.data.split!r:.60}")
        if "\0" in self.model:
            raise ValueError("a model with a zero byte in its name")
        if self.quoted and not isinstance(self.preset.get("nms_kind"), str):
            raise ValueError("a protocol without a kind of NMS")


Identity = ImagenetIdentity | CocoIdentity


class DetectionSettings(Struct, frozen=True):
    """The preset that a detector's run was asked for, with its NMS."""

    name: str
    conf: Share
    nms: Share
    nms_kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    """Every other field of the preset."""
    names: list[str] | None = None
    """The names of the network's classes, where they are known; scores need them, the candidates do not."""


class Run(Struct, frozen=True, kw_only=True):
    """run.json."""

    schema: int = SCHEMA
    samples: Positive
    shard: Positive
    """Samples per shard."""
    identity: Identity
    sessions: list[Session]
    """Those that made a part of the predictions, oldest first."""
    weights: Weights
    place: str | None = None
    """The path of a detector's data; left out of what is published."""
    files: str | None = None
    """A fingerprint of the image files' paths, sizes and times."""
    settings: DetectionSettings | None = None
    """Of a detector."""
    scored: list[Scored] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.samples != self.identity.data.samples:
            raise ValueError(f"{self.samples} samples of {self.identity.data.samples} images")
        if not self.sessions:
            raise ValueError("no sessions")
        if isinstance(self.identity, CocoIdentity) and self.settings is None:
            raise ValueError("a detector's run without settings")

    @property
    def partial(self) -> bool:
        """Whether it covers only a part of the data."""
        return self.identity.data.limit is not None


class Hits(Struct, frozen=True):
    """Correct predictions among `total` images."""

    correct: Count
    total: Positive

    def __post_init__(self) -> None:
        if self.correct > self.total:
            raise ValueError(f"{self.correct} correct of {self.total}")


class ClassOrder(Struct, frozen=True):
    """The probe of the class order: its verdict, hits by order, and both in words."""

    verdict: str
    hits: dict[str, int]
    words: str


class ClassificationMetrics(Struct, frozen=True, kw_only=True, tag_field="task", tag="imagenet"):
    """metrics.json of a classifier; one program writes the same bytes for the same predictions."""

    schema: int = SCHEMA
    identity: ImagenetIdentity
    images: Positive
    top1: Hits
    top5: Hits
    top: list[Hits] = field(default_factory=list)
    """Top-1, top-2, ... up to top-5."""
    bad: list[str]
    """Keys of the images that could not be read."""
    pixels: str
    """Digest of the image files' checksums, in the order of the samples."""
    class_order: ClassOrder
    scoring: Scoring

    def __post_init__(self) -> None:
        for name in ACCURACIES:
            if getattr(self, name).total != self.images:
                raise ValueError(f"{name} of {getattr(self, name).total} images, the run has {self.images}")


class Threshold(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A detector's numbers at one NMS threshold, in percent; None where the ground truth has nothing of that kind."""

    nms: Share
    kind: str
    """The kind of NMS that was used."""
    asked: str
    """The kind that was asked for, or `cfg`."""
    scoring: Scoring
    engine: str | None = None
    """cspbench, pycocotools, `server`; None while the server has not answered."""
    ap: dict[str, Decimal | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float] | None] | None = None
    per_class: dict[str, dict[str, Decimal | None]] | None = None
    detections: Count | None = None
    server: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for numbers in (self.ap, *(self.per_class or {}).values()):
            check_percentages(numbers)
        for bounds in (self.intervals or {}).values():
            if bounds is not None and not all(math.isfinite(bound) for bound in bounds):
                raise ValueError("an interval that is not finite")


class DetectionMetrics(Struct, frozen=True, kw_only=True, tag_field="task", tag="coco"):
    """metrics.json of a detector: every threshold at which its candidates were scored."""

    schema: int = SCHEMA
    identity: CocoIdentity
    images: Positive
    bad: list[str]
    thresholds: list[Threshold]
    pixels: str | None = None
    """None where the numbers are the server's."""
    submissions: list[str] | None = None
    darknet_map: MapRecord | None = None
    analysis: AnalysisRecord | None = None

    def __post_init__(self) -> None:
        if self.images != self.identity.data.samples:
            raise ValueError(f"metrics of {self.images} images, the run has {self.identity.data.samples}")

    @property
    def awaits_server(self) -> bool:
        """Whether the test server has not answered for every threshold."""
        return self.submissions is not None and any(not threshold.ap for threshold in self.thresholds)


Metrics = ClassificationMetrics | DetectionMetrics


class Evaluation(Struct, frozen=True, kw_only=True):
    """A run in a results folder: its record without paths, and its metrics."""

    schema: int = SCHEMA
    run: Run
    metrics: Metrics

    def __post_init__(self) -> None:
        if self.metrics.identity != self.run.identity:
            raise ValueError("metrics of another run")


def check_percentages(numbers: dict[str, Decimal | None]) -> None:
    """Raise `ValueError` unless every name is a COCO metric and every number a percentage of bounded length."""
    for name, value in numbers.items():
        if name not in COCO:
            raise ValueError(f"unknown COCO metric {name!r:.40}")
        if value is not None and not (bounded(value) and 0 <= value <= 100):
            raise ValueError(f"{name} is not a percentage")
