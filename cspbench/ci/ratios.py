"""Benchmarks compared with a baseline's: a ratio to a peer may rise, and may fall by a tolerance.

Times are of a machine, ratios less so: those of another processor are compared, and one that fell names it.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cspbench.ci.diff import Kind, Pair
from cspbench.claims.model import NOTHING
from cspbench.claims.verdict import Reason, Status
from cspbench.errors import UsageError
from cspbench.report.model import ReportCell
from cspbench.results.benchmarks import FILE, Benchmarks, Ratio
from cspbench.results.store import read_record

TABLE, METRIC = "benchmarks", "ratio"


def since(baseline: str, file: Path, slower: float) -> list[Pair]:
    """The ratios of `file` beside those in the folder `baseline`; one that fell by more than `slower` percent fails.

    Raises `UsageError` for ratios that cannot be compared, `CspbenchError` for files that are not of benchmarks.
    """
    folder = Path(baseline)
    if not (folder / FILE).is_file():
        raise UsageError(
            "usage.no-benchmarks",
            "the baseline has no benchmarks",
            where=baseline,
            expected=f"a folder with {FILE}",
            remedy="Write one there: python -m benchmarks --out FOLDER/benchmarks.md",
        )
    before, after = read_record(folder / FILE, Benchmarks), read_record(file, Benchmarks)
    if before.quick != after.quick:
        words = {True: "quick ones", False: "full ones"}
        raise UsageError(
            "usage.other-benchmarks",
            "the benchmarks are of different sizes",
            where=str(file),
            expected=f"{words[before.quick]}, as in {folder / FILE}",
            found=words[after.quick],
            remedy="Measure again with the same sizes",
        )
    return compare(before, after, slower)


def compare(before: Benchmarks, after: Benchmarks, slower: float) -> list[Pair]:
    """A pair for each ratio of either."""
    old, new = ({(ratio.part, ratio.name): ratio for ratio in side.ratios} for side in (before, after))
    processor = "" if before.processor == after.processor else f"the baseline's is of {before.processor}"
    pairs = []
    for part, name in dict.fromkeys([*old, *new]):
        was, now = old.get((part, name)), new.get((part, name))
        kind, why = _judged(was, now, slower)
        why = "; ".join(filter(None, [why, processor if kind is Kind.CHANGED else ""]))
        pairs.append(Pair(TABLE, part, part, METRIC, name, _cell(was), _cell(now), kind, why))
    return pairs


def _judged(was: Ratio | None, now: Ratio | None, slower: float) -> tuple[Kind, str]:
    if now is None:
        return Kind.VANISHED, "no longer measured"
    if was is None:
        return Kind.NEW, "measured for the first time"
    share = 100 * (1 - now.times_as_fast / was.times_as_fast)
    if share > slower:
        return Kind.CHANGED, f"slower by {share:.0f} %, more than {slower:g} %"
    return Kind.UNCHANGED, ""


def _cell(ratio: Ratio | None) -> ReportCell | None:
    if ratio is None:
        return None
    value = f"{Decimal(f'{ratio.times_as_fast:.4g}'):f}"
    return ReportCell(
        METRIC, ratio.name, NOTHING, "1", None, value, None, None, str(Status.UNMEASURED), str(Reason.HARDWARE)
    )
