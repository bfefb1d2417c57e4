"""Why a count is off: worked out anew from the layer lists, whatever a result file says about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cspbench.claims.model import Cell, Row
from cspbench.claims.verdict import Word, verdict
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count, ledger
from cspbench.zoo.catalogue import MODELS


@dataclass(frozen=True)
class Why:
    """Which other counting or network gives the published number, in words, and whether that explains the miss."""

    texts: tuple[str, ...] = ()
    explained: bool = False


def why(row: Row, cell: Cell, model: str, measured: int) -> Why:
    """Why a catalogue model's count is not the published number.

    It is explained where the network is a stand-in, or where one of the same name has exactly the published number.
    Nothing is known of a count that the model does not have as it is now.
    """
    entry = MODELS[model]
    if entry.definition == "stand-in":
        return Why(("of our stand-in, which is no fault of the claim",), True)
    size, rule = row.counting_size or row.size, str(cell.counting)
    if _count(cell, model, size, rule) != measured:
        return Why()
    rules = PARAMETER_COUNTINGS if cell.metric == "params" else COUNTINGS
    fits = [each for each in rules if each != rule and _is_claim(cell, model, size, each)]
    twins = [twin for twin in entry.namesakes if _is_claim(cell, twin, size, rule)]
    return Why((*(f"exact under {each}" for each in fits), *(f"exact for {twin}" for twin in twins)), bool(twins))


def _is_claim(cell: Cell, model: str, size: tuple[int, int] | None, rule: str) -> bool:
    return verdict(cell.counted_as(rule), _count(cell, model, size, rule)).word is Word.EXACT


def _count(cell: Cell, model: str, size: tuple[int, int] | None, rule: str) -> int:
    counted = _ledger(model, size)
    return counted.parameters[rule] if cell.metric == "params" else counted.total(rule)


@cache
def _ledger(model: str, size: tuple[int, int] | None) -> Count:
    network = MODELS[model].build()
    return ledger(network if size is None else network.resized(*size))
