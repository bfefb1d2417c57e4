"""The commands in the order of the help; a command's module is imported when the command is looked up."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import typer

from cspbench.cli.commands import WithDraw, refuse_empty, refuse_missing_value
from cspbench.cli.terminal.examples import EXAMPLES
from cspbench.cli.terminal.help import App, Group, Line


class Entry(NamedTuple):
    """A command as the help lists it."""

    panel: str
    place: str
    """`module:name` below cspbench.cli, of a function or of a group of commands."""
    summary: str
    """The first paragraph of its own help."""


COUNT, USE, EVALUATE, TRAIN = "Look up and count", "Use a model", "Evaluate", "Train"
REPORT, FILES = "Report", "Files and environment"
ENTRIES = {
    "list": Entry(COUNT, "networks.list:list_rows", "List every published row and the model behind it."),
    "params": Entry(COUNT, "networks.params:params", "Count parameters and operations beside the published numbers."),
    "show": Entry(COUNT, "networks.show:show", "Show a model layer by layer, as a cfg or as a drawing."),
    "predict": Entry(USE, "inference.predict:predict", "Show what a model sees in pictures: classes or boxes."),
    "export": Entry(USE, "inference.export:export", "Write a model as ONNX, TorchScript, cfg and others."),
    "speed": Entry(USE, "inference.speed:speed", "Time networks beside the published frame rates."),
    "eval-imagenet": Entry(
        EVALUATE,
        "evaluation.eval_imagenet:eval_imagenet",
        "Measure top-1 and top-5 of classifiers beside the claims.",
    ),
    "eval-coco": Entry(EVALUATE, "evaluation.eval_coco:eval_coco", "Measure AP of detectors beside the claims."),
    "score": Entry(EVALUATE, "evaluation.score:score", "Compute the metrics of runs again, at any NMS threshold."),
    "compare": Entry(EVALUATE, "evaluation.compare:compare", "Compare two runs on the same images."),
    "analyze": Entry(EVALUATE, "evaluation.analyze:analyze", "Show what each type of error costs a detector."),
    "train": Entry(TRAIN, "training.train:train", "Train a network as Darknet, Megvii (YOLOX) or mmcls does."),
    "study": Entry(TRAIN, "training.study:study", "Run tables of tricks in miniature, and say what can be said."),
    "report": Entry(REPORT, "reports.report:report", "Show every table: claim, measurement and verdict."),
    "ci": Entry(REPORT, "reports.ci:ci", "Compare results with a baseline and fail where they changed."),
    "demo": Entry(REPORT, "reports.demo:demo", "Try everything on drawn images, without downloads."),
    "env": Entry(FILES, "reports.env:env", "Print versions, hardware and configured folders."),
    "weights": Entry(FILES, "files.weights:weights", "List, fetch, check, identify and convert weight files."),
    "data": Entry(FILES, "files.data:data", "Check data sets, draw some, and compute anchors."),
    "tables": Entry(FILES, "files.tables:tables", "Check tables of your own."),
}
CLASSES = {"predict": WithDraw}
"""The commands that read their arguments in a way of their own."""


class Commands(Group):
    """All commands; none takes an empty argument."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        catalogue: Any = Catalogue()
        self.commands = catalogue

    def panels(self, ctx: Any) -> dict[str, list[Line]]:
        """The lines of the help, without an import of any command."""
        panels: dict[str, list[Line]] = {}
        for name, entry in ENTRIES.items():
            panels.setdefault(entry.panel, []).append((name, entry.summary))
        return panels

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty argument before a command reads it as the present folder or as nothing.

        And an option in the place of a value: `--out --force` is not a folder called --force.
        """
        refuse_empty(args)
        refuse_missing_value(self, args)
        return super().parse_args(ctx, args)


class Catalogue(Mapping[str, Any]):
    """The commands by name."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = _command(name)
        return self._commands[name]

    def __contains__(self, name: object) -> bool:
        return name in ENTRIES  # Mapping's own would import the command

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


def function(name: str) -> Any:
    """The function behind a command, or the group of commands."""
    module, _, attribute = ENTRIES[name].place.partition(":")
    return getattr(importlib.import_module(f"cspbench.cli.{module}"), attribute)


def _command(name: str) -> Any:
    target = function(name)
    if isinstance(target, App):
        return typer.main.get_command(target)
    alone = App()
    alone.command(name, cls=CLASSES.get(name), epilog="\n".join(EXAMPLES.get(name, ())))(target)
    return typer.main.get_command(alone)
