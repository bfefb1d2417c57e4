"""The ledger of a network: what each layer reads, writes, stores and computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cspbench.network.counting import COUNTINGS
from cspbench.network.network import Network
from cspbench.report.formats import flat_csv, grid, latex

HEADER = ("#", "Layer", "", "Reads", "Output", "Weights", "Stored", "MACs", "conv+maxpool", "+shortcut")


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def ledger(network: Network) -> list[dict[str, Any]]:
    """One object per layer; output as (channels, height, width); operations of one image by counting."""
    lines = []
    for index, layer in enumerate(network.layers):
        arrays = network.weights(index)
        single = network.operations[index]
        lines.append(
            {
                "index": index,
                "layer": layer.section,
                "settings": layer.describe(),
                "reads": list(layer.sources),
                "output": list(network.shape(index)),
                "weights": sum(array.size for array in arrays if array.role == "weight"),
                "stored": sum(array.size for array in arrays),
                "operations": {
                    "mac": single.conv + single.linear,
                    "conv": 2 * (single.conv + single.linear),
                    "conv+maxpool": 2 * single.conv + single.pool_taps,
                    "conv+maxpool+shortcut": 2 * single.conv + single.pool_taps + single.shortcut,
                },
            }
        )
    return lines


def _texts(network: Network, thousands: str = ",") -> list[list[str]]:
    """A row of texts per layer; `thousands` separates groups of digits."""
    rows = []
    for line, layer in zip(ledger(network), network.layers, strict=True):
        previous = line["index"] - 1
        reads = "" if layer.sources == (previous,) else ", ".join("input" if s < 0 else str(s) for s in layer.sources)
        operations = line["operations"]
        numbers = [
            line["weights"],
            line["stored"],
            *(operations[counting] for counting in ("mac", "conv+maxpool", "conv+maxpool+shortcut")),
        ]
        grouped = (f"{number:{thousands}}" for number in numbers)
        rows.append([str(line["index"]), line["layer"], line["settings"], reads, _shape(line["output"]), *grouped])
    return rows


def totals(network: Network) -> dict[str, int]:
    """Operations under every counting, from the layer list."""
    return {name: rule.total(network, network.operations) for name, rule in COUNTINGS.items()}


def ledger_text(networks: list[Network], form: str) -> str:
    """The ledgers of some networks as md, json, csv or latex."""
    if form == "json":
        data = [
            {"model": net.name, "size": list(net.input[1:]), "layers": ledger(net), "operations": totals(net)}
            for net in networks
        ]
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    if form == "md":
        return "\n".join(
            f"## {net.name}, input {_shape(net.input)}\n\n{grid(HEADER, _texts(net))}\n" for net in networks
        )
    # programs read the CSV: no separators in its numbers
    lines = [[net.name, *row] for net in networks for row in _texts(net, "" if form == "csv" else ",")]
    header = ["Model", *HEADER]
    return flat_csv(header, lines) if form == "csv" else latex(header, lines)
