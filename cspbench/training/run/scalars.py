"""A run as TensorBoard shows it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cspbench.errors import UsageError
from cspbench.training.loop import Standing

FOLDER = "tensorboard"
"""In a run directory."""


def check() -> None:
    """Raise `UsageError` where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise UsageError(
            "usage.no-tensorboard",
            "--tensorboard needs the package tensorboard",
            found="not installed",
            remedy="Install cspbench[tensorboard], or leave --tensorboard out",
        )


class Scalars:
    """Event files in `folder`, whose scalars from iteration `first` on replace those of an interrupted session."""

    def __init__(self, folder: Path, first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=first)

    def add(self, standing: Standing) -> None:
        """Those of an iteration. Raises `OSError`."""
        update = standing.update
        values = {"loss": update.loss, "average": standing.average, "rate": update.rate}
        values |= update.parts
        if update.positives is not None:
            values["positives per truth"] = update.positives
        for name, value in {**values, "images per second": standing.images_per_second}.items():
            self._writer.add_scalar(f"training/{name}", value, update.iteration)

    def add_evaluation(self, metric: str, iteration: int, percent: float) -> None:
        """An evaluation's. Raises `OSError`."""
        self._writer.add_scalar(f"evaluation/{metric}", percent, iteration)

    def close(self) -> None:
        """Write what is left. Raises `OSError`."""
        self._writer.close()
