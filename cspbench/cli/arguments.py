"""Arguments as typed, read into what the library takes; what does not go together is refused."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.cli.options import Precision
    from cspbench.evaluation.execution import Automatic, Execution, Listener
    from cspbench.network.network import Network

Given = TypeVar("Given")


def refuse_together(given: Mapping[str, object], apart: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `UsageError` for the first two options that were given and make no sense together."""
    for option, others in apart.items():
        for other in others:
            if given[option] and given[other]:
                raise UsageError(
                    "usage.not-together", f"{option} does not go with {other}", remedy="Leave one of them out"
                )


def either(positional: Given | None, option: Given | None, name: str) -> Given | None:
    """What was named, as an argument or with the option that does the same; `UsageError` for both."""
    if positional and option:
        raise UsageError(
            "usage.named-twice",
            f"{name} does the same as the argument",
            expected="one of them",
            found=f"{_words(positional)} and {_words(option)}",
            remedy=f"Leave out {name}",
        )
    return positional or option


def _words(given: object) -> str:
    return ", ".join(map(str, given)) if isinstance(given, list) else str(given)


def place_of_data(positional: str | None, option: str | None, variable: str) -> str | None:
    """Where the data set is: DATA, --data or the environment variable."""
    return either(positional, option, "--data") or os.environ.get(variable) or None


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read "416" or "256x326" as (height, width)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:[x×,](\d{1,5}))?", text)
    if match is None or int(match[1]) == 0 or (match[2] and int(match[2]) == 0):
        raise UsageError(
            "usage.size",
            "--size cannot be read",
            expected="N or HEIGHTxWIDTH, 1 to 99999",
            found=repr(text),
            remedy="Try --size 416",
        )
    return int(match[1]), int(match[2] or match[1])


def execution(
    batch: str, workers: str, device: str | None, precision: Precision, compiled: bool, fresh: bool
) -> Execution:
    """How an evaluation is carried out, by the present command."""
    from cspbench.evaluation.execution import Execution

    return Execution(
        _number_or_auto("-b", batch), _number_or_auto("-j", workers), device, precision, compiled, fresh, command()
    )


def command() -> tuple[str, ...]:
    """The present command, as a record has it."""
    return ("cspbench", *sys.argv[1:])


def _number_or_auto(option: str, text: str) -> Automatic:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(
            "usage.number-or-auto",
            f"{option} is neither a number in its range nor auto",
            expected="a number or auto",
            found=repr(text),
            remedy=f"Try {option} auto",
        )
    return int(text)


def read_cfg(path: Path, listener: Listener) -> Network:
    """The network of a cfg file, with its warnings told."""
    from cspbench.network.cfg import read

    reading = read(path)
    for warning in reading.warnings:
        listener.note(f"warning: {warning}")
    return reading.network


def resized(network: Network, size: tuple[int, int] | None, listener: Listener) -> Network:
    """The network at an input size (height, width), None for its own; warns of shortcuts that no longer fit."""
    from cspbench.network.shortcut_checks import misfits

    if size is None:
        return network
    network = network.resized(*size)
    for line in misfits(network):
        listener.note(f"warning: {line}")
    return network
