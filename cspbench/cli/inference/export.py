"""`cspbench export`: a model as a file of another program."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cspbench.cli import choices, options
from cspbench.cli.arguments import either, parse_size, read_cfg
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_facts, print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

To = Literal[
    "onnx",
    "pt2",
    "torchscript",
    "cfg",
    "darknet",
    "safetensors",
    "state-dict",
    "timm",
    "mmpretrain",
    "mmdet-backbone",
    "yolox-backbone",
]
PrefixOption = Annotated[
    bool, typer.Option("--prefix/--no-prefix", help="A backbone's names as in the whole detector, or its own alone.")
]
PixelsOption = Annotated[
    Literal["imagenet", "darknet"] | None,
    typer.Option("--fold-pixels", help="What a backbone was trained on, to be rewritten for the detector's pixels."),
]


def export(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="A model of the catalogue.")] = None,
    model_option: options.ModelOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
    ema: options.EmaOption = None,
    size: options.SizeOption = None,
    to: Annotated[To | None, typer.Option("--to", help="The format; by default the one of --out's suffix.")] = None,
    preset: Annotated[
        choices.AnyPreset | None, typer.Option("--preset", help="The preset whose epsilon and thresholds a graph has.")
    ] = None,
    conf: options.ConfOption = None,
    names: options.NamesOption = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Boxes in pixels of the input, and scores of classes, instead of maps.")
    ] = False,
    nms: Annotated[bool, typer.Option("--nms", help="The boxes left after the preset's NMS; ONNX only.")] = False,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Any batch; also any height and width, in steps, if the network allows.")
    ] = False,
    prefix: PrefixOption = True,
    pixels: PixelsOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Run the file beside torch on a picture; exit 1 beyond 1e-4.")
    ] = False,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    form: options.FormatOption = Format.MD,
) -> None:
    """Write a model as ONNX, TorchScript, cfg and others.

    Or its weights under other names. timm and mmpretrain take the networks of their cards. safetensors and state-dict
    load strictly into the model that create_model gives. mmdet-backbone and yolox-backbone take a cspdarknet's weights.
    """
    from cspbench.export.run import export_model

    name = either(model, model_option, "--model")
    if name is None and cfg is None:
        raise UsageError("usage.needs-model", "export needs a model", remedy="Name it, or give its --cfg FILE")
    if name is not None and cfg is not None:
        raise UsageError(
            "usage.two-networks", "a model and --cfg name two networks", found=f"{name}, {cfg}", remedy="Leave out one"
        )
    if out is None:
        raise UsageError("usage.no-out", "export needs a file to write", remedy="Name it with --out")
    subject = name if cfg is None else read_cfg(cfg, terminal())
    assert subject is not None
    exported = export_model(
        subject,
        out,
        to,
        weights=weights,
        size=parse_size(size),
        ema=ema,
        preset=preset,
        conf=conf,
        names=names,
        decode=decode,
        nms=nms,
        dynamic=dynamic,
        prefix=prefix,
        pixels=pixels,
        check=check,
        force=force,
    )
    for note in exported.notes:
        terminal().note(note)
    terminal().note(f"wrote {exported.path}")
    lines = [
        {
            "input": "x".join(map(str, each.input)),
            "output": each.output,
            "shape": "x".join(map(str, each.shape)),
            "largest value": f"{each.largest:.6g}",
            "difference": f"{each.absolute:.3g}",
            "relative": f"{each.relative:.3g}",
        }
        for each in exported.differences
    ]
    facts = {key: value for key, value in exported.metadata.items() if key not in ("preset_settings", "classes")}
    if form is Format.JSON:
        print_json({"file": str(exported.path), "format": exported.format, **exported.metadata, "check": lines})
    elif lines:
        print_table(lines, form)
    elif facts:
        print_facts(facts, form)
    if not exported.passed:
        terminal().note("the file differs from torch by more than rounding explains (1e-4 of the largest value)")
        raise typer.Exit(1)
