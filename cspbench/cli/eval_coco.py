"""`cspbench eval-coco`: Darknet's boxes, Darknet's suppression, COCO's AP."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli import choosing
from cspbench.cli import evaluating as shared
from cspbench.cli.coco_asked import Asked
from cspbench.cli.coco_results import finish, result
from cspbench.cli.options import DecoderOption, Format, FormatOption, SizeOption, parse_size
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.network.network import Network
    from cspbench.zoo.recipe import Recipe

DATA = "CSPBENCH_COCO"

NmsOption = Annotated[
    str | None,
    typer.Option("--nms", "--iou-thres", help="NMS threshold, or several with commas; the preset's own if absent."),
]
KindOption = Annotated[
    str | None, typer.Option("--nms-kind", help="default, greedy (greedynms), diou (diounms), or cfg: as the cfg says.")
]
EngineOption = Annotated[str, typer.Option("--engine", help="cspbench, pycocotools or faster-coco-eval.")]
BootstrapOption = Annotated[
    bool,
    typer.Option(
        "--bootstrap", help="95 % intervals: percentile bootstrap over images, which on few images may lie off-centre."
    ),
]
ClassOption = Annotated[bool, typer.Option("--per-class", help="AP and AR of every class, too.")]
JsonOption = Annotated[Path | None, typer.Option("--save-json", help="Write the detections as Darknet's JSON here.")]


def eval_coco(
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA]", help=f"Folder of a COCO data set; ${DATA} if absent.")
    ] = None,
    models: shared.ModelsOption = None,
    cfg: shared.CfgOption = None,
    weights: shared.WeightsOption = None,
    sample: shared.SampleOption = False,
    preset: Annotated[
        str | None, typer.Option("--preset", help="readme, head, letterbox or pjreddie; readme if absent.")
    ] = None,
    nms: NmsOption = None,
    nms_kind: KindOption = None,
    conf: Annotated[float | None, typer.Option("--conf", "--conf-thres", help="Score threshold.")] = None,
    decoder: DecoderOption = None,
    split: Annotated[
        str | None, typer.Option("--split", help="val2017, val2014-5k, test-dev2017 or custom; asserted.")
    ] = None,
    engine: EngineOption = "cspbench",
    bootstrap: BootstrapOption = False,
    per_class: ClassOption = False,
    draw: Annotated[
        tuple[int, Path] | None,
        typer.Option("--draw", metavar="N DIR", help="Draw N images with their boxes of scores from 0.25 in DIR."),
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

    With nothing configured and nothing named it runs on the bundled sample. One forward pass serves every NMS
    threshold. Splits never mix: a claim on test-dev is not compared with a number measured on val2017. Nor is a number
    made another way than its claim, with another threshold or preset: `other-way`. Exit code 1: an AP is off; 4: images
    could not be read, or the server must answer first.
    """
    from cspbench.data.coco import open_coco
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluation.coco import limited, parse_thresholds
    from cspbench.evaluation.imagenet import limit_of
    from cspbench.results.match import COCO, of_sample

    options = shared.Options(batch, workers, device, precision, compiled, run, fresh)
    own = detection_preset(preset or "readme").overridden(conf=conf, nms_kind=nms_kind, decoder=decoder)
    thresholds = parse_thresholds(nms, own)
    place = data or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)
    of_tables: tuple[str, ...] = COCO
    if sample or not (place or models or cfg or weights or os.environ.get(shared.WEIGHTS)):
        shared.without_data(data)
        place, of_tables = shared.drawn("detection"), of_sample("coco")
        # so few images: without an interval every other machine's rounding would look like a miss
        bootstrap = bootstrap or engine == "cspbench"
    if place is None:
        raise UsageError(
            "usage.no-data",
            "no images to evaluate on",
            expected=f"DATA, ${DATA} or --sample",
            remedy=f"Give COCO's folder (annotations/ and val2017/): cspbench eval-coco /data/coco, or set ${DATA}",
        )
    if not place.exists():
        open_coco(place)  # raises: a mistyped path is told before weights that lack, too
    pixels = parse_size(size)
    found, without = choosing.chosen(models or [], cfg, weights, of_tables, detectors=True)
    if not found:
        raise choosing.nothing(without)
    source = open_coco(place, split)
    part = limit is not None
    if limit is not None:
        source = limited(source, limit_of(limit, len(source)))
    asked = Asked(own, thresholds, engine, bootstrap, per_class, save_json, draw, plots, part)
    kept = {"place": str(place.resolve()), "split": split, "limit": len(source) if part else None}
    darknets = {"--preset": preset, "--nms": nms, "--nms-kind": nms_kind, "--conf": conf, "--decoder": decoder}
    given = [option for option, value in darknets.items() if value is not None]
    evaluations = []
    for name, network, file in found:
        recipe = _recipe(name, network)
        if recipe is not None and given:
            _not_of_recipe(name, given, alone=len(found) == 1)
        for shape in [pixels] if pixels else _sizes(name, network):
            one = partial(_one, name, network, recipe, shape, file, source, asked, options, kept)
            evaluations.append((name, one))
    if len(evaluations) > 1 and (save_json or draw or plots):
        raise UsageError(
            "usage.one-evaluation",
            "--save-json, --draw and --plots are of one evaluation",
            expected="one model at one size",
            found=f"{len(evaluations)} evaluations",
            remedy="Name one with -m and --size",
        )
    results, left_out = shared.each(evaluations)
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):
        finish(finished, without, form, allow_bad, left_out)


