"""`cspbench eval-coco`: Darknet's boxes, Darknet's suppression, COCO's AP."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, bundled, options
from cspbench.cli.options import Format
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.execution import Listener
    from cspbench.evaluation.selection import Selected


def eval_coco(
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help=f"Folder of a COCO data set; by default ${options.COCO}.")
    ] = None,
    data_option: options.DataOption = None,
    models: options.ModelsOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
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
    channels_last: options.LastOption = True,
    form: options.FormatOption = Format.MD,
) -> None:
    """Evaluate detectors as Darknet did and hold AP, AP50, AP75, APS, APM and APL against the claims.

    Without models, every published one that has weights. One forward pass serves every NMS threshold, by default the
    preset's. Numbers measured on another split or under a different protocol than a claim's are not compared with it.
    Drawn images go to --out, by default to `pictures` in the run.

    Exit codes: 1 an AP is off; 4 images could not be read, or the server must answer first.
    """
    from cspbench.cli.detection_results import finish
    from cspbench.data.coco import data_path, open_coco
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluation import selection
    from cspbench.evaluation.coco import evaluate
    from cspbench.evaluation.part import coco_part_of
    from cspbench.evaluation.scoring import ScoringOptions, thresholds_of
    from cspbench.evaluation.subject import subject_of

    listener = terminal()
    how = arguments.execution(batch, workers, device, precision, compiled, fresh)
    protocol = detection_preset(preset or "readme").overridden(conf=conf, nms_kind=nms_kind, decoder=decoder)
    scoring = ScoringOptions(thresholds_of(nms, protocol), protocol.nms_kind, engine, bootstrap or None, per_class)
    place = arguments.place_of_data(data, data_option, options.COCO)
    on_sample = bundled.wanted(sample, data if data is not None else data_option, place, models, cfg, weights)
    if on_sample:
        place = str(bundled.images("detection", listener))
    if place is None:
        raise UsageError(
            "usage.no-data",
            "no images to evaluate on",
            expected=f"DATA, ${options.COCO} or --sample",
            remedy=f"Name COCO's folder (annotations/ and val2017/): cspbench eval-coco PATH, or set ${options.COCO}",
        )
    if not place or not Path(place).exists():
        open_coco(place)  # raises: report a mistyped path before missing weights
    pixels = arguments.parse_size(size)
    if cfg is not None:
        chosen = selection.of_file(arguments.read_cfg(cfg, listener), weights, models or [], detectors=True)
    else:
        tables = selection.rows_of("coco", on_sample)
        chosen = selection.of_models(models or [], weights, tables, detectors=True, listener=listener)
    source = coco_part_of(open_coco(place, split), limit, seed)
    values = {"--preset": preset, "--nms": nms, "--nms-kind": nms_kind, "--conf": conf, "--decoder": decoder}
    selection.check_own_protocol(
        chosen.models, [option for option, value in values.items() if value is not None], listener
    )

    def evaluated(model: Selected, shape: tuple[int, int] | None) -> DetectionResult | None:
        subject = subject_of(model.network, model.file, shape)
        where = str(data_path(place).resolve())
        return evaluate(subject, source, protocol, scoring, run, how, listener, where, split)

    evaluations = [
        (model.name, partial(evaluated, model, shape))
        for model in chosen.models
        for shape in ([pixels] if pixels else selection.sizes_of(model.network))
    ]
    if len(evaluations) > 1 and (save_json or draw or plots):
        raise UsageError(
            "usage.one-evaluation",
            "--save-json, --draw and --plots take a single evaluation",
            expected="one model at one size",
            found=f"{len(evaluations)} evaluations",
            remedy="Name one with -m and --size",
        )
    results, failed = selection.evaluate_all(evaluations, listener)
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):  # otherwise this process only helped another
        for result in finished:
            _write(result, save_json, draw, out, plots, listener)
        finish([result.stored for result in finished], chosen.without, form, allow_bad, listener, failed)


def _write(
    result: DetectionResult,
    save_json: Path | None,
    draw: str | None,
    out: Path | None,
    plots: Path | None,
    listener: Listener,
) -> None:
    """Write the detections, pictures and plots that the options name; pictures at the first NMS threshold."""
    from cspbench.cli.detection_results import write_json

    first = result.at[0]
    write_json(result, save_json, listener)
    if draw is not None:
        from cspbench.data.decode import decoder_named
        from cspbench.plots.detections import LEAST
        from cspbench.plots.samples import draw_samples

        folder = out or result.run.path / "pictures"
        decoder = decoder_named(result.run.identity.preset["decoder"])
        files = draw_samples(result.source, first.detections, draw, folder, decoder)
        listener.note(f"drew {len(files)} images in {folder}: scores from {LEAST}, NMS {first.nms:g}")
    if plots is not None:
        from cspbench.plots.samples import plot_curves

        names = ", ".join(path.name for path in plot_curves(result.at, plots))
        listener.note(f"plotted in {plots}: {names or 'nothing, for lack of ground truth'}")
