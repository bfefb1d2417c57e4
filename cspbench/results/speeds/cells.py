"""Measured frame rates and latencies as measurements of the tables' cells; none is ever judged.

The cell's number is the median at batch 1 in fp32, eager, with the boxes decoded and suppressed and without image
loading, because Darknet's demo loads the next image in another thread. The section on speed has the other settings.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from decimal import Decimal

from cspbench.claims import tables
from cspbench.claims.frame_rates import METRICS, of_row
from cspbench.claims.model import Cell, Row
from cspbench.claims.verdict import Deviation, Measurement, Reason
from cspbench.results.measurements import CellMeasurement, Key
from cspbench.results.provenance import Provenance
from cspbench.results.speeds.middle import middle
from cspbench.results.speeds.record import Setting, SpeedRun, Stage, Timing
from cspbench.results.store import without_folders
from cspbench.zoo.registry import MODELS
from cspbench.zoo.registry import provenance as of_model

SETTING = Setting()
"""The setting of the cells."""
STAGE = Stage.BOXES


def by_cell(runs: Iterable[SpeedRun]) -> dict[Key, list[CellMeasurement]]:
    """The frame rates and latencies by cell, the newest first."""
    rows = [row for table in tables.load_all(kind=None) for row in table.rows if of_row(row)]
    cells: dict[Key, list[CellMeasurement]] = {}
    for run in sorted(runs, key=lambda run: run.session.when, reverse=True):
        for timing in run.timings if run.setting == SETTING else ():
            for row in rows:
                for cell in (row.cells[name] for name in METRICS if name in row.cells):
                    if (row.model, row.size) == timing.key and (cell.value is not None or cell.values):
                        measurement = _of_cell(row, cell, run, timing)
                        cells.setdefault(measurement.key, []).append(measurement)
    return cells


def _of_cell(row: Row, cell: Cell, run: SpeedRun, timing: Timing) -> CellMeasurement:
    seconds = timing.seconds(STAGE)
    rate = middle([1000 * value for value in seconds]) if cell.metric == "latency" else middle(seconds).inverse()
    about = f"on {run.machine.name}: {STAGE}, {run.setting.name}, median of {rate.rounds} rounds"
    deviations = [Deviation(about, Reason.HARDWARE)]
    if _digest(timing) != timing.network:
        deviations.append(Deviation("the network has changed since"))
    session = run.session
    return CellMeasurement(
        row,
        cell,
        Measurement(Decimal(f"{rate.median:.6g}"), None, tuple(deviations), interval=rate.interval),
        Provenance(
            shlex.join(without_folders(session.command)),
            session.cspbench,
            session.commit,
            when=session.when or None,
            definition=of_model(timing.model),
            weights=timing.weights,
            data=f"a drawn picture of {'×'.join(map(str, run.picture))} pixels",
            precision=run.setting.precision,
        ),
        timing.model,
        timing.size,
    )


def _digest(timing: Timing) -> str | None:
    """The digest of the catalogue's network as it is now."""
    entry = MODELS.get(timing.model)
    return None if entry is None else entry.digest(timing.size)
