"""Help in panels: one for the arguments, one for each group of options or commands, and examples.

Drawn without rich, whose import would take a third of the time of `--help`.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from shutil import get_terminal_size
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from cspbench.cli.terminal.panels import PANELS, panel_of

LEFT, WIDEST = 28, 100
"""The widest column of names, and the widest page."""
OTHER = "Options"
"""The panel of what has none."""
Line = tuple[str, str]
Function = TypeVar("Function", bound=Callable[..., Any])


class App(typer.Typer):
    """Commands whose help is in panels."""

    def __init__(self, *, cls: type[TyperGroup] | None = None, add_completion: bool = False, **settings: Any) -> None:
        super().__init__(
            cls=cls or Group, no_args_is_help=True, rich_markup_mode=None, add_completion=add_completion, **settings
        )

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **settings: Any
    ) -> Callable[[Function], Function]:
        return super().command(name, cls=cls or Command, **settings)


class Command(TyperCommand):
    """A command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx, {}))


class Group(TyperGroup):
    """A group of commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx, self.panels(ctx)))

    def panels(self, ctx: Any) -> dict[str, list[Line]]:
        """The commands with the first paragraph of their help, by their panel."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        return {"Commands": [(name, summary(command)) for name, command in commands]}


def summary(command: Any) -> str:
    """The first paragraph of a command's help, in one line."""
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())


def page(command: Any, ctx: Any, commands: Mapping[str, list[Line]]) -> str:
    """The whole help of a command, or of a group with the panels of its commands."""
    panels = dict(commands)
    for parameter in command.get_params(ctx):
        if line := _line(parameter, ctx):
            argument = parameter.param_type_name == "argument"
            panels.setdefault("Arguments" if argument else panel_of(parameter.opts), []).append(line)
    order = [*PANELS, OTHER]
    panels = dict(sorted(panels.items(), key=lambda each: order.index(each[0]) if each[0] in order else -1))
    width = min(get_terminal_size().columns, WIDEST)
    usage = re.sub(r"(\.\.\.[]}])\.\.\.", r"\1", " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)]))
    if command.epilog:
        panels["Examples"] = [(line, "") for line in command.epilog.splitlines()]
    utf8 = (sys.stdout.encoding or "").lower().startswith("utf")
    framed = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and utf8
    drawn = [(_framed if framed else _plain)(title, lines, width) for title, lines in panels.items()]
    paragraphs = [f"Usage: {usage}", *_paragraphs(command.help or "", width)]
    return "\n\n".join([*paragraphs, ("\n" if framed else "\n\n").join(drawn)]) + "\n"


def _line(parameter: Any, ctx: Any) -> Line | None:
    """The names of a parameter with what follows them, and its help with choices and other spellings.

    Read from the text of its help record, the only form that is the same in all versions of typer.
    """
    if (record := parameter.get_help_record(ctx)) is None:
        return None
    names, text = record
    if parameter.param_type_name == "argument":
        return names.split(" ")[0].strip("[]{}"), text
    value = "" if (last := names.split(" ")[-1]).startswith("-") else last
    spellings = sorted(parameter.opts, key=lambda name: name.startswith("--"))
    long = next(name for name in spellings if name.startswith("--"))
    shown = [name for name in spellings if not name.startswith("--")] + [long]
    choices = re.fullmatch(r"[<\[](.+\|.+)[>\]]", value)
    if choices:
        value, text = "", f"{text} [{choices[1].replace('|', ', ')}]"
    named = "/".join([", ".join(shown), *parameter.secondary_opts])
    others = ", ".join(name for name in spellings if name not in shown)
    return f"{named} {value}".rstrip(), " ".join(text.split()) + (f" (also {others})" if others else "")


def _paragraphs(text: str, width: int) -> Iterable[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), width - 2, initial_indent=" ", subsequent_indent=" ")


def _framed(title: str, lines: Sequence[Line], width: int) -> str:
    body = [
        f"│ {_coloured(name)}{blanks}{text}{' ' * (width - 4 - len(name + blanks + text))} │"
        for name, blanks, text in _columns(lines, width - 4)
    ]
    return "\n".join([f"╭─ {title} {'─' * (width - len(title) - 5)}╮", *body, f"╰{'─' * (width - 2)}╯"])


def _plain(title: str, lines: Sequence[Line], width: int) -> str:
    return "\n".join([f"{title}:", *(f"  {''.join(texts)}".rstrip() for texts in _columns(lines, width - 4))])


def _columns(lines: Sequence[Line], width: int) -> Iterable[tuple[str, str, str]]:
    """(name, blanks, text) of each line of a panel."""
    column = min(max(len(name) for name, _ in lines), LEFT)
    for name, text in lines:
        yield from _two_columns(name, text, column, width)


def _two_columns(name: str, text: str, column: int, width: int) -> Iterable[tuple[str, str, str]]:
    """(name, blanks, text) of each line."""
    if not text:
        for part in textwrap.wrap(name, width, subsequent_indent="    ", break_on_hyphens=False):
            yield "", "", part
        return
    wrapped = textwrap.wrap(text, width - column - 2, break_on_hyphens=False)
    if len(name) > column:
        yield name, "", ""
        name = ""
    for part in wrapped:
        yield name, " " * (column - len(name) + 2), part
        name = ""


def _coloured(name: str) -> str:
    return typer.style(name, fg="cyan") if name and not os.environ.get("NO_COLOR") else name
