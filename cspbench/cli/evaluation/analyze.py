"""`cspbench analyze`: what each type of error costs a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import command, place_of_data
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.analysis.analyze import Analysis


def analyze(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A detector's run, a folder with one, or a file of detections with --data."),
    ],
    nms: options.NmsOption = None,
    conf: options.ConfOption = None,
    data: options.DataOption = None,
    split: options.SplitOption = None,
    names: options.NamesOption = None,
    draw: options.DrawOption = None,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    form: options.FormatOption = Format.MD,
) -> None:
    """Show what each type of error costs a detector.

    As TIDE does, without the network. dAP is what AP50 gains with one type corrected: wrong class, loose box, both,
    duplicate, background, missed object; for all objects and by size, for each class, and with the classes that are
    most often taken for others. It is stored with the run's metrics, and reports show it.

    --conf is the score from which detections are counted in the confusion matrix, by default 0.25; the errors are those
    of all scores. --out takes figures of both and the matrix as CSV, and the images that --draw names.
    """
    from cspbench.evaluation.analysis.analyze import analyze as analysed
    from cspbench.evaluation.execution import Execution
    from cspbench.report.analysis.table import blocks, text

    if run.is_file():
        data = place_of_data(None, data, options.COCO)
        if draw is not None and out is None:
            raise UsageError(
                "usage.draw-without-out", "a file of detections has no folder for images", remedy="Name one with --out"
            )
    if out is not None and not force:
        _check_empty(out)
    about = {"nms": nms, "conf": conf, "data": data, "split": split, "names": names}
    analysis = analysed(run, **about, execution=Execution(command=command()), listener=terminal())  # type: ignore[arg-type]
    if form is Format.JSON:
        where = {"file": str(run)} if analysis.run is None else {"run": str(analysis.run.path)}
        print_json({"model": analysis.name, **where, **analysis.record.as_json()})
    elif form is Format.RICH:
        print_blocks(blocks(analysis.name, analysis.record), Style(form))
    else:
        typer.echo(text(analysis.name, analysis.record, form.value), nl=False)
    _draw(analysis, draw, out)


def _check_empty(out: Path) -> None:
    """Raise `UsageError` for a folder with files, which figures or images could replace."""
    existing = next(out.iterdir(), None) if out.is_dir() else None
    if existing is not None:
        raise UsageError(
            "usage.folder-not-empty",
            "the folder of --out is not empty",
            where=str(out),
            expected="an empty folder, or none",
            found=existing.name,
            remedy="Choose another --out, or say --force",
        )


def _draw(analysis: Analysis, draw: str | None, out: Path | None) -> None:
    """Write the figures and the pictures that the options name."""
    from cspbench.data.decode import decoder_named
    from cspbench.io import own_folder
    from cspbench.plots.analysis import write_figures
    from cspbench.plots.detections import LEAST
    from cspbench.plots.samples import draw_samples

    run, source = analysis.run, analysis.source
    if draw is not None:
        if source.folder is None:
            raise UsageError(
                "usage.draw-without-images",
                "the images are not there",
                where=str(source.annotations.path),
                expected="the data set with its images",
                remedy="Name it with --data, or leave out --draw",
            )
        folder = out or own_folder(run.path, "pictures")  # type: ignore[union-attr]
        decoder = decoder_named("opencv" if run is None else run.identity.preset["decoder"])
        files = draw_samples(source, analysis.detections, draw, folder, decoder)
        terminal().note(f"drew {len(files)} images in {folder}: scores from {LEAST}")
    if out is not None:
        written = write_figures(analysis.name, analysis.record, out)
        terminal().note(f"wrote {', '.join(path.name for path in written)} in {out}")
