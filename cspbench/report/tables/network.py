"""The ledger of a network: what each layer reads, writes, stores and computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cspbench.network.counting import COUNTINGS
from cspbench.network.modular.architecture import Architecture
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex

COLUMNS = (
    *(Column("#", kind="number"), Column("Layer"), Column(""), Column("Reads", 1), Column("Output")),
    *(Column("Weights", kind="number"), Column("Stored", 3, "number"), Column("MACs", kind="number")),
    *(Column("conv+maxpool", 2, "number"), Column("+shortcut", 4, "number")),
)
FLAT = (
    *("model", "index", "layer", "settings", "reads", "output"),
    *("weights", "stored", "mac", "conv+maxpool", "conv+maxpool+shortcut"),
)
PER_LAYER = ("mac", "conv", "conv+maxpool", "conv+maxpool+shortcut")
"""The countings that are sums over layers."""


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def ledger(network: Architecture) -> list[dict[str, Any]]:
    """One object per layer; output as (channels, height, width); operations of one image by counting."""
    lines = []
    for index, layer in enumerate(network.layers):
        arrays = network.weights(index)
        single = network.operations[index : index + 1]
        lines.append(
            {
                "index": index,
                "layer": layer.section,
                "settings": layer.describe(),
                "reads": list(layer.sources),
                "output": list(network.shape(index)),
                "weights": sum(array.size for array in arrays if array.role == "weight"),
                "stored": sum(array.size for array in arrays),
                "operations": {name: COUNTINGS[name].total(network, single) for name in PER_LAYER},
            }
        )
    return lines


def _texts(network: Architecture, thousands: str = ",") -> list[list[str]]:
    """A row of texts per layer; `thousands` separates groups of digits."""
    rows = []
    for line in ledger(network):
        index, reads, operations = line["index"], line["reads"], line["operations"]
        sources = "" if reads == [index - 1] else ", ".join("input" if s < 0 else str(s) for s in reads)
        numbers = [line["weights"], line["stored"], *(operations[name] for name in PER_LAYER if name != "conv")]
        grouped = (f"{number:{thousands}}" for number in numbers)
        rows.append([str(index), line["layer"], line["settings"], sources, _shape(line["output"]), *grouped])
    return rows


def totals(network: Architecture) -> dict[str, int]:
    """Operations under every counting, from the layer list."""
    return {name: rule.total(network, network.operations) for name, rule in COUNTINGS.items()}


def blocks(networks: Sequence[Architecture]) -> list[Block]:
    """The ledgers of some networks."""
    parts: list[Block] = []
    for network in networks:
        parts.append(Paragraph(f"## {network.name}, input {_shape(network.input)}", "heading"))
        parts.append(Table(COLUMNS, _texts(network)))
    return parts


def ledger_text(networks: Sequence[Architecture], form: str) -> str:
    """The ledgers of some networks as json, csv or latex."""
    if form == "json":
        data = [
            {"model": net.name, "size": list(net.input[1:]), "layers": ledger(net), "operations": totals(net)}
            for net in networks
        ]
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    # programs read the CSV: no separators in its numbers
    lines = [[net.name, *row] for net in networks for row in _texts(net, "" if form == "csv" else ",")]
    if form == "csv":
        return flat_csv(FLAT, lines)
    return latex(["Model", *(column.header for column in COLUMNS)], lines)
