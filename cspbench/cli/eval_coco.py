"""`cspbench eval-coco`: Darknet's boxes, Darknet's suppression, COCO's AP."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli import evaluating as shared
from cspbench.cli.options import Format, FormatOption, SizeOption, parse_size
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.data.detection_presets import DetectionPreset
    from cspbench.evaluate.coco import Collected, Thresholded
    from cspbench.evaluate.run import Run
    from cspbench.network.network import Network

DATA = "CSPBENCH_COCO"

NmsOption = Annotated[
    str | None,
    typer.Option("--nms", "--iou-thres", help="NMS threshold, or several with commas; the preset's own if absent."),
]
KindOption = Annotated[str | None, typer.Option("--nms-kind", help="default, greedy or diou.")]
EngineOption = Annotated[str, typer.Option("--engine", help="cspbench, pycocotools or faster-coco-eval.")]
BootstrapOption = Annotated[bool, typer.Option("--bootstrap", help="95 % intervals over images.")]
ClassOption = Annotated[bool, typer.Option("--per-class", help="AP of every class, too.")]
JsonOption = Annotated[Path | None, typer.Option("--save-json", help="Write the detections as Darknet's JSON here.")]


def eval_coco(
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA]", help=f"Folder of a COCO data set; ${DATA} if absent.")
    ] = None,
    models: shared.ModelsOption = None,
    cfg: shared.CfgOption = None,
    weights: shared.WeightsOption = None,
    preset: Annotated[str, typer.Option("--preset", help="readme, head, letterbox or pjreddie.")] = "readme",
    nms: NmsOption = None,
    nms_kind: KindOption = None,
    conf: Annotated[float | None, typer.Option("--conf", "--conf-thres", help="Score threshold.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="val2017, val2014-5k, test-dev2017 or custom; asserted.")
    ] = None,
    engine: EngineOption = "cspbench",
    bootstrap: BootstrapOption = False,
    per_class: ClassOption = False,
    draw: Annotated[
        tuple[int, Path] | None, typer.Option("--draw", metavar="N DIR", help="Draw N images with their boxes in DIR.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", metavar="DIR", help="Plot precision over recall, sizes, the NMS sweep.")
    ] = None,
    save_json: JsonOption = None,
    batch: shared.BatchOption = "auto",
    workers: shared.WorkersOption = "auto",
    device: shared.DeviceOption = None,
    precision: shared.PrecisionOption = "fp32",
    compiled: shared.CompileOption = False,
    size: SizeOption = None,
    limit: shared.LimitOption = None,
    run: shared.RunOption = Path("runs"),
    fresh: shared.FreshOption = False,
    allow_bad: shared.BadOption = 0,
    channels_last: shared.LastOption = True,
    form: FormatOption = Format.MD,
) -> None:
    """Evaluate detectors as Darknet did and hold AP, AP50, AP75, APS, APM and APL against the claims.

    One forward pass serves every NMS threshold. Splits never mix: a claim on test-dev is not compared with a number
    measured on val2017. Exit code 1: an AP is off; 4: images could not be read, or the server must answer first.
    """
    from cspbench.data.coco import open_coco
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluate.coco import TABLES, limited, parse_thresholds
    from cspbench.evaluate.imagenet import limit_of

    options = shared.Options(batch, workers, device, precision, compiled, run, fresh)
    own = detection_preset(preset).overridden(conf=conf, nms_kind=nms_kind)
    thresholds = parse_thresholds(nms, own)
    place = data or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)
    if place is None:
        raise UsageError(
            "no images to evaluate on",
            expected=f"DATA or ${DATA}",
            remedy=f"Give COCO's folder (annotations/ and val2017/): cspbench eval-coco /data/coco, or set ${DATA}",
        )
    pixels = parse_size(size)
    found, without = shared.chosen(models or [], cfg, weights, TABLES, detectors=True)
    if not found:
        raise shared.nothing(without, "csresnext50-panet-spp")
    source = open_coco(place, split)
    partial = limit is not None
    if limit is not None:
        source = limited(source, limit_of(limit, len(source)))
    asked = Asked(own, thresholds, engine, bootstrap, per_class, save_json, draw, plots, partial)
    kept = {"place": str(place.resolve()), "split": split, "limit": len(source) if partial else None}
    results = []
    for name, network, file in found:
        for shape in [pixels] if pixels else _sizes(name):
            ready = network.resized(*shape) if shape else network
            results.append(_one(name, ready, file, source, asked, options, kept))
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):
        finish(finished, without, form, allow_bad)


@dataclass(frozen=True)
class Asked:
    """What is to be computed from a run's candidates."""

    preset: DetectionPreset
    thresholds: list[float]
    engine: str = "cspbench"
    bootstrap: bool = False
    per_class: bool = False
    save_json: Path | None = None
    draw: tuple[int, Path] | None = None
    plots: Path | None = None
    partial: bool = False


