"""What holds for the arguments of every command."""

from __future__ import annotations

from typing import Any

from cspbench.cli.terminal.help import Command, Group
from cspbench.errors import UsageError


class Commands(Group):
    """The commands; none takes an empty argument."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty argument before a command reads it as the present folder or as nothing."""
        refuse_empty(args)
        return super().parse_args(ctx, args)


class WithDraw(Command):
    """A command whose option --draw may stand without a value, which means all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give --draw its value where none follows it."""
        given: list[str] = []
        for at, argument in enumerate(args):
            given.append(argument)
            if argument == "--draw" and "--" not in args[:at]:
                following = args[at + 1] if at + 1 < len(args) else ""
                if not (
                    following.isdecimal() or following == "all" or following.startswith(("image:", "class:", "worst:"))
                ):
                    given.append("all")
        return super().parse_args(ctx, given)


def refuse_empty(arguments: list[str]) -> None:
    """Raise `UsageError` for an empty argument or value of an option: most often a variable that is not set."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, equals, value = argument.partition("=")
        named = argument.startswith("-") and equals == "=" and not value
        if not argument or named:
            raise UsageError(
                "usage.empty",
                "an empty path or value",
                where=option if named else f"after {before}" if before else "the first argument",
                found="''",
                remedy="Set the variable that stands there, or leave it out",
            )
