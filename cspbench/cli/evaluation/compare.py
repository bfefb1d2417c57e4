"""`cspbench compare`: two runs, or two files of detections, on the same images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import place_of_data
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, format_of, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv

if TYPE_CHECKING:
    from cspbench.evaluation.compare import ClassifierComparison, DetectorComparison, FileComparison


COMPARED = (
    *(Column(""), Column("A", kind="number"), Column("B", kind="number"), Column("B - A", kind="number")),
    *(Column("95 % interval", kind="number"), Column("p", kind="number")),
)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run, a folder with one, or a file of detections.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="What A is compared with, of the same kind.")],
    nms: options.NmsOption = None,
    data: options.DataOption = None,
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Compare two runs on the same images.

    Classifiers by McNemar's test, detectors by a paired bootstrap of AP. Detectors are compared at one NMS threshold,
    by default that of each run's preset. Two files of detections (COCO's result format) are compared as they are, on
    --data.
    """
    from cspbench.evaluation.compare import compare as compared

    if first.is_file():
        data = place_of_data(None, data, options.COCO)
    comparison = compared(first, second, nms=nms, data=data, listener=terminal())
    print_comparison(comparison, format_of(form, as_json))


def print_comparison(comparison: ClassifierComparison | DetectorComparison | FileComparison, form: Format) -> None:
    """Print a comparison in any format."""
    from cspbench.evaluation.compare import ClassifierComparison

    if isinstance(comparison, ClassifierComparison):
        _classifiers(comparison, form)
    else:
        _detectors(comparison, form)


def _classifiers(comparison: ClassifierComparison, form: Format) -> None:
    shared = comparison.shared
    if form is Format.JSON:
        print_json(
            {
                "runs": [str(run.path) for run in comparison.runs],
                "models": [run.identity.model for run in comparison.runs],
                "top1": [accuracy.as_json() for accuracy in comparison.top1],
                "top5": [accuracy.as_json() for accuracy in comparison.top5],
                **asdict(shared),
                "p": shared.p,
                "changed": comparison.changed,
                "right": dict(comparison.right),
            }
        )
        return
    rows = [
        [label, name, f"{float(top1.percent):.3f}", f"{float(top5.percent):.3f}"]
        for label, name, top1, top5 in zip("AB", comparison.labels, comparison.top1, comparison.top5, strict=True)
    ]
    if form is Format.CSV:
        typer.echo(flat_csv(("run", "model", "top1", "top5"), rows), nl=False)
        return
    columns = Column("Run"), Column("Model"), Column("Top-1", kind="number"), Column("Top-5", kind="number")
    counts = f"both right {shared.both}, only A {shared.only_first}, only B {shared.only_second}"
    flipped = [f"flipped: {key}, right in {which}" for key, which in comparison.right.items()]
    test = f"{counts}, neither {shared.neither}; McNemar p = {shared.p:.4g}"
    changed = f"another top-1 class on {comparison.changed} of {comparison.top1[0].total} images"
    text = "\n".join([f"{test}; {changed}", *flipped])
    print_blocks([Table(columns, rows), Paragraph(text)], Style(form))


def _detectors(comparison: DetectorComparison | FileComparison, form: Format) -> None:
    from cspbench.evaluation.compare import DetectorComparison

    stats = [measured.percent() for measured in comparison.measured]
    if form is Format.JSON:
        differences = comparison.differences.items()
        sides = (
            {"runs": [str(run.path) for run in comparison.runs], "nms": list(comparison.nms)}
            if isinstance(comparison, DetectorComparison)
            else {"files": [str(result.file) for result in comparison.files]}
        )
        print_json(
            {
                **sides,
                "ap": [measured.as_json() for measured in comparison.measured],
                "difference": {name: difference and difference.as_json() for name, difference in differences},
            }
        )
        return
    known = {name: each for name, each in comparison.differences.items() if each is not None}
    if form is Format.CSV:
        header = ("metric", "a", "b", "delta", "delta_low", "delta_high", "p")
        flat = [
            [name, *(percents[name] for percents in stats), each.delta, *each.interval, each.p]
            for name, each in known.items()
        ]
        typer.echo(flat_csv(header, flat), nl=False)
        return
    rows = [
        [
            name.upper(),
            *(f"{percents[name]:.3f}" for percents in stats),
            f"{each.delta:+.3f}",
            f"[{each.interval[0]:+.3f}, {each.interval[1]:+.3f}]",
            f"{each.p:.3g}",
        ]
        for name, each in known.items()
    ]
    blocks: list[Block] = [Table(COMPARED, rows)]
    if form is not Format.LATEX:
        named = list(comparison.labels)
        if isinstance(comparison, DetectorComparison):
            named = [f"{label} NMS {nms:g}" for label, nms in zip(named, comparison.nms, strict=True)]
            images = comparison.runs[0].samples
        else:
            images = len(comparison.files[0].source)
        blocks.insert(0, Paragraph(f"A: {named[0]}, B: {named[1]}; paired bootstrap over {images} images"))
    print_blocks(blocks, Style(form))
