"""The files that eval-coco and score write beside a run's metrics: the server's zip, detections, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cspbench.cli.coco_asked import Asked

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.evaluation.coco import Thresholded
    from cspbench.inference.run import Run


def submission(run: Run, asked: Asked, nms: float) -> str:
    """The name, on the server's leaderboard and in its zip, of what a run detects at one threshold."""
    from cspbench.data.detection_presets import PRESETS

    name = f"{run.identity['model'].replace('/', '-')}-nms{nms:g}"
    kind = asked.preset.nms_kind
    return name if run.identity["quoted"] or kind == PRESETS[asked.preset.name].nms_kind else f"{name}-{kind}"


def submit(run: Run, asked: Asked, found: list[Thresholded]) -> list[str] | None:
    """Write the server's zip at every threshold; None, and nothing, for what is no whole test split."""
    from cspbench.cli.progress import Progress
    from cspbench.detection.coco_server import write_submission

    split = str(run.identity["data"]["split"])
    if asked.partial or not split.startswith("test"):
        typer.echo(
            "cspbench: there is no ground truth, and this is no whole test split: no AP and no zip for the server; "
            "--save-json writes the detections",
            err=True,
        )
        return None
    files = []
    for each in found:
        with Progress("writing the zip", len(each.detections.scores)) as progress:
            name = submission(run, asked, each.nms)
            files.append(str(write_submission(each.detections, name, run.path, split, progress.reach)))
        typer.echo(f"cspbench: wrote {files[-1]}; awaiting-server", err=True)
    return files


def pictures(source: CocoSource, asked: Asked, found: list[Thresholded]) -> None:
    """Write what was asked for besides the numbers, and say what."""
    if asked.save_json is not None:
        from cspbench.detection.detections import write

        write(found[0].detections, asked.save_json)
        typer.echo(f"cspbench: wrote {asked.save_json}, NMS {found[0].nms:g}", err=True)
    if asked.draw is not None:
        from cspbench.plots.detections import LEAST
        from cspbench.plots.samples import draw_samples

        files = draw_samples(source, found[0].detections, *asked.draw)
        kept = f"scores from {LEAST}, NMS {found[0].nms:g}"
        typer.echo(f"cspbench: drew {len(files)} images in {asked.draw[1]}: {kept}", err=True)
    if asked.plots is not None:
        from cspbench.plots import detections as plots

        written = []
        curves = {f"NMS {each.nms:g}": each.measured for each in found if each.measured}
        if curves:
            first = next(iter(curves.values()))
            written += [asked.plots / "precision-recall.png", asked.plots / "ap-by-size.png"]
            plots.curves(first, written[0])
            plots.sizes(curves, written[1])
        if len(curves) > 1:
            lines = {
                label: {each.nms: float(each.measured.percent()[name] or 0) for each in found if each.measured}
                for name, label in (("ap", "AP"), ("ap50", "AP50"), ("ap75", "AP75"))
            }
            written.append(asked.plots / "ap-over-nms.png")
            plots.thresholds(lines, written[-1])
        what = ", ".join(path.name for path in written) or "nothing: there is no ground truth"
        typer.echo(f"cspbench: plotted in {asked.plots}: {what}", err=True)
