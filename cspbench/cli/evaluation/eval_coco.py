"""`cspbench eval-coco`: Darknet's boxes, Darknet's suppression, COCO's AP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cspbench.cli import arguments, options
from cspbench.cli.choices import Format
from cspbench.cli.evaluation.darknet_map import map_options
from cspbench.cli.evaluation.data_and_models import check_single, chosen
from cspbench.cli.terminal.printing import Style
from cspbench.cli.terminal.progress import listener as terminal


def eval_coco(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help=f"Folder of a COCO data set, or Darknet's .data file or list; by default ${options.COCO}.",
        ),
    ] = None,
    data_option: options.DataOption = None,
    models: options.ModelsOption = None,
    own_tables: options.TablesOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
    ema: options.EmaOption = None,
    sample: options.SampleOption = False,
    split: options.SplitOption = None,
    preset: options.DetectorPresetOption = None,
    nms: options.NmsOption = None,
    nms_kind: options.KindOption = None,
    conf: options.ConfOption = None,
    decoder: options.DecoderOption = None,
    size: options.SizeOption = None,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    engine: options.EngineOption = "cspbench",
    bootstrap: options.BootstrapOption = False,
    per_class: options.ClassOption = False,
    names: options.NamesOption = None,
    darknet_map: options.MapOption = None,
    map_iou: options.MapIouOption = 0.5,
    map_conf: options.MapConfOption = 0.25,
    draw: options.DrawOption = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", metavar="DIR", help="Plot precision over recall, sizes, the NMS sweep.")
    ] = None,
    save_json: options.SaveJsonOption = None,
    out: options.OutOption = None,
    batch: options.BatchOption = "auto",
    workers: options.WorkersOption = "auto",
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    compiled: options.CompileOption = False,
    run: options.RunOption = Path("runs"),
    fresh: options.FreshOption = False,
    allow_bad: options.BadOption = 0,
    explain: options.ExplainOption = False,
    flips: options.FlipsOption = False,
    channels_last: options.LastOption = True,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
) -> None:
    """Measure AP of detectors beside the claims.

    As Darknet evaluated them. Without models, every published one that has weights. One forward pass serves every NMS
    threshold, by default the preset's. Numbers measured on another split or under a different protocol than a claim's
    are not compared with it. On data in Darknet's form, Darknet's mAP is shown beside AP. Drawn images go to --out, by
    default to `pictures` in the run. `--draw worst:N` takes those with the most false positives and misses at IoU 0.5
    among detections with a score of 0.25 or more, which are the ones drawn.

    Exit codes: 1 an AP is off; 3 data or weights are unusable; 4 images could not be read, or the server must answer.
    """
    from cspbench.cli.evaluation.detector_drawings import draw_result
    from cspbench.cli.evaluation.detector_results import finish_detectors, write_classes, write_json
    from cspbench.cli.evaluation.explained_detectors import check_explain, finish_explained
    from cspbench.cli.evaluation.flips import check_flips, show_flips
    from cspbench.data.darknet.opening import open_detection_data
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluation import selection
    from cspbench.evaluation.coco import evaluate_coco
    from cspbench.evaluation.detection_data import known_names
    from cspbench.evaluation.explain_coco import explain_coco
    from cspbench.evaluation.part import part_of
    from cspbench.evaluation.scoring import ScoringOptions, thresholds_of
    from cspbench.inference.description import describe

    listener = terminal()
    how = arguments.execution(batch, workers, device, precision, compiled, fresh)
    # refuses unusable options before anything is read; without --preset each model has its own
    protocol = detection_preset(preset or "readme").overridden(conf=conf, nms_kind=nms_kind, decoder=decoder)
    scoring = ScoringOptions(thresholds_of(nms, protocol), protocol.nms_kind, engine, bootstrap or None, per_class)
    if flips:
        check_flips(precision, scoring.thresholds)
    pixels = arguments.parse_size(size)
    if explain:
        of_runs = {"--draw": draw, "--plots": plots, "--save-json": save_json, "--out": out, "--fresh": fresh}
        of_runs |= {"--flips": flips, "--per-class": per_class, "--map": darknet_map}
        check_explain(of_runs, scoring.thresholds)
    opened = partial(open_detection_data, split=split, allowed=allow_bad, upright=protocol.decoder == "opencv")
    place, selected = chosen("coco", data, data_option, sample, models, cfg, weights, opened, listener)
    classes = describe(selected.models[0].network).heads[-1].classes
    known = known_names(names, [path for path in (cfg, weights) if cfg and path], classes)
    source = part_of(opened(place, names=known.texts if known else None, classes=classes), limit, seed)
    values = {"--preset": preset, "--nms": nms, "--nms-kind": nms_kind, "--conf": conf, "--decoder": decoder}
    given = [option for option, value in values.items() if value is not None] + ["--explain"] * explain
    selection.check_own_protocol(selected.models, given, listener)
    about: dict[str, Any] = {"nms": nms, "nms_kind": nms_kind, "conf": conf, "decoder": decoder, "preset": preset}
    about["listener"] = listener
    about |= {"bootstrap": scoring.bootstrap, "ema": ema, "engine": engine, "names": known, "execution": how}
    evaluate: Callable[..., Any] = partial(explain_coco, data=source, seed=seed, **about)
    if not explain:
        maps = map_options(darknet_map, map_iou, map_conf)
        evaluate = partial(evaluate_coco, data=source, per_class=per_class, store=run, darknet_map=maps, **about)
    evaluations = [
        (model.name, partial(evaluate, model.network, weights=model.file, size=shape))
        for model in selected.models
        if not (explain and model.quoted)
        for shape in ([pixels] if pixels else selection.sizes_of(model.network))
    ]
    if flips:
        show_flips([each for _, each in evaluations], how, form, allow_bad, nms)
        return
    if save_json or draw or plots:
        check_single(len(evaluations))
    results, failed = selection.evaluate_all(evaluations, listener)
    if explain:
        finish_explained(results, Style(form, wide, legend), allow_bad, failed)
        return
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):  # otherwise this process only helped another
        for result in finished:
            write_json(result, save_json)
            draw_result(result, draw, out, plots)
        if per_class:
            write_classes(finished, out)
        finish_detectors(finished, selected.without, Style(form, wide, legend), allow_bad, failed)
