"""What changed between a baseline's results and the present ones, cell by cell, and whether it passes.

A cell fails if

- what is claimed is another number than at the baseline (`claim changed`);
- its measurement moved by more than the tolerance of its metric, in either direction (`changed`);
- its verdict or that of its comparison got worse, or its claim was removed (`worse`): exact and close may replace each
  other, but not become fitted or off; off explained must stay explained; a measurement with a verdict must keep one;
- it was counted on another network than the baseline's, though the count is the same (`changed`), or on one that has
  changed since (`changed`, and `worse` where something is claimed);
- it was measured, with or without a verdict, and no longer is, or its row is gone (`vanished`);
- it is measured, or claimed, for the first time and is off without an explanation (`new and off`).

A measurement on a part of the data is `partial`: it is not compared, and never passes. `fixed` (off before and no
longer, with the same claim), `new` and `noted` (any other difference that shows in the table) are listed and pass.
Cells that are off as at the baseline, or moved within their tolerance, are counted and pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from enum import StrEnum
from types import MappingProxyType

from cspbench.ci.causes import Cause, Group, groups
from cspbench.ci.tolerances import Tolerances
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import NOTHING
from cspbench.report.model import ReportCell, ReportRow


class Kind(StrEnum):
    """How a cell changed, in the order of the output."""

    CLAIM = "claim changed"
    CHANGED = "changed"
    WORSE = "worse"
    VANISHED = "vanished"
    NEW_OFF = "new and off"
    PARTIAL = "partial"
    FIXED = "fixed"
    NEW = "new"
    NOTED = "noted"
    UNCHANGED = "unchanged"


FAILING = frozenset({Kind.CLAIM, Kind.CHANGED, Kind.WORSE, Kind.VANISHED, Kind.NEW_OFF})

_RANKS = {"exact": 0, "close": 0, "fitted": 1, "missed": 2, "off, explained": 2, "off": 3}
_WAYS = ("counting", "definition", "weights", "data", "preset", "precision")


Networks = Mapping[tuple[str, str], str]
"""By table and row id."""


@dataclass(frozen=True)
class Pair:
    """A cell at the baseline and now, None where it does not exist. For a row as a whole `metric` is ""."""

    table: str
    row: str
    """The row's id."""
    name: str
    """The row's name in its table."""
    metric: str
    header: str
    before: ReportCell | None
    after: ReportCell | None
    kind: Kind
    why: str
    cause: Cause | None = None
    """What changed in the definition of the network, if that is known to be another."""

    @property
    def failing(self) -> bool:
        """Whether this alone makes the comparison fail."""
        return self.kind in FAILING

    @property
    def change(self) -> Decimal | None:
        """Measurement - baseline in single parameters or operations, or in points; None without both."""
        before, after = number(self.before), number(self.after)
        if before is None or after is None:
            return None
        with localcontext(prec=300):
            return after - before

    @property
    def change_percent(self) -> Decimal | None:
        """The same in percent of the baseline; None for what is not counted."""
        before, moved = number(self.before), self.change
        return moved * 100 / abs(before) if self.metric in COUNTED and before and moved is not None else None


@dataclass(frozen=True)
class Changes:
    """Every cell of the baseline and of the present, in the tables' order."""

    pairs: tuple[Pair, ...]

    def beside(self, more: Iterable[Pair]) -> Changes:
        """These, then more."""
        return Changes((*self.pairs, *more))

    @property
    def changed(self) -> list[Pair]:
        """The pairs that changed: failing ones first, then partial ones."""
        order = list(Kind)
        ranks = {kind: 0 if kind in FAILING else order.index(kind) for kind in order}
        return sorted((pair for pair in self.pairs if pair.kind != Kind.UNCHANGED), key=lambda pair: ranks[pair.kind])

    @property
    def groups(self) -> list[Group]:
        """The failing pairs by cause, the largest group first."""
        return groups(pair for pair in self.pairs if pair.failing)

    @property
    def exit_code(self) -> int:
        """1 if a cell fails, else 4 if one is partial, else 0."""
        if any(pair.failing for pair in self.pairs):
            return 1
        return 4 if any(pair.kind == Kind.PARTIAL for pair in self.pairs) else 0

    @property
    def numbers(self) -> dict[str, int]:
        """The number of cells compared, changed and so on."""
        kinds = [pair.kind for pair in self.pairs]
        unchanged = [pair for pair in self.pairs if pair.kind == Kind.UNCHANGED]
        return {
            "compared": len(kinds),
            "changed": len(kinds) - len(unchanged),
            "failing": sum(kind in FAILING for kind in kinds),
            "partial": kinds.count(Kind.PARTIAL),
            "moved within tolerance": sum(bool(pair.change) for pair in unchanged),
            "off as before": sum(pair.after is not None and pair.after.verdict == "off" for pair in unchanged),
            "unchanged": len(unchanged),
        }

    @property
    def summary(self) -> str:
        """`numbers` on one line."""
        counts = self.numbers
        parts = [f"{counts['compared']} cell{'s' * (counts['compared'] != 1)} compared"]
        parts += [f"{counts[key]} {key}" for key in ("changed", "failing")]
        parts += [f"{counts[key]} {key}" for key in ("partial",) if counts[key]]
        aside = [f"{counts[key]} {key}" for key in ("moved within tolerance", "off as before") if counts[key]]
        return ", ".join([*parts, f"{counts['unchanged']} unchanged"]) + (f" ({', '.join(aside)})." if aside else ".")


