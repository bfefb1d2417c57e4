"""The cfg files that a command line names: paths, patterns, and - for stdin."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cspbench.cli.arguments import read_cfg
from cspbench.cli.failing import report
from cspbench.errors import CspbenchError, printable

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.network.network import Network


@dataclass(frozen=True)
class CfgFile:
    """A network and its file."""

    source: str
    network: Network

    def build(self) -> Network:
        """The network."""
        return self.network


def with_arguments(cfg: list[str] | None, arguments: list[str] | None) -> tuple[list[str] | None, list[str] | None]:
    """The values of --cfg and the arguments, from which the files that the shell made of --cfg *.cfg are taken."""
    if not cfg or not arguments:
        return cfg, arguments
    files = [name for name in arguments if name.endswith(".cfg")]
    return [*cfg, *files], [name for name in arguments if name not in files]


def expanded(arguments: Sequence[str]) -> list[str]:
    """The files of paths and patterns (*, ?, [..], **), each once; a path that is not a pattern need not exist."""
    files: dict[str, None] = {}
    for argument in arguments:
        matches = [] if os.path.lexists(argument) else sorted(glob.glob(argument, recursive=True))
        files.update(dict.fromkeys(matches or [argument]))
    return list(files)


def read_cfgs(arguments: Sequence[str], listener: Listener) -> tuple[list[CfgFile], int]:
    """The networks of cfg files, and an exit code: 0, or that of the last file of several that cannot be used.

    Networks whose files have one name are named after their paths. The error of a single file is raised; those of
    several are printed, and the others are read all the same.
    """
    files = expanded(arguments)
    found: list[CfgFile] = []
    code = 0
    for file in files:
        try:
            found.append(CfgFile(file, read_cfg(file, listener)))
        except CspbenchError as error:
            if len(files) == 1:
                raise
            code = report(error)
    names = Counter(each.network.name for each in found)
    return [
        each
        if names[each.network.name] == 1
        else replace(each, network=replace(each.network, name=printable(each.source)))
        for each in found
    ], code
