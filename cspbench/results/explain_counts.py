"""Why a count is off, worked out from the current layer lists and not from what a result file says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cspbench.claims.model import Cell
from cspbench.claims.verdict import Measurement, Status, judge
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count, ledger
from cspbench.zoo.registry import MODELS


@dataclass(frozen=True)
class Explanation:
    """Which other counting or network gives the published number, in words, and whether that explains the miss."""

    texts: tuple[str, ...] = ()
    explained: bool = False


def explanation(claim: Cell, model: str, size: tuple[int, int] | None, measured: int) -> Explanation:
    """Why a catalogue model's count is not the published number.

    A miss is explained where the network is a stand-in, which says nothing about the claim, or where another network
    of the same name has exactly the published number. A count that the model no longer has is not explained.
    """
    entry = MODELS[model]
    if entry.definition == "stand-in":
        return Explanation(("of our stand-in, which says nothing about the claim",), True)
    rule = str(claim.counting)
    if _ledger(model, size).total(rule) != measured:
        return Explanation()
    twins = [twin for twin in entry.namesakes if _is_claim(claim, twin, size, rule)]
    texts = [f"exact under {counting}" for counting in _fitting(claim, model, size) if counting != rule]
    return Explanation((*texts, *(f"exact for {twin}" for twin in twins)), bool(twins))


def fitting(claim: Cell, model: str, size: tuple[int, int] | None, measured: int, rule: str) -> Explanation:
    """The countings under which the claim holds, for a count by a `rule` that is not the claim's."""
    if MODELS[model].definition == "stand-in" or _ledger(model, size).total(rule) != measured:
        return Explanation()
    rules = _fitting(claim, model, size)
    return Explanation((f"exact under {', '.join(rules)}",) if rules else ())


def _fitting(claim: Cell, model: str, size: tuple[int, int] | None) -> list[str]:
    rules = PARAMETER_COUNTINGS if claim.metric == "params" else COUNTINGS
    return [rule for rule in rules if _is_claim(claim, model, size, rule)]


def _is_claim(claim: Cell, model: str, size: tuple[int, int] | None, rule: str) -> bool:
    measurement = Measurement(Decimal(_ledger(model, size).total(rule)))
    return judge(claim.under(rule), measurement).status is Status.EXACT


@cache
def _ledger(model: str, size: tuple[int, int] | None) -> Count:
    network = MODELS[model].architecture()
    return ledger(network if size is None else network.resized(*size))