def number(cell: ReportCell | None) -> Decimal | None:
    """The measurement before the publisher's rounding."""
    text = (cell.exact or cell.measured) if cell is not None else None
    return None if text is None else Decimal(text)


def compare(
    baseline: Iterable[ReportRow],
    present: Iterable[ReportRow],
    tolerances: Tolerances,
    networks: tuple[Networks, Networks] = ({}, {}),
    stale: Collection[tuple[str, str]] = (),
    causes: Mapping[tuple[str, str], Cause] = MappingProxyType({}),
) -> Changes:
    """Compare every cell of both; rows are matched by table and id, cells by metric.

    `networks` are the known digests of the counted networks, the baseline's and the present ones; `stale` are the rows
    whose networks have changed since their present counts; `causes` say how a row's network differs.
    """
    old = {(line.table, line.row): line for line in baseline}
    new = {(line.table, line.row): line for line in present}
    keys = list(dict.fromkeys([*new, *old]))
    tables = list(dict.fromkeys(table for table, _ in keys))
    pairs: list[Pair] = []
    for key in sorted(keys, key=lambda key: tables.index(key[0])):
        digests = [by_key.get(key) for by_key in networks]
        differ = None not in digests and digests[0] != digests[1]
        why = _OUTDATED if key in stale else "the network is another, though with the same count" if differ else ""
        of_row = [_recounted(pair, why) if why else pair for pair in _row(old.get(key), new.get(key), tolerances)]
        pairs += [replace(pair, cause=causes.get(key)) if pair.metric in COUNTED else pair for pair in of_row]
    return Changes(tuple(pairs))


def _row(before: ReportRow | None, after: ReportRow | None, tolerances: Tolerances) -> list[Pair]:
    line = after or before
    assert line is not None
    old, new = before.cells if before else {}, after.cells if after else {}
    pairs = []
    for metric in dict.fromkeys([*new, *old]):
        was, now = old.get(metric), new.get(metric)
        header = (now or old[metric]).header
        kind, why = _judged(was, now, tolerances)
        if before is None or after is None:
            why = f"the row is {'new' if before is None else 'gone'}" + (f"; {why}" if before is None and why else "")
        pairs.append(Pair(line.table, line.row, line.name, metric, header, was, now, kind, why))
    if (before is None or after is None) and all(pair.kind == Kind.UNCHANGED for pair in pairs):
        kind, word = (Kind.NEW, "new") if before is None else (Kind.VANISHED, "gone")
        pairs = [Pair(line.table, line.row, line.name, "", "(row)", None, None, kind, f"the row is {word}")]
    return pairs


_OUTDATED = "the network has changed since it was counted: `cspbench params --all --save` counts it again"


def _recounted(pair: Pair, why: str) -> Pair:
    """A pair of a row whose network has changed since the baseline, or since it was counted."""
    if pair.metric not in COUNTED or number(pair.after) is None:
        return pair
    if why == _OUTDATED:
        kind = pair.kind if pair.failing else Kind.CHANGED
        return replace(pair, kind=kind, why="; ".join(filter(None, [pair.why, why])))
    if pair.kind == Kind.UNCHANGED and pair.change is not None:
        return replace(pair, kind=Kind.CHANGED, why=why)
    return pair


def _stands(cell: ReportCell | None) -> bool:
    """Whether a cell holds a measurement with a verdict, on all of the data."""
    return cell is not None and number(cell) is not None and cell.verdict != "unmeasured" and not _partial(cell)


def _partial(cell: ReportCell | None) -> bool:
    return cell is not None and (cell.partial or cell.reason == "partial")


def _bad(cell: ReportCell) -> bool:
    return cell.verdict == "off" and not cell.explained


