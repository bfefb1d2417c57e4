"""What holds for the arguments of every command."""

from __future__ import annotations

import itertools
from typing import Any

from cspbench.cli.terminal.help import Command
from cspbench.errors import UsageError


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


def refuse_missing_value(group: Any, arguments: list[str]) -> None:
    """Raise `UsageError` for an option of a command of `group` that another of its options follows, not a value."""
    command, rest = group, arguments
    while rest and rest[0] in getattr(command, "commands", ()):
        command, rest = command.commands[rest[0]], rest[1:]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    valued = {name for option in options if not option.is_flag for name in option.opts}
    valued -= {"--draw"} if isinstance(command, WithDraw) else set()
    for option, following in itertools.pairwise(rest):
        if option == "--":
            return
        if option in valued and following.startswith("--") and following in names:
            raise UsageError(
                "usage.no-value",
                "an option without its value",
                where=option,
                found=following,
                remedy=f"Give {option} a value, or leave it out",
            )


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
