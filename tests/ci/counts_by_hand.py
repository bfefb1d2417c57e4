"""Results by hand: counts of two rows that the published tables have, and an evaluation that has not ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import structs
from result_files import classifier, network_of, put

from cspbench.results.counts import CountedCell, CountedRow, Counts
from cspbench.results.encoding import encode
from cspbench.results.schema import Session

WHO = Session(["cspbench", "params"], "0.1.0")


def rows() -> list[CountedRow]:
    """DarkNet-53 of imagenet-big, whose counts are claimed, and a detector's of a table that prints only AP."""
    return [
        CountedRow(
            "darknet53",
            CountedCell("weights", 41_573_216, "41.57M", "M", "printed"),
            CountedCell("conv+maxpool", 18_570_231_808, "18.57", "G", "darknet"),
            table="imagenet-big",
            id="darknet-53",
            row="DarkNet-53",
            size=(256, 256),
            network=network_of("darknet53")[0],
            definition="cfg",
        ),
        CountedRow(
            "csresnext50-panet-spp-sam",
            CountedCell("weights", 58_229_696, "-", "M", "printed"),
            CountedCell("conv+maxpool", 72_941_961_216, "-", "G", "darknet"),
            table="coco-headline",
            id="cspresnext50-panet-spp-sam-512",
            row="CSPResNeXt50-PANet-SPP(SAM)",
            size=(512, 512),
            network=network_of("csresnext50-panet-spp-sam", 512)[0],
            definition="cfg",
        ),
    ]


def with_cell(metric: str, row: int = 0, **changes: Any) -> list[CountedRow]:
    """Those rows with something else in one cell."""
    every = rows()
    every[row] = structs.replace(every[row], **{metric: structs.replace(getattr(every[row], metric), **changes)})
    return every


def document(*lines: CountedRow) -> bytes:
    """A params.json of those rows, of `rows()` if none are given."""
    return encode(Counts(session=WHO, rows=list(lines) or rows()))


def write(folder: Path, *lines: CountedRow) -> Path:
    """Write a results directory of those rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.json").write_bytes(document(*lines))
    return folder


def unfinished_run(folder: Path, **changes: Any) -> Path:
    """Write the directory of an evaluation of CSPDarkNet-53 that has not ended; `changes` are of its identity."""
    return put(folder, classifier("csdarknet53", finished=False, **changes))
