"""The shards of a study as the tasks of a Slurm array, through submitit (`cspbench[slurm]`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from cspbench.errors import IncompleteRunError, UsageError, brief
from cspbench.evaluation.execution import Execution
from cspbench.study.work import Shard, work

Cluster = Literal["slurm", "local"]
LOGS = "submitit"
MINUTES = 24 * 60


def submit(
    folder: Path,
    count: int,
    cluster: Cluster = "slurm",
    *,
    partition: str | None = None,
    minutes: int = MINUTES,
    execution: Execution | None = None,
) -> Sequence[Any]:
    """Submit a worker for each of `count` shards of the study in a folder that all machines share; submitit's jobs.

    `local` runs them as processes of this machine. Raises `UsageError` where submitit is not installed, or its cluster
    is not there.
    """
    try:
        import submitit
    except ImportError:
        raise UsageError(
            "usage.no-submitit",
            "a study on a cluster needs submitit",
            found="not installed",
            remedy="Install cspbench[slurm], or start --shard i/n on each machine",
        ) from None
    try:
        executor = submitit.AutoExecutor(folder / LOGS, cluster=cluster)
        executor.update_parameters(timeout_min=minutes, cpus_per_task=1, name="cspbench-study")
        if partition is not None:
            executor.update_parameters(slurm_partition=partition)
        with executor.batch():
            return [
                executor.submit(work, folder.absolute(), Shard(number, count), 1, execution or Execution())
                for number in range(1, count + 1)
            ]
    except (RuntimeError, OSError) as error:
        raise UsageError(
            "usage.no-cluster",
            "the cluster does not take the study",
            where=cluster,
            found=brief(str(error), 160),
            remedy="Start it where sbatch is installed, or start --shard i/n on each machine",
        ) from error


def wait(submitted: Sequence[Any]) -> None:
    """Wait for all of them. Raises `IncompleteRunError` where one failed."""
    for job in submitted:
        error = job.exception()
        if error is not None:
            raise IncompleteRunError(
                "incomplete.study-shard-failed",
                "a worker of the study failed",
                where=str(job.paths.stderr),
                found=brief(_cause(str(error)), 160),
                remedy="Read its log, and submit the study again: it goes on",
            )


def _cause(text: str) -> str:
    """The last error of a traceback."""
    lines = text.strip().splitlines()
    return next((line for line in reversed(lines) if line.startswith("cspbench.errors.")), lines[-1] if lines else "")
