"""The options that several commands share, defined once so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cspbench.cli.choices import (
    ClassifierPreset,
    ClassOrder,
    Decoder,
    DetectorPreset,
    Engine,
    MapPoints,
    NmsKind,
    Precision,
    Split,
)
from cspbench.cli.output_format import FormatOption as FormatOption
from cspbench.cli.output_format import LegendOption as LegendOption
from cspbench.cli.output_format import PredictionFormatOption as PredictionFormatOption
from cspbench.cli.output_format import WideOption as WideOption
from cspbench.cli.own_tables import TABLES as TABLES
from cspbench.cli.own_tables import TablesOption as TablesOption
from cspbench.cli.terminal import completion

IMAGENET, COCO, WEIGHTS = "CSPBENCH_IMAGENET", "CSPBENCH_COCO", "CSPBENCH_WEIGHTS"
"""Environment variables with the defaults of DATA and --weights."""

# what a command is about
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("-m", "--model", metavar="MODEL", help="A model, row or pattern.", autocompletion=completion.models),
]
ModelOption = Annotated[
    str | None,
    typer.Option("-m", "--model", metavar="MODEL", help="Model, row or .cfg.", autocompletion=completion.models),
]
AgainstOption = Annotated[
    str | None,
    typer.Option("--against", metavar="MODEL|FILE", help="Compare, layer by layer.", autocompletion=completion.models),
]
CfgOption = Annotated[Path | None, typer.Option("--cfg", metavar="FILE", help="Your own Darknet .cfg file.")]
CfgsOption = Annotated[
    list[str] | None, typer.Option("--cfg", metavar="FILE", help="A .cfg file, a pattern, or -; repeatable.")
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help=f"The weight file; by default from ${WEIGHTS}.")
]
EmaOption = Annotated[
    bool | None,
    typer.Option(
        "--ema/--no-ema",
        help="Take averaged weights, or the last step's, from a checkpoint that has both; by default as timm does.",
    ),
]
TableOption = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="TABLE",
        help="This table, or a pattern (yolox*); repeatable.",
        autocompletion=completion.tables,
    ),
]
DataOption = Annotated[str | None, typer.Option("--data", metavar="PATH", help="The data set, as DATA.")]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="The label file of a flat folder or archive.")
]
NamesOption = Annotated[
    Path | None,
    typer.Option("--names", metavar="FILE", help="Names of the classes; by default from beside the network."),
]
SplitOption = Annotated[Split | None, typer.Option("--split", help="The data set's split, where there are several.")]
SampleOption = Annotated[
    bool, typer.Option("--sample", help="Use the bundled sample and its model (the default if nothing is configured).")
]
LimitOption = Annotated[
    str | None, typer.Option("--limit", metavar="N|N%", help="Only a part of the images, drawn at random.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, metavar="N", help="Seed of everything random.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Everything that is published.")]

NumOption = Annotated[int, typer.Option("--num", "--num-of-clusters", metavar="N", help="Number of anchors.")]

# the protocol
ClassifierPresetOption = Annotated[
    ClassifierPreset | None, typer.Option("--preset", help="The preset; by default the model's own.")
]
DetectorPresetOption = Annotated[
    DetectorPreset | None, typer.Option("--preset", help="The preset [default: the model's, or readme]")
]
DecoderOption = Annotated[
    Decoder | None,
    typer.Option(
        "--decoder",
        help="Decode images by libjpeg with EXIF (opencv), stb_image, or libjpeg without EXIF (pillow); "
        "by default as the preset does.",
    ),
]
ClassesOption = Annotated[
    ClassOrder | None, typer.Option("--classes", help="The network's order of classes; by default the model's own.")
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", "--img-size", "--imgsz", metavar="N|HxW", help="Input size in pixels, not the model's own."),
]
ConfOption = Annotated[
    float | None, typer.Option("--conf", "--conf-thres", metavar="SCORE", help="Score threshold, not the preset's.")
]
NmsOption = Annotated[
    str | None, typer.Option("--nms", "--iou-thres", metavar="IOU[,IOU]...", help="NMS threshold, or several.")
]
KindOption = Annotated[
    NmsKind | None, typer.Option("--nms-kind", help="Kind of NMS, not the preset's; cfg: the network's own setting.")
]
FlipsOption = Annotated[bool, typer.Option("--flips", help="Evaluate in fp32, too, and show what --precision changes.")]
EngineOption = Annotated[Engine, typer.Option("--engine", help="What computes AP.")]
BootstrapOption = Annotated[
    bool, typer.Option("--bootstrap", help="95 % intervals of AP: percentile bootstrap over images.")
]
MapOption = Annotated[
    MapPoints | None, typer.Option("--map", help="Also Darknet's mAP, as detector map -points 0, 11 or 101.")
]
MapIouOption = Annotated[float, typer.Option("--map-iou", metavar="IOU", help="IoU threshold of --map.")]
MapConfOption = Annotated[float, typer.Option("--map-conf", metavar="SCORE", help="Score of what --map counts.")]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Show which part of the protocol moves the accuracy; nothing is stored.")
]
ClassOption = Annotated[bool, typer.Option("--per-class", help="Also show AP and AR of every class.")]

# how it is carried out
BatchOption = Annotated[str, typer.Option("-b", "--batch-size", metavar="N|auto", help="Images per forward pass.")]
WorkersOption = Annotated[
    str, typer.Option("-j", "--workers", metavar="N|auto", help="Processes or threads that read images.")
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", metavar="cpu|cuda[:N]|mps", help="By default the first GPU if there is one.")
]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="Arithmetic of the network.")]
CompileOption = Annotated[bool, typer.Option("--compile", help="Use torch.compile.")]
RunOption = Annotated[
    Path, typer.Option("--run", "--run-dir", metavar="DIR", help="Where runs are kept and resumed.", show_default=True)
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Discard previous results in the run directory.")]
LastOption = Annotated[bool, typer.Option("--channels-last", help="Accepted; always on.", hidden=True)]

# what comes out
BadOption = Annotated[
    int,
    typer.Option(
        "--allow-bad", "--max-bad", min=0, metavar="N", help="Unreadable images and wrong labels to tolerate."
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit 1 if any cell shown is off, even if the cause is known.")
]
ResultsOption = Annotated[Path, typer.Option("--results", metavar="DIR", help="The results directory.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="PATH", help="Where the output is written.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
SaveOption = Annotated[bool, typer.Option("--save", help="Also write result files.")]
DrawOption = Annotated[
    str | None,
    typer.Option(
        "--draw", metavar="N|all|worst:N|image:ID|class:NAME", help="Draw images with their boxes into --out."
    ),
]
SaveJsonOption = Annotated[
    Path | None, typer.Option("--save-json", metavar="FILE", help="Write the detections in COCO's result format.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.", hidden=True)]
