"""Parsing and checking of the commands' arguments."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.cli.choices import Precision
    from cspbench.evaluation.execution import Execution, Listener
    from cspbench.network.modular.architecture import Architecture
    from cspbench.network.network import Network
    from cspbench.zoo.model import Model

Value = TypeVar("Value")
MOST_THREADS = 64
"""More threads of a check would only wait for each other."""


def refuse_together(values: Mapping[str, object], apart: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `UsageError` for the first two options that have values and exclude each other."""
    for option, excluded in apart.items():
        for second in excluded:
            if values[option] and values[second]:
                raise UsageError(
                    "usage.not-together", f"{option} does not go with {second}", remedy="Leave one of them out"
                )


def either(positional: Value | None, option: Value | None, name: str) -> Value | None:
    """The value of an argument or of the equivalent option; `UsageError` for both."""
    if positional and option:
        values = [", ".join(value) if isinstance(value, list) else str(value) for value in (positional, option)]
        raise UsageError(
            "usage.named-twice",
            f"{name} does the same as the argument",
            found=" and ".join(values),
            remedy=f"Leave out {name}",
        )
    return option if positional is None or positional == [] else positional


def place_of_data(positional: str | None, option: str | None, variable: str) -> str | None:
    """The data set's path: DATA, --data or the environment variable. An empty one stays, and is refused as a path."""
    place = either(positional, option, "--data")
    return place if place is not None else os.environ.get(variable) or None


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read "416" or "256x326" as (height, width)."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})(?:[x×,]([1-9]\d{0,4}))?", text)
    if match is None:
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
    """The options of execution, with the present command line."""
    from cspbench.evaluation.execution import Execution

    return Execution(_number(batch), _number(workers), device, precision, compiled, fresh, command())


def checking_threads(workers: str) -> int | None:
    """The threads that read a data set for a check; None for as many as suit the machine."""
    threads = execution("auto", workers, None, "fp32", compiled=False, fresh=False).workers
    return None if threads == "auto" else min(threads, MOST_THREADS)


def checked_part(total: int, limit: str | None, seed: int) -> Sequence[int]:
    """The indices of the images that a check reads: all, or a part that --limit draws."""
    from cspbench.evaluation.part import limit_of, random_indices

    return range(total) if limit is None else random_indices(total, limit_of(limit, total), seed)


def command() -> tuple[str, ...]:
    """The present command line, for records."""
    return ("cspbench", *sys.argv[1:])


def refuse_existing(file: Path, force: bool) -> None:
    """Raise `UsageError` for an output that is a file already, unless `force`; devices are written to."""
    if file.exists() and not file.is_char_device() and not force:
        raise UsageError(
            "usage.file-exists",
            "there is a file already",
            where=str(file),
            remedy="Name another with --out, or replace it with --force",
        )


def _number(text: str) -> Any:
    """A number where the text is one; otherwise the text, which `Execution` refuses unless it is auto."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def read_cfg(path: str | Path, listener: Listener) -> Network:
    """The network of a cfg file, of stdin if the path is -; its warnings go to the listener."""
    from cspbench.network.cfg import read, read_bytes
    from cspbench.network.cfg.parser import LARGEST_FILE

    if str(path) == "-":
        reading = read_bytes(sys.stdin.buffer.read(LARGEST_FILE + 1), "stdin")
    else:
        reading = read(path)
    for warning in reading.warnings:
        listener.note(f"warning: {warning}")
    return reading.network


def named(model: str, listener: Listener) -> Model:
    """The model of a name or a .cfg path (`registry.model`); the file's warnings go to the listener."""
    from cspbench.zoo import registry

    entry = registry.model(model)
    for warning in entry.warnings:
        listener.note(f"warning: {warning}")
    return entry


def resized(network: Architecture, size: tuple[int, int] | None, listener: Listener) -> Architecture:
    """The network at an input size (height, width), by default its own; warns of shortcuts that no longer fit."""
    from cspbench.network.network import Network
    from cspbench.network.shortcut_checks import misfits

    if size is None:
        return network
    network = network.resized(*size)
    for line in misfits(network) if isinstance(network, Network) else ():
        listener.note(f"warning: {line}")
    return network