def _sizes(model: str, network: Network) -> list[tuple[int, int] | None]:
    """The input sizes that the published rows of a model have; [None], the network's own, without any.

    A user's own file keeps its size, whatever it is called.
    """
    if network.places:
        return [None]
    from cspbench.claims import tables
    from cspbench.results.match import COCO, of_sample
    from cspbench.zoo.catalogue import row_model

    named = (*COCO, *of_sample("coco"))
    sizes = {row.size for table in named for row in tables.load(table).rows if row_model(table, row.id).model == model}
    return [*sorted(size for size in sizes if size)] or [None]


def _recipe(name: str, network: Network) -> Recipe | None:
    """The recipe of a quoted detector; a user's own cfg may bear a catalogue name, and has none."""
    from cspbench.zoo.catalogue import MODELS

    return MODELS[name].recipe if name in MODELS and not network.places else None


def _not_of_recipe(name: str, given: list[str], alone: bool) -> None:
    """Refuse options that a quoted detector's recipe leaves no room for; among other models only say so."""
    if not alone:
        typer.echo(f"cspbench: {name} keeps its authors' own recipe: {', '.join(given)} do not change it", err=True)
        return
    raise UsageError(
        "usage.own-recipe",
        f"{name} has its authors' own recipe",
        expected="no " + " or ".join(given),
        found=" ".join(given),
        remedy=f"Leave it out: pixels, thresholds and suppression of {name} are the quoted paper's",
    )


def _one(
    name: str,
    network: Network,
    recipe: Recipe | None,
    size: tuple[int, int] | None,
    file: Path,
    source: CocoSource,
    asked: Asked,
    options: shared.Options,
    kept: dict[str, Any],
) -> dict[str, Any] | None:
    """Evaluate one detector; its result, or None in a process that only helped."""
    from cspbench.detection import predict as detection
    from cspbench.detection.detector import heads, of_network
    from cspbench.evaluation import coco, imagenet
    from cspbench.weights.opening import open_weights

    detector = of_network(network, recipe, asked.preset, size)
    preset = asked.preset.as_json()
    if recipe is not None:
        asked = replace(asked, thresholds=[recipe.nms.overlap])
        preset = {"name": "recipe", **recipe.as_json()}
    coco.category_ids(source, heads(detector.network)[-1].classes)
    weights = open_weights(file, detector.network)
    identity = coco.identity(name, detector, weights.sha256, source, options.precision)
    path = imagenet.directory(options.root, {**identity, "preset": {"name": preset["name"], **identity["preset"]}})
    images = detection.PreparedImages(source, detector)

    def predict(run: Any, shards: list[int], engine: Any, batch: int, workers: int, progress: Any) -> Any:
        return detection.predict(run, shards, images, engine, batch, workers, progress)

    run = shared.made(
        name,
        detector.network,
        weights,
        detector.epsilon,
        identity,
        path,
        source,
        options,
        predict,
        preset=preset,
        data=kept,
    )
    return None if run is None else result(run, source, asked)
