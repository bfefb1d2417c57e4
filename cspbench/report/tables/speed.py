"""Times of networks beside the claimed frame rates, and the ratios of rows beside the claimed ratios; no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from cspbench.claims import tables
from cspbench.claims.frame_rates import ClaimedRatio, FrameRate, of_row
from cspbench.claims.model import NOTHING
from cspbench.errors import printable
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex_tables
from cspbench.results.speeds.middle import Middle, middle
from cspbench.results.speeds.ratios import Ratio, of_run
from cspbench.results.speeds.record import SpeedRun, Stage, Timing

STAGES = tuple(Stage)
TIMES = (
    *(Column("Model"), Column("Definition", 3), Column("Weights", 5), Column("Input", 2)),
    *(Column("Setting"), Column("claimed fps")),
    *(Column("network, ms", kind="number"), Column("quartiles", 3, "number", of="network, ms")),
    *(Column(f"fps, {stage}", rank, "number") for rank, stage in enumerate(STAGES)),
    *(Column("Memory, MiB", 4, "number"), Column("Boxes", 5, "number"), Column("Rounds", 4, "number")),
)
RATIOS = (
    *(Column("Frame rates of"), Column("Definitions", 3), Column("Setting"), Column("claimed", kind="number")),
    *(Column(str(stage), rank, "number") for rank, stage in enumerate(STAGES)),
    Column("Rounds", 4, "number"),
)
LEGEND = """\
No verdict is passed on a time or a ratio. Network: the forward pass alone, on pixels that are on the device. With
boxes: and its output decoded and suppressed, or a classifier's top-5. With images: and a JPEG file in memory decoded,
resized and copied, one picture after the other, without overlap. Times are medians of rounds, with their quartiles. A
round times all networks in turn; a ratio is the median of the rounds' own ratios, in parentheses its 95 % interval
between order statistics, which supposes independent rounds; there is none of fewer than six. A claimed ratio rests on
two printed numbers, in parentheses what their rounding leaves open; what those frame rates include is not printed. A
measured one rests on the definitions of both networks: that of a stand-in may be another net than the published one.
Boxes: before and after suppression. Memory: the peak of weights and maps. Channels last; fp32 without TF32,
deterministic."""


def blocks(runs: Sequence[SpeedRun]) -> list[Block]:
    """By machine and program: the times, then the ratios."""
    parts: list[Block] = []
    for about, group in groupby(runs, _about):
        of_machine = list(group)
        parts.append(Paragraph(about, "text"))
        parts.append(Table(TIMES, [_line(run, timing) for run in of_machine for timing in run.timings]))
        if lines := [_ratio_line(run, ratio) for run in of_machine for ratio in _ratios(run)]:
            parts.append(Table(RATIOS, lines))
        if decoded := of_machine[-1].decoding:
            rates = (
                f"{short(middle(times).inverse().median)} times a second by {decoder}"
                for decoder, times in decoded.items()
            )
            parts.append(Paragraph(printable(f"One core decodes the picture alone {', '.join(rates)}."), "text"))
    return [*parts, Paragraph(LEGEND.replace("\n", " "), "legend")]


def _about(run: SpeedRun) -> str:
    machine, session = run.machine, run.session
    torch = session.packages.get("torch")
    text = f"On {machine.name} ({machine.cores} cores), torch {torch or NOTHING}, {session.platform}"
    text = printable(f"{text}, {session.when[:10] or 'unknown time'}.")
    return f"{text} **{busy}**" if (busy := warning(machine.load)) else text


IDLE = 0.5
"""Processes that may be busy beside the measurement, on the average of a minute."""


def warning(load: float | None) -> str | None:
    """That the machine did something else, so that times are too long; None for an idle one."""
    if load is None or load <= IDLE:
        return None
    return f"The machine was not idle, {load:.2f} processes were busy before: its times are too long."


def _ratios(run: SpeedRun) -> list[Ratio]:
    return of_run(run, tables.load_all(kind=None))


def claims_of(timing: Timing) -> list[FrameRate]:
    """The different frame rates that the tables claim of a network at an input size."""
    rows = [row for table in tables.load_all(kind=None) for row in table.rows if (row.model, row.size) == timing.key]
    return list(dict.fromkeys(rate for row in rows for rate in of_row(row)))


def _rate_text(rate: FrameRate) -> str:
    number = f"{rate.value:.1f} = 1000/{rate.printed:f}" if rate.latency else f"{rate.printed:f}"
    return f"{number}({rate.device})" if rate.device else number


def short(value: float) -> str:
    """A positive number with three digits, or more before the point: "0.0123", "7.23", "1234"."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}" if value >= 0.1 else f"{value:.3g}"


def _line(run: SpeedRun, timing: Timing) -> list[str]:
    seconds = {stage: middle(timing.seconds(stage)) for stage in STAGES}
    network = seconds[Stage.NETWORK]
    batch = f" ({timing.batch})" if run.setting.batch == "best" else ""
    boxes = NOTHING if timing.candidates is None else f"{timing.candidates} → {timing.detections}"
    return [
        *(printable(timing.model), printable(timing.definition), "drawn" if timing.weights == "drawn" else "published"),
        "×".join(map(str, timing.size)),
        run.setting.name.replace("best batch", f"best batch{batch}"),
        " ".join(map(_rate_text, claims_of(timing))) or NOTHING,
        short(1000 * network.median),
        "–".join(short(1000 * end) for end in network.quartiles),
        *(short(seconds[stage].inverse().median) for stage in STAGES),
        NOTHING if timing.memory is None else f"{timing.memory / 1024:.0f}",
        boxes,
        str(timing.rounds),
    ]