def _sizes(model: str) -> list[tuple[int, int] | None]:
    """The input sizes that the published rows of a model have; [None], the network's own, without any."""
    from cspbench import tables
    from cspbench.evaluate.coco import TABLES
    from cspbench.zoo.catalogue import row_model

    sizes = {row.size for table in TABLES for row in tables.load(table).rows if row_model(table, row.id).model == model}
    return [*sorted(size for size in sizes if size)] or [None]


def _one(
    name: str,
    network: Network,
    file: Path,
    source: CocoSource,
    asked: Asked,
    options: shared.Options,
    kept: dict[str, Any],
) -> dict[str, Any] | None:
    """Evaluate one detector; its result, or None in a process that only helped."""
    from cspbench.evaluate import coco, detection, imagenet
    from cspbench.network.layers import Detection
    from cspbench.weights.opening import open_weights

    heads = [layer for layer in network.layers if isinstance(layer, Detection)]
    coco.category_ids(source, heads[-1].classes)
    weights = open_weights(file, network)
    identity = coco.identity(name, network, weights.sha256, source, asked.preset, options.precision)
    path = imagenet.directory(options.root, {**identity, "preset": {"name": asked.preset.name, **identity["preset"]}})
    images = detection.PreparedImages(source, asked.preset, network.input[1:])

    def predict(run: Any, shards: list[int], engine: Any, batch: int, workers: int, progress: Any) -> Any:
        return detection.predict(run, shards, images, engine, network, batch, workers, progress)

    run = shared.made(
        name,
        network,
        weights,
        asked.preset.epsilon,
        identity,
        path,
        len(source),
        options,
        predict,
        preset=asked.preset.as_json(),
        data=kept,
    )
    return None if run is None else result(run, source, asked)


def again(
    run: Run,
    nms: str | None,
    nms_kind: str | None = None,
    engine: str = "cspbench",
    bootstrap: bool = False,
    per_class: bool = False,
    save_json: Path | None = None,
) -> Asked:
    """What to compute from the candidates of a run that is there, by default as when it was made."""
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluate.coco import parse_thresholds
    from cspbench.evaluate.run import record

    kept = record(run.path)
    made = detection_preset(kept["preset"]["name"])
    own = made.overridden(conf=kept["preset"]["conf"], nms_kind=nms_kind or _overridden(kept["preset"], made))
    partial = kept["data"]["limit"] is not None
    return Asked(own, parse_thresholds(nms, own), engine, bootstrap, per_class, save_json, partial=partial)


def _overridden(kept: dict[str, Any], made: DetectionPreset) -> str | None:
    return None if kept["nms_kind"] == made.nms_kind else str(kept["nms_kind"])


def at_thresholds(run: Run, source: CocoSource, asked: Asked) -> tuple[Collected, list[Thresholded]]:
    """A run's detections and their AP at every threshold asked for."""
    from cspbench.evaluate import coco

    last = coco.last_layer(run)
    ids = [image.id for image in source.images]
    numbers = coco.category_ids(source, last.classes)
    collected = coco.collect(run, ids, numbers, asked.thresholds, asked.preset.nms_kind, last)
    return collected, coco.evaluated(collected, asked.thresholds, source.ground_truth, asked.engine)


def result(run: Run, source: CocoSource, asked: Asked) -> dict[str, Any]:
    """AP of a complete run at every threshold asked for, from its candidates; also written to its metrics.json."""
    from cspbench.results import write_json

    collected, found = at_thresholds(run, source, asked)
    split = run.identity["data"]["split"]
    data: dict[str, Any] = {
        "identity": dict(run.identity),
        "preset": asked.preset.name,
        "images": run.samples,
        "bad": list(collected.bad),
        "pixels": collected.pixels,
        "thresholds": [],
    }
    for each in found:
        intervals = _intervals(each) if asked.bootstrap and each.measured else {}
        percent = each.measured.percent() if each.measured else {}
        numbers = each.measured.as_json(asked.per_class) if each.measured else {}
        per_class = numbers.pop("per_class", None)
        data["thresholds"].append(
            {
                "nms": each.nms,
                "kind": _kind(run, asked),
                "detections": len(each.detections.scores),
                "engine": numbers.pop("engine", None),
                "ap": numbers,
                "intervals": intervals or None,
                "per_class": per_class,
                "claims": _claims(run, each.nms, percent, intervals, asked.partial),
            }
        )
    if source.ground_truth is None:
        data["submissions"] = _submit(found, run.identity["model"], split, run.path)
    write_json(run.path / "metrics.json", data)
    _pictures(source, asked, found)
    return {**data, "run": str(run.path)}


def _kind(run: Run, asked: Asked) -> str:
    kind = asked.preset.nms_kind
    return str(run.identity["last"]["nms_kind"]) if kind == "cfg" else kind


