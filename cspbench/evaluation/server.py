"""COCO's evaluation server and runs on a test split: the zip for it, and its answers, stored in the run.

    RUN/server.json     a list: threshold, kind of NMS, the numbers, the answer's file and sha256, the zip, the time

Later scores read them again, since a test split has no annotations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from cspbench.data.detection_presets import PRESETS
from cspbench.detection.coco_server import LARGEST, import_server, submission_path, write_submission
from cspbench.detection.collect import AtThreshold
from cspbench.errors import CspbenchError, UsageError, brief
from cspbench.evaluation.execution import Listener
from cspbench.evaluation.scoring import ScoringOptions
from cspbench.io import read_file, write_bytes
from cspbench.lock import exclusive
from cspbench.results import sessions
from cspbench.results.encoding import encode
from cspbench.results.runs import PATIENCE, RunDirectory
from cspbench.results.schema import CocoIdentity, DetectionMetrics, Threshold, check_percentages

LARGEST_RECORD = 1 << 22
"""Bytes of a server.json; an answer has less than 1 kB."""


class AnswerFile(Struct, frozen=True):
    """The file of an answer."""

    name: str
    sha256: str


class Answer(Struct, frozen=True):
    """The server's numbers for the zip of one threshold, in percent."""

    nms: float
    kind: str
    ap: dict[str, Decimal | None]
    answer: AnswerFile
    submission: str
    when: str

    def __post_init__(self) -> None:
        check_percentages(self.ap)
        if "ap" not in self.ap:
            raise ValueError("no AP")


def kind_of(run: RunDirectory, nms_kind: str) -> str:
    """The kind of NMS that is used; `cfg` means the network's own."""
    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    if identity.quoted:
        return str(identity.preset["nms_kind"])
    return identity.last.nms_kind if nms_kind == "cfg" else nms_kind


def submission_name(run: RunDirectory, nms_kind: str, nms: float) -> str:
    """The name of a run's detections at one threshold, for the server's leaderboard and the zip."""
    identity, settings = run.identity, run.record.settings
    assert isinstance(identity, CocoIdentity)
    assert settings is not None
    name = f"{identity.model.replace('/', '-')}-nms{nms:g}"
    usual = identity.quoted or (settings.name in PRESETS and nms_kind == PRESETS[settings.name].nms_kind)
    return name if usual else f"{name}-{nms_kind}"


def submit(run: RunDirectory, nms_kind: str, at: Sequence[AtThreshold], listener: Listener) -> list[str] | None:
    """Write the server's zip for every threshold; None, without a file, unless the run is of a whole test split.

    A run that cannot be written keeps the zips it has, which is said: its numbers can still be read.
    """
    split = run.identity.data.split or ""
    if run.record.partial or not split.startswith("test"):
        listener.note(
            "the data set has no ground truth and is not a whole test split: no AP and no zip for the server; "
            "--save-json writes the detections"
        )
        return None
    files = []
    for entry in at:
        with listener.progress("writing the zip", len(entry.detections.scores)) as reach:
            name = submission_name(run, nms_kind, entry.nms)
            try:
                file = write_submission(entry.detections, name, run.path, split, reach)
            except CspbenchError as error:
                if error.code != "disk.write-failed":
                    raise
                listener.note(
                    f"warning: no new zip for the server: {error}; --save-json writes the detections elsewhere"
                )
                continue
        files.append(str(file))
        listener.note(f"wrote {file}; awaiting-server")
    return files


def import_answer(run: RunDirectory, options: ScoringOptions, file: Path) -> DetectionMetrics:
    """Store the server's answer for the zip of one threshold; the metrics of a run on a test split with its numbers.

    Raises `UsageError` for any other run, or where no zip was written for that threshold.
    """
    split = run.identity.data.split or ""
    if not split.startswith("test") or run.record.partial or not run.shards.complete:
        raise UsageError(
            "usage.server-split",
            "the server's numbers are of a whole test split",
            where=str(run.path),
            expected="a complete run on test-dev2017",
            found=f"a run on {split}",
            remedy="Name the run whose zip the server was given",
        )
    if len(options.thresholds) != 1:
        raise UsageError(
            "usage.server-threshold",
            "the server's numbers are of one threshold",
            expected="one --nms",
            found=str(len(options.thresholds)),
            remedy="Say with --nms which zip the server was given",
        )
    (nms,) = options.thresholds
    zipped = submission_path(submission_name(run, options.nms_kind, nms), run.path, split)
    if not zipped.is_file():
        zips = ", ".join(sorted(path.name for path in run.path.glob("detections_*.zip"))[:4])
        raise UsageError(
            "usage.server-zip",
            f"no zip was written at NMS {nms:g}",
            where=str(run.path),
            expected=zipped.name,
            found=brief(zips, 200) or "none",
            remedy="Say with --nms, and --nms-kind, which zip the server was given, or write it: cspbench score RUN",
        )
    answer = Answer(
        nms=nms,
        kind=kind_of(run, options.nms_kind),
        ap=import_server(file),
        answer=AnswerFile(file.name, hashlib.sha256(read_file(file, LARGEST)).hexdigest()),
        submission=zipped.name,
        when=sessions.now(),
    )
    with exclusive(run.path / ".metrics.lock", wait=PATIENCE):
        stored = answers(run)
        stored.pop((nms, answer.kind), None)
        write_bytes(run.path / "server.json", encode([*stored.values(), answer]))
    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    return DetectionMetrics(
        identity=identity, images=run.samples, bad=[], thresholds=[threshold(answer, options.nms_kind)]
    )


def answers(run: RunDirectory) -> dict[tuple[float, str], Answer]:
    """The answers in a run's server.json, by threshold and kind of NMS; empty without the file.

    Raises `UsageError` for a file that cannot be read, since its answers would be lost.
    """
    path = run.path / "server.json"
    if not path.exists():
        return {}
    try:
        records = msgspec.json.decode(read_file(path, LARGEST_RECORD), type=list[Answer])
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            "usage.server-answers",
            "the server's answers cannot be read",
            where=str(path),
            expected="what `cspbench score --import-server` wrote",
            found=brief(str(error) or "nested too deeply", 120),
            remedy="Remove it and import the answers again",
        ) from error
    return {(record.nms, record.kind): record for record in records}


def threshold(answer: Answer, nms_kind: str) -> Threshold:
    """The entry for a run's metrics with the server's numbers."""
    return Threshold(
        nms=answer.nms,
        kind=answer.kind,
        asked=nms_kind,
        scoring=sessions.scoring(),
        engine="server",
        ap=answer.ap,
        server={"answer": msgspec.to_builtins(answer.answer), "submission": answer.submission, "when": answer.when},
    )
