"""The studies of a run directory, one for each table, from what its trainings gave."""

from __future__ import annotations

from pathlib import Path

from cspbench.network.network import digest
from cspbench.results.schema import Session
from cspbench.retrained.studies import Miniature, StudiedRow, Study
from cspbench.retrained.studies import Variant as Studied
from cspbench.study.job import outcome
from cspbench.study.plan import Job, Plan, jobs
from cspbench.study.variants import RowVariant, Variant, variants


def studies(folder: Path, plan: Plan, session: Session) -> list[Study]:
    """Those of the plan's tables; without the variants that no training has ended of, and tables of no others."""
    by_variant: dict[Variant, list[Job]] = {}
    for job in jobs(plan):
        by_variant.setdefault(job.variant, []).append(job)
    of_tables = [_study(folder, plan, session, name, rows, by_variant) for name, rows in plan.rows().items()]
    return [study for study in of_tables if study is not None]


def _study(
    folder: Path,
    plan: Plan,
    session: Session,
    name: str,
    rows: tuple[RowVariant, ...],
    by_variant: dict[Variant, list[Job]],
) -> Study | None:
    of_table = variants(rows)
    studied = []
    for variant in of_table:
        by_seed = {job.seed: outcome(folder, job) for job in by_variant[variant]}
        outcomes = {str(seed): ended for seed, ended in by_seed.items() if ended is not None and seed < plan.seeds}
        if outcomes:
            studied.append(Studied(variant.name, [*variant.changes], outcomes))
    if not studied:
        return None
    names = {variant.name for variant in studied}
    by_id = {row.row.id: row for row in rows}
    listed = [_row(row, by_id[row.base.id] if row.base else None, names) for row in rows]
    return Study(name, miniature(plan, of_table[0]), studied, listed, session)


def _row(row: RowVariant, base: RowVariant | None, names: set[str]) -> StudiedRow:
    variant, before = (None if one is None or one.variant is None else one.variant.name for one in (row, base))
    lack = row.lack or (None if variant in names else "not trained")
    return StudiedRow(
        row.row.id,
        base.row.id if base else None,
        variant if variant in names else None,
        before if before in names else None,
        row.nms,
        base.nms if base else "",
        lack,
    )


def miniature(plan: Plan, variant: Variant) -> Miniature:
    """What stands for the networks of a table, with the settings that all its variants have in common."""
    network = plan.mini.network(variant.kind)
    chosen = plan.mini.chosen(Variant(variant.kind, era=variant.era), plan.iterations[variant.kind], 1)
    batch = getattr(chosen.recipe, "batch", 0) or chosen.recipe.net.images  # type: ignore[union-attr]
    parameters = sum(weight.size for index in range(len(network.layers)) for weight in network.weights(index))
    height, width = network.input[1:]
    return Miniature(
        model=network.name,
        network=digest(network),
        parameters=parameters,
        size=(height, width),
        iterations=plan.iterations[variant.kind],
        batch=batch,
        drawn=plan.data is None,
        precision=plan.precision,
    )