def _claims(
    run: Run, nms: float, percent: dict[str, Any], intervals: dict[str, Any], partial: bool
) -> list[dict[str, Any]]:
    """Every published number that this one stands against, with its verdict."""
    from cspbench.evaluate import coco

    size = (run.identity["size"][0], run.identity["size"][1])
    return [
        {
            "table": row.table,
            "row": row.label,
            "id": row.id,
            "metric": metric,
            "published": str(verdict.claim),
            "measured": None if verdict.measured is None else f"{verdict.measured:.3f}",
            "delta": None if verdict.delta is None else f"{verdict.delta:+f}",
            "verdict": str(verdict.word),
            "reason": str(verdict.reason) if verdict.reason else None,
        }
        for row in coco.claims(run.identity["model"], size, nms)
        for metric, verdict in coco.verdicts(row, percent, intervals, run.identity["data"]["split"], partial).items()
    ]


def imported(run: Run, asked: Asked, server: Path) -> dict[str, Any]:
    """A test-split run with the evaluation server's numbers, which are for one threshold."""
    from cspbench.evaluate.coco_server import import_server
    from cspbench.report.verdicts import round_half_up
    from cspbench.results import write_json

    if len(asked.thresholds) != 1:
        raise UsageError(
            "the server's numbers are of one threshold",
            expected="one --nms",
            found=str(len(asked.thresholds)),
            remedy="Say with --nms which zip the server was given",
        )
    percent = import_server(server)
    data = {
        "identity": dict(run.identity),
        "preset": asked.preset.name,
        "images": run.samples,
        "bad": [],
        "thresholds": [
            {
                "nms": asked.thresholds[0],
                "kind": _kind(run, asked),
                "engine": "server",
                "ap": {
                    name: None if value is None else float(round_half_up(value, 4)) for name, value in percent.items()
                },
                "intervals": None,
                "per_class": None,
                "claims": _claims(run, asked.thresholds[0], percent, {}, asked.partial),
            }
        ],
    }
    write_json(run.path / "metrics.json", data)
    return {**data, "run": str(run.path)}


def _intervals(each: Thresholded) -> dict[str, Any]:
    from cspbench.cli.progress import Progress
    from cspbench.evaluate.bootstrap import DRAWS, intervals

    assert each.measured is not None
    if each.measured.matches is None:
        raise UsageError(
            "--bootstrap needs the matches of the engine cspbench",
            expected="--engine cspbench",
            found=each.measured.engine,
            remedy="Leave out --engine: the numbers are the referee's to the last bit",
        )
    with Progress("bootstrap", DRAWS) as progress:
        return dict(intervals(each.measured, step=progress.reach))


def _submit(found: list[Thresholded], model: str, split: str, path: Path) -> list[str]:
    """Write the server's zip at every threshold."""
    from cspbench.evaluate.coco_server import write_submission

    files = []
    for each in found:
        name = f"{model.replace('/', '-')}-nms{each.nms:g}"
        files.append(str(write_submission(each.detections, name, path, split)))
        typer.echo(f"cspbench: wrote {files[-1]}; awaiting-server", err=True)
    return files


def _pictures(source: CocoSource, asked: Asked, found: list[Thresholded]) -> None:
    if asked.save_json is not None:
        from cspbench.evaluate.detections import write

        write(found[0].detections, asked.save_json)
        typer.echo(f"cspbench: wrote {asked.save_json}, NMS {found[0].nms:g}", err=True)
    if asked.draw is not None:
        from cspbench.report.samples import draw_samples

        draw_samples(source, found[0].detections, *asked.draw)
    if asked.plots is not None:
        from cspbench.report import pictures

        curves = {f"NMS {each.nms:g}": each.measured for each in found if each.measured}
        if curves:
            first = next(iter(curves.values()))
            pictures.curves(first, asked.plots / "precision-recall.png")
            pictures.sizes(curves, asked.plots / "ap-by-size.png")
        if len(curves) > 1:
            lines = {
                label: {each.nms: float(each.measured.percent()[name] or 0) for each in found if each.measured}
                for name, label in (("ap", "AP"), ("ap50", "AP50"), ("ap75", "AP75"))
            }
            pictures.thresholds(lines, asked.plots / "ap-over-nms.png")


def finish(results: list[dict[str, Any]], without: list[str], form: Format, allow_bad: int) -> None:
    """Print results and leave with their exit code: 1 an AP is off, 4 unreadable images or a server to wait for."""
    from cspbench.report.precisions import failed, text

    shown = json.dumps(results, indent=1) + "\n" if form is Format.JSON else text(results, without, form.value)
    typer.echo(shown, nl=False)
    for result in results:
        for key in result["bad"]:
            typer.echo(f"cspbench: could not be read, nothing detected: {key}", err=True)
    if any(len(result["bad"]) > allow_bad or "submissions" in result for result in results):
        raise typer.Exit(4)
    if failed(results):
        raise typer.Exit(1)
