"""`cspbench weights`: which weight files there are, whether a file is whole, whose it is, and other formats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cspbench.cli import options
from cspbench.cli.arguments import named, read_cfg, refuse_existing
from cspbench.cli.choices import Format
from cspbench.cli.files.fetch import fetch_files
from cspbench.cli.terminal.help import App
from cspbench.cli.terminal.printing import print_facts, print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError, printable
from cspbench.report.formats import WIDE_ONLY

if TYPE_CHECKING:
    from cspbench.network.modular.architecture import Architecture

weights = App(
    help="List, fetch, check, identify and convert weight files.\n\nExit code 3: the file cannot be had or used."
)
weights.command("fetch")(fetch_files)


COLUMNS = ("table", "row", "id", "model", "file", "bytes", "sha256", "status", "note")
RANKS = {"table": 3, "model": 4} | dict.fromkeys(("id", "sha256", "note"), WIDE_ONLY)
"""Which columns of the list a terminal leaves out."""
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .weights, .safetensors or .pth file.")]


@weights.command("list")
def list_files(
    table: options.TableOption = None, form: options.FormatOption = Format.MD, wide: options.WideOption = False
) -> None:
    """List every row's weight file and where it can be had.

    For a file that was never released, the name is the one that yours needs to have; there is none if another row's
    published file has that name.

    The size is computed from the definition and counts a 20-byte header; files of old Darknet versions have 4 bytes
    less. A sha256 of 8 digits is the beginning of one.
    """
    from cspbench.weights.catalogue import looked_for, weight_files

    lines = []
    for file in weight_files(table):
        line = asdict(file) | {"file": file.file or looked_for(file.model), "bytes": file.size}
        lines.append({key: line[key] for key in COLUMNS})
    print_table(lines, form, RANKS, wide)


@weights.command()
def verify(
    file: FileArgument,
    model: options.ModelOption = None,
    cfg: options.CfgOption = None,
    partial: Annotated[bool, typer.Option("--partial", help="The file may end after any layer (*.conv.N).")] = False,
    ema: options.EmaOption = None,
    form: options.FormatOption = Format.MD,
) -> None:
    """Read a whole file: header, layers, ranges, digest.

    The network is that of --model or --cfg, or is identified by the file's size. With --partial a checkpoint may have
    another classifier than the network, or none: the layers before it are read.
    """
    from cspbench.weights import recognition
    from cspbench.weights.catalogue import published
    from cspbench.weights.opening import open_weights
    from cspbench.weights.summary import summary

    network, alike = _network(file, model, cfg, partial)
    read = open_weights(file, network, partial, ema)
    if text := recognition.remark(network, read.digest):
        terminal().note(text)
    print_facts(summary(read, network, alike, published(network.name)), form)


@weights.command()
def identify(file: FileArgument) -> None:
    """Name the models whose weight file has this size.

    Or begins with a file of this size. A safetensors file names its model.
    """
    from cspbench.weights import catalogue

    for match in catalogue.identify(file):
        typer.echo(
            match.model if match.complete else f"{match.model}: its first {match.layers} of {match.total} layers"
        )


@weights.command()
def convert(
    file: FileArgument,
    to: Annotated[
        Literal["safetensors", "darknet", "state-dict", "timm", "mmpretrain", "mmdetection"],
        typer.Option("--to", help="The format to write; the last three for the networks of their cards."),
    ],
    model: options.ModelOption = None,
    cfg: options.CfgOption = None,
    ema: options.EmaOption = None,
    out: options.OutOption = None,
    force: options.ForceOption = False,
) -> None:
    """Write the same arrays in another format.

    To --out or beside FILE. safetensors and state-dict have the names of the network's torch module. A checkpoint
    (.pth) is read without running code from it. `cspbench export` writes whole networks: ONNX, torch.export,
    TorchScript.
    """
    from cspbench.weights import writing
    from cspbench.weights.opening import open_weights

    target = out or file.parent / f"{file.stem}{writing.SUFFIXES[to]}"
    network, _ = _network(file, model, cfg)
    refuse_existing(target, force and target.is_file())
    read = open_weights(file, network, ema=ema)
    for topic, words in read.said.items():
        terminal().note(f"{printable(str(file))}: {topic} {words}")
    writing.write(target, to, network, read)
    terminal().note(f"wrote {target}")


def _network(file: Path, name: str | None, cfg: Path | None, partial: bool = False) -> tuple[Architecture, list[str]]:
    """The network of a file, by option or by its size, and the models whose files have the same layout."""
    from cspbench.weights import catalogue

    if name is not None and cfg is not None:
        raise UsageError("usage.two-networks", "--model and --cfg name two networks", remedy="Give one of them")
    if cfg is not None:
        return read_cfg(cfg, terminal()), []
    if name is not None:
        return named(name, terminal()).architecture(), []
    if partial:
        raise UsageError("usage.partial-without-network", "--partial needs the network", remedy="Give --model or --cfg")
    identified, alike = catalogue.model_of(file)
    return identified.architecture(), alike
