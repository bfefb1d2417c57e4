"""The judge, which compares measurements with published numbers. It alone decides verdicts; none are stored."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from cspbench.claims.metrics import METRICS
from cspbench.claims.model import Cell, Row
from cspbench.claims.rounding import as_decimal, as_printed, in_unit, round_half_up


class Status(StrEnum):
    """The verdict on a cell."""

    EXACT = "exact"  # equal at the printed precision
    CLOSE = "close"  # not equal, and within the metric's tolerance
    OFF = "off"  # neither exact nor close
    FITTED = "fitted"  # a stand-in's own totals
    CONSISTENT = "consistent"  # the claim is in the 95 % interval of a random part
    INCONSISTENT = "inconsistent"  # the claim is outside that interval
    UNPUBLISHED = "unpublished"  # no claim
    UNMEASURED = "unmeasured"  # no measurement comparable with the claim, for a reason


FAILED = frozenset({Status.OFF, Status.INCONSISTENT})
"""The verdicts of numbers that disagree with their claims."""


class Reason(StrEnum):
    """Why a cell is unmeasured."""

    NO_WEIGHTS = "no-weights"
    NO_DATA = "no-data"
    NO_DEFINITION = "no-definition"
    SPLIT_MISMATCH = "split-mismatch"  # other images than the claim's
    PROTOCOL_MISMATCH = "protocol-mismatch"  # another counting, preset, precision, network or weights
    PARTIAL = "partial"  # a part of the claim's images that is not a random one
    AWAITING_SERVER = "awaiting-server"
    HARDWARE = "hardware"
    UNVERIFIED = "unverified"  # the claim is not confirmed by its document
    NOT_RUN = "not-run"  # possible here, but not run yet


class Coverage(StrEnum):
    """Which images of a data set were measured."""

    WHOLE = "whole"
    DRAWN = "drawn"  # a random part, drawn by cspbench with a seed
    PART = "part"  # any other part


@dataclass(frozen=True)
class Deviation:
    """A difference between the protocols of measurement and claim, and the reason it gives."""

    text: str
    reason: Reason = Reason.PROTOCOL_MISMATCH


@dataclass(frozen=True)
class Measurement:
    """One number at full precision, and what decides whether it is comparable with a claim.

    `value` is in single parameters or operations, or in percent; None if there is none, for `reason`. `images` is the
    number of images of an accuracy, `interval` its 95 % interval in percent. `stand_in`: the network was chosen for its
    totals.
    """

    value: Decimal | None
    reason: Reason | None = None
    deviations: tuple[Deviation, ...] = ()
    coverage: Coverage = Coverage.WHOLE
    images: int | None = None
    interval: tuple[float, float] | None = None
    stand_in: bool = False

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a measurement has either a value or a reason")


@dataclass(frozen=True)
class Verdict:
    """A claim beside its measurement, both in the cell's unit.

    `measured` is rounded as the publisher rounded, and unrounded without a claim. `delta` is measured - claim: of the
    rounded numbers for counts and for equal ones, otherwise of the unrounded measurement, to two decimals more than the
    claim. `images`: how many more images are right than claimed. `tolerance` of `close` for this metric, in points.
    """

    status: Status
    claim: Decimal | None
    measured: Decimal | None
    delta: Decimal | None = None
    reason: Reason | None = None
    images: int | None = None
    tolerance: Decimal | None = None


def judge(cell: Cell, measurement: Measurement) -> Verdict:
    """The verdict on a cell; a claim that is not confirmed by its document has none.

    Of several reasons against a comparison, other images come first, then a part of the images, then the protocol.
    Accuracy and AP on the claim's whole set are `exact` if they round to the printed number, `close` if the unrounded
    number is within the metric's tolerance, otherwise `off`: claim and measurement have the same images and weights, so
    there is no sampling noise. On a random part the claim is compared with the interval.
    """
    value = measurement.value
    metric = METRICS[cell.metric]
    if not cell.published:
        return Verdict(Status.UNPUBLISHED, None, _without_verdict(value, cell))
    if not cell.verified:
        return Verdict(Status.UNMEASURED, cell.value, _without_verdict(value, cell), reason=Reason.UNVERIFIED)
    if cell.value is None or cell.decimals is None:  # several numbers in a cell: frame rates by device
        beside = _reason(measurement) or Reason.PROTOCOL_MISMATCH
        return Verdict(Status.UNMEASURED, None, _without_verdict(value, cell), reason=beside)
    reason = _reason(measurement)
    if value is None or reason is not None:
        return Verdict(Status.UNMEASURED, cell.value, _without_verdict(value, cell), reason=reason)
    if metric.family == "count":
        printed = as_printed(value, cell.unit, cell.decimals, cell.rounding)
        equal = Status.FITTED if measurement.stand_in else Status.EXACT
        return Verdict(equal if printed == cell.value else Status.OFF, cell.value, printed, printed - cell.value)
    printed, difference = round_half_up(value, cell.decimals), value - cell.value
    delta = round_half_up(difference, cell.decimals + 2)
    if measurement.coverage is Coverage.DRAWN:
        low, high = measurement.interval or (0.0, 100.0)
        status = Status.CONSISTENT if low <= float(cell.value) <= high else Status.INCONSISTENT
        return Verdict(status, cell.value, printed, delta)
    images = None
    if measurement.images is not None:
        images = int(round_half_up(difference * measurement.images / 100, 0))
    close = metric.tolerance is not None and abs(difference) <= metric.tolerance
    status = Status.CLOSE if close else Status.OFF
    if printed == cell.value:
        status, delta = Status.EXACT, printed - cell.value
    return Verdict(status, cell.value, printed, delta, None, images, metric.tolerance)


def _reason(measurement: Measurement) -> Reason | None:
    """Why a measurement is not comparable with its claim; None if it is."""
    reasons = [deviation.reason for deviation in measurement.deviations]
    if Reason.SPLIT_MISMATCH in reasons:
        return Reason.SPLIT_MISMATCH
    if measurement.reason is not None:
        return measurement.reason
    undrawn = measurement.coverage is Coverage.DRAWN and measurement.interval is None
    if measurement.coverage is Coverage.PART or undrawn:
        return Reason.PARTIAL
    return reasons[0] if reasons else None


def _without_verdict(value: Decimal | None, cell: Cell) -> Decimal | None:
    """A measurement in the cell's unit; a count as the publisher would print it, where there is a claim."""
    if value is None or METRICS[cell.metric].family != "count":
        return value
    if cell.decimals is None:
        return in_unit(value, cell.unit)
    return as_printed(value, cell.unit, cell.decimals, cell.rounding)


def comparison_of(
    row: Row, base: Row, metric: str, values: tuple[Decimal | int, Decimal | int] | None = None
) -> str | None:
    """The comparison of `row` with its base as the README prints it; None if a number is missing or the base is 0.

    Counts compare by ratio, "(-34%)", accuracies by difference, "(+0.8)". `values` are the numbers of the row and of
    its base in the same unit, such as both measured; by default the published ones.
    """
    if row.base != base.id:
        raise ValueError(f"{row.id} is compared with {row.base}, not with {base.id}")
    value, base_value = values or (row.cells[metric].value, base.cells[metric].value)
    ratio = METRICS[metric].family == "count"
    if value is None or base_value is None or (ratio and not base_value):
        return None
    difference = as_decimal(value) - as_decimal(base_value)
    change = round_half_up(difference * 100 / base_value, 0) if ratio else round_half_up(difference, 1)
    return f"({change:+f}{'%' if ratio else ''})" if change else "(=)"