def _ratio_line(run: SpeedRun, ratio: Ratio) -> list[str]:
    return [
        printable(" / ".join(ratio.names)) + (f" ({ratio.table})" if ratio.table else ""),
        printable(f"{ratio.above.definition} / {ratio.below.definition}"),
        run.setting.name,
        "; ".join(map(_claimed_text, ratio.claimed)) or NOTHING,
        *(_measured_text(ratio.measured(stage)) for stage in STAGES),
        str(ratio.above.rounds),
    ]


def _claimed_text(claimed: ClaimedRatio) -> str:
    """Such as "1.31 = 71/54 on 9900K (1.29–1.34)"."""
    low, high = claimed.bounds
    device = f" on {claimed.above.device}" if claimed.above.device else ""
    above, below = claimed.above, claimed.below
    # of latencies the row's own is the divisor
    printed = f"{below.printed:f}/{above.printed:f}" if above.latency else f"{above.printed:f}/{below.printed:f}"
    return f"{claimed.value:.2f} = {printed}{device} ({low:.2f}–{high:.2f})"


def _measured_text(measured: Middle) -> str:
    if measured.interval is None:
        return f"{measured.median:.2f}"
    low, high = measured.interval
    return f"{measured.median:.2f} ({low:.2f}–{high:.2f})"


def as_json(runs: Iterable[SpeedRun]) -> list[dict[str, Any]]:
    """A run after the other: machine, setting, times in seconds an image, and ratios."""
    return [
        {
            "machine": {name: getattr(run.machine, name) for name in run.machine.__struct_fields__},
            "setting": {name: getattr(run.setting, name) for name in run.setting.__struct_fields__},
            "when": run.session.when,
            "command": run.session.command,
            "cspbench": run.session.cspbench,
            "commit": run.session.commit,
            "torch": run.session.packages.get("torch"),
            "picture": list(run.picture),
            "decoding": {decoder: _middle(middle(times)) for decoder, times in run.decoding.items()},
            "times": [_times(timing) for timing in run.timings],
            "ratios": [_ratio(ratio) for ratio in _ratios(run)],
        }
        for run in runs
    ]


def _times(timing: Timing) -> dict[str, Any]:
    facts = ("model", "network", "definition", "weights", "batch", "calls", "rounds", "candidates", "detections")
    return {
        **{name: getattr(timing, name) for name in facts},
        "size": list(timing.size),
        "memory_kib": timing.memory,
        "claimed": [{"device": rate.device, "fps": float(rate.value)} for rate in claims_of(timing)],
        "seconds": {_word(stage): _middle(middle(timing.seconds(stage))) for stage in STAGES},
        "fps": {_word(stage): _middle(middle(timing.seconds(stage)).inverse()) for stage in STAGES},
    }


def _word(stage: Stage) -> str:
    return stage.name.lower()


def _middle(result: Middle) -> dict[str, Any]:
    rounded = [None if ends is None else [float(f"{end:.6g}") for end in ends] for ends in _ends(result)]
    return {"median": float(f"{result.median:.6g}"), "quartiles": rounded[0], "interval": rounded[1]}


def _ends(result: Middle) -> tuple[tuple[float, float] | None, ...]:
    return result.quartiles, result.interval


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {
        "table": ratio.table,
        "above": ratio.names[0],
        "below": ratio.names[1],
        "definitions": [ratio.above.definition, ratio.below.definition],
        "rounds": ratio.above.rounds,
        "claimed": [
            {
                "device": each.above.device,
                "above": float(each.above.value),
                "below": float(each.below.value),
                "ratio": float(f"{each.value:.6g}"),
                "bounds": [float(f"{bound:.6g}") for bound in each.bounds],
            }
            for each in ratio.claimed
        ],
        "measured": {_word(stage): _middle(ratio.measured(stage)) for stage in STAGES},
    }


HEADER = (
    *("kind", "table", "above", "below", "precision", "compiled", "batch", "stage", "unit"),
    *("claimed", "median", "quartile_low", "quartile_high", "interval_low", "interval_high", "rounds", "machine"),
)


def as_csv(runs: Iterable[SpeedRun]) -> str:
    """A line for each frame rate (`above` alone) and each ratio, of each stage."""
    return flat_csv(HEADER, [line for run in runs for line in _csv_lines(run)])


def _csv_lines(run: SpeedRun) -> Iterator[list[object]]:
    setting = run.setting
    how = [setting.precision, "yes" if setting.compiled else "no"]
    for timing in run.timings:
        claimed = " ".join(map(_rate_text, claims_of(timing)))
        name = f"{timing.model} {'×'.join(map(str, timing.size))}"
        for stage in STAGES:
            numbers = _columns(middle(timing.seconds(stage)).inverse())
            kind = ["fps", None, name, None, *how, timing.batch, _word(stage), "fps", claimed]
            yield [*kind, *numbers, run.machine.name]
    for ratio in _ratios(run):
        claimed = "; ".join(map(_claimed_text, ratio.claimed))
        for stage in STAGES:
            numbers = _columns(ratio.measured(stage))
            kind = ["ratio", ratio.table, *ratio.names, *how, setting.batch, _word(stage), "1", claimed]
            yield [*kind, *numbers, run.machine.name]


def _columns(result: Middle) -> list[object]:
    ends = [None if end is None else f"{end:.6g}" for pair in _ends(result) for end in pair or (None, None)]
    return [f"{result.median:.6g}", *ends, result.rounds]


def as_latex(runs: Sequence[SpeedRun]) -> str:
    """The tables alone."""
    return latex_tables(blocks(runs))
