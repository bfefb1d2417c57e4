"""Studies for programs: JSON, and CSV with a line for each metric of each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cspbench.report.formats import flat_csv
from cspbench.report.studies.text import about, claimed
from cspbench.retrained.findings import Number, findings
from cspbench.retrained.studies import Study

HEADER = (
    *("table", "row", "base", "variant", "changes", "metric", "published", "published_difference"),
    *("mean", "spread", "seeds", "difference", "low", "high", "pairs", "word", "lack", "model", "iterations"),
)


def as_json(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """A dictionary for each study: its setting, its rows, and every training's numbers."""
    return [
        {
            "table": study.table,
            "about": about(study),
            "miniature": msgspec.to_builtins(study.miniature),
            "rows": [dict(zip(HEADER, line, strict=True)) for line in _lines(study)],
            "variants": msgspec.to_builtins(study.variants),
        }
        for study in studies
    ]


def as_csv(studies: Sequence[Study]) -> str:
    """One header line; numbers with four decimals."""
    return flat_csv(HEADER, [line for study in studies for line in _lines(study)])


def _lines(study: Study) -> Iterator[list[object]]:
    for each in findings(study, claimed(study)):
        for number in each.numbers:
            yield [
                *(study.table, each.row.id, each.base.id if each.base else None, each.variant),
                *("; ".join(each.changes), number.metric, number.published),
                None if number.published_gain is None else f"{number.published_gain:f}",
                *_measured(number),
                *(str(number.word) if number.word else None, each.lack),
                *(study.miniature.model, study.miniature.iterations),
            ]


def _measured(number: Number) -> list[object]:
    measured, gain = number.measured, number.gain
    low, high = gain.interval if gain and gain.interval else (None, None)
    return [
        *(_text(measured.mean) if measured else None, _text(measured.spread) if measured else None),
        *(measured.count if measured else 0, _text(gain.mean) if gain else None, _text(low), _text(high)),
        gain.pairs if gain else None,
    ]


def _text(value: float | None) -> str | None:
    """Four decimals, without a sign of 0."""
    return None if value is None else f"{value:z.4f}"
