"""The cfg files that a command line names: paths, patterns, and - for stdin."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cspbench.cli.arguments import read_cfg
from cspbench.cli.terminal.failing import report
from cspbench.errors import CspbenchError, printable

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.network.network import Network
    from cspbench.zoo.model import Model


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


def read_cfgs(arguments: Sequence[str], listener: Listener) -> tuple[list[Model], int]:
    """The models of cfg files, and an exit code: 0, or that of the last of several files that cannot be used.

    Networks whose files have the same name are named after their paths. The error of a single file is raised; those of
    several are printed, and the other files are read all the same.
    """
    files = expanded(arguments)
    networks: dict[str, Network] = {}
    code = 0
    for file in files:
        try:
            networks[file] = read_cfg(file, listener)
        except CspbenchError as error:
            if len(files) == 1:
                raise
            code = report(error)
    names = Counter(network.name for network in networks.values())
    return [
        _model(file, network if names[network.name] == 1 else replace(network, name=printable(file)))
        for file, network in networks.items()
    ], code


def _model(file: str, network: Network) -> Model:
    from cspbench.zoo.model import Model

    return Model(network.name, lambda: network, "file", file)
