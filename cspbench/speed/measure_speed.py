"""Times of models for a program or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cspbench.claims import tables as claims
from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.results.schema import Precision
from cspbench.results.speeds.middle import middle
from cspbench.results.speeds.record import Setting, SpeedRun, Stage
from cspbench.speed.measure import SECONDS, measure
from cspbench.speed.subjects import Size, of_models, of_tables
from cspbench.zoo import registry

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class SpeedResult:
    """Runs in the order in which they were measured."""

    runs: tuple[SpeedRun, ...]

    def frame(self) -> DataFrame:
        """A line for each network, setting and stage: milliseconds an image, frames per second, and their interval."""
        from pandas import DataFrame

        lines = []
        for run in self.runs:
            for timing in run.timings:
                for stage in Stage:
                    time = middle(timing.seconds(stage))
                    rate = time.inverse()
                    low, high = rate.interval or (None, None)
                    lines.append(
                        {
                            "model": timing.model,
                            "height": timing.size[0],
                            "width": timing.size[1],
                            "precision": run.setting.precision,
                            "compiled": run.setting.compiled,
                            "batch": timing.batch,
                            "stage": str(stage),
                            "ms": 1000 * time.median,
                            "fps": rate.median,
                            "fps_low": low,
                            "fps_high": high,
                            "rounds": time.rounds,
                            "machine": run.machine.name,
                        }
                    )
        return DataFrame(lines)


def measure_speed(
    models: str | Sequence[str] | None = None,
    *,
    tables: str | Sequence[str] | None = None,
    size: Size | None = None,
    batch: int | Literal["best"] = 1,
    precision: Precision = "fp32",
    compiled: bool = False,
    device: str | None = None,
    seconds: float = SECONDS,
    listener: Listener = SILENT,
) -> SpeedResult:
    """Time models of the catalogue in turns, or every row of these tables that has a frame rate or latency.

    `size` is the input (height, width) of the models, those of their rows by default; `seconds` is about the time for
    each. Raises `UsageError` for unknown names, and for both or neither of `models` and `tables`.
    """
    if (models is None) == (tables is None):
        raise UsageError(
            "usage.models-or-tables",
            "what is to be timed is not clear",
            expected="models or tables",
            found="both" if models is not None else "neither",
            remedy="Name one of them",
        )
    if tables is not None:
        groups = of_tables([claims.load(name) for name in claims.matching(_several(tables))])
    else:
        groups = [of_models([registry.model(name) for name in _several(models or ())], size)]
    setting = Setting(precision, compiled, batch)
    return SpeedResult(tuple(measure(groups, [setting], device=device, seconds=seconds, listener=listener)))


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names