def _judged(before: ReportCell | None, after: ReportCell | None, tolerances: Tolerances) -> tuple[Kind, str]:
    kind, why = _measured(before, after, tolerances)
    if not (before and after and _claims(before) and _claims(after)) or before.printed == after.printed:
        return kind, why
    claim = f"the claim {before.printed} became {after.printed}"
    return Kind.CLAIM, f"{claim}; {why}" if kind in FAILING or kind == Kind.PARTIAL else claim


def _claims(cell: ReportCell) -> bool:
    """Whether anything is claimed; frame rates by device are a claim without a single number."""
    return cell.claim is not None or cell.printed != NOTHING


def _measured(before: ReportCell | None, after: ReportCell | None, tolerances: Tolerances) -> tuple[Kind, str]:
    if _partial(after):
        run = after.provenance.run if after is not None and after.provenance else None
        what = f"run {run} is of" if run else "measured on"
        return Kind.PARTIAL, f"{what} a part of the data only, which is not compared"
    if after is None:
        if before is not None and _claims(before):
            return Kind.VANISHED, f"the claim {before.printed} is gone"
        return (Kind.UNCHANGED, "") if number(before) is None else (Kind.VANISHED, "the cell is gone")
    if before is not None and _claims(before) and not _claims(after):
        return Kind.WORSE, f"the claim {before.printed} is gone"
    if number(before) is not None and number(after) is None:
        return Kind.VANISHED, f"no longer measured ({after.reason or after.verdict})"
    if _stands(before) and not _stands(after):
        return Kind.WORSE, f"no longer a measurement of what is claimed ({after.reason or after.verdict})"
    if _stands(after) and not _stands(before):
        beside = "measured for the first time" if number(before) is None else "the baseline's was beside the claim"
        why = "the baseline's was of a part of the data" if _partial(before) else beside
        return (Kind.NEW_OFF, f"{why}, and off") if _bad(after) else (Kind.NEW, why)
    if before is None:
        return (Kind.NEW, "the cell is new") if _claims(after) else (Kind.UNCHANGED, "")
    return _moved(before, after, tolerances)


def _moved(before: ReportCell, after: ReportCell, tolerances: Tolerances) -> tuple[Kind, str]:
    """Compare two existing cells that both have a verdict, or both have none."""
    numbers = number(before), number(after)
    worse = _worse(before, after)
    holds = before.verdict == "off" and after.verdict in ("exact", "close", "fitted")
    if holds and before.printed == after.printed and not worse:
        return Kind.FIXED, f"the claim {after.printed} holds now"
    if numbers[0] is not None and numbers[1] is not None:
        if tolerances.exceeded(after.metric, numbers[0], numbers[1]):
            why = f"moved by more than {tolerances.text(after.metric)}"
            return Kind.CHANGED, "; ".join(filter(None, [why, worse, _otherwise_made(before, after)]))
    elif numbers[1] is not None:
        return Kind.NOTED, "now a measurement beside the claim"
    if worse:
        new_claim = before.claim is None and after.claim is not None
        return (Kind.NEW_OFF if new_claim else Kind.WORSE), worse
    return _noted(before, after)


def _noted(before: ReportCell, after: ReportCell) -> tuple[Kind, str]:
    """Any other difference that shows in the table."""
    if before.printed != after.printed:
        return Kind.NOTED, f"the claim was {before.printed}"
    if before.mark != after.mark:
        return Kind.NOTED, f"the verdict was {before.mark}"
    words = [cell.comparison.verdict if cell.comparison else "none" for cell in (before, after)]
    if words[0] != words[1]:
        return Kind.NOTED, f"the comparison was {words[0]}, now it is {words[1]}"
    return Kind.UNCHANGED, ""


def _worse(before: ReportCell, after: ReportCell) -> str:
    """How the verdicts got worse; "" if they did not."""
    if before.claim is None and after.claim is not None and _bad(after):
        return "the claim is new, and off"
    ranks = [_RANKS.get(cell.mark.partition(":")[0]) for cell in (before, after)]
    if ranks[0] is not None and ranks[1] is not None and ranks[1] > ranks[0]:
        return f"the verdict was {before.mark}"
    was, now = before.comparison, after.comparison
    if was and now and was.verdict == "exact" and now.verdict == "off":
        return f"the comparison {now.printed} with {now.base} no longer follows, it is {now.measured}"
    return ""


def _otherwise_made(before: ReportCell, after: ReportCell) -> str:
    """The circumstances of the measurement that differ; "" if none or unknown."""
    if before.provenance is None or after.provenance is None:
        return ""
    differing = [way for way in _WAYS if getattr(before.provenance, way) != getattr(after.provenance, way)]
    return f"other {', '.join(differing)}" if differing else ""
