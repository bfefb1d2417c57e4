"""`--against`: a network compared with another model or cfg file, layer by layer."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cspbench.cli.arguments import named, read_cfg
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.network.network import Network


def first_difference(networks: Sequence[Network], against: str, form: Format, source: str) -> None:
    """Print the first difference of a single network, which `source` names; exit 1 if there is one."""
    from cspbench.network.network import difference

    if len(networks) != 1:
        raise UsageError(
            "usage.one-model", "--against compares one model", found=str(len(networks)), remedy="Name a single model"
        )
    network, (other, label) = networks[0], _other(against)
    different = difference(network, other, (network.name, label))
    if form is Format.JSON:
        layers = len(network.layers)
        compared = {"model": network.name, "against": against, "layers": layers, "equal": not different}
        print_json({**compared, "difference": different})
    elif different:
        typer.echo(f"different: {different}")
        if "-" not in (source, against):
            command = shlex.join(["cspbench", "show", source, "--against", against])
            terminal().note(f"every difference: {command}")
    else:
        typer.echo(f"equal: {network.name} and {label}, all {len(network.layers)} layers")
    if different:
        raise typer.Exit(1)


def every_difference(network: Network, against: str, form: Format) -> None:
    """Print every difference; exit 1 if there is one."""
    from dataclasses import asdict

    from cspbench.network.difference import differences

    other, label = _other(against)
    different = differences(network, other)
    if form is Format.JSON:
        print_json([asdict(difference) for difference in different])
    elif not different:
        typer.echo(f"equal: {network.name} and {label}, all {len(network.layers)} layers")
    else:
        if form in (Format.RICH, Format.MD):
            typer.echo(f"{network.name} against {label}: {len(different)} differences\n")
        print_table(
            [{key.replace("_", " "): value for key, value in asdict(difference).items()} for difference in different],
            form,
        )
    if different:
        raise typer.Exit(1)


def _other(against: str) -> tuple[Network, str]:
    """The network of --against, a model's name or a cfg file (- is stdin), and what to call it."""
    from cspbench.zoo import registry

    if against == "-" or registry.is_file(against) or os.path.isfile(against):
        return read_cfg(against, terminal()), "stdin" if against == "-" else Path(against).name
    network = named(against, terminal()).build()
    return network, network.name
