"""What a study trains: each variant of its tables with each seed, once, whatever the number of tables that need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from cspbench.errors import RunError, UsageError, brief
from cspbench.io import read_file
from cspbench.results.encoding import SCHEMA, decode
from cspbench.results.schema import Count, Positive, Precision
from cspbench.results.store import LARGEST
from cspbench.study.miniature import ITERATIONS, Mini
from cspbench.study.variants import Kind, RowVariant, Variant, row_variants, variants

FILE = "study.json"
SEEDS = 3
MOST_SEEDS = 100


class Pictures(Struct, frozen=True):
    """How many pictures of a drawn set are trained on, and how many are held out."""

    train: Positive
    held: Positive


PICTURES: dict[Literal["classification", "detection"], Pictures] = {
    "classification": Pictures(2400, 800),
    "detection": Pictures(1600, 400),
}


class Plan(Struct, frozen=True):
    """Everything that decides a study's numbers: what `study.json` in its run directory holds."""

    tables: list[str]
    iterations: dict[Kind, Positive]
    seeds: Annotated[int, Meta(ge=1, le=MOST_SEEDS)] = SEEDS
    data: str | None = None
    """The user's data; None for drawn pictures."""
    model: str | None = None
    width: Annotated[float, Meta(gt=0, le=16)] = 1.0
    size: Positive | None = None
    classification: Pictures = PICTURES["classification"]
    detection: Pictures = PICTURES["detection"]
    precision: Precision = "fp32"
    device: str | None = None
    evaluations: Count = 4
    """Of a training, the last one included; they are the points of the learning curves."""
    schema: int = SCHEMA

    @property
    def mini(self) -> Mini:
        return Mini(self.model, self.width, self.size)

    def rows(self) -> dict[str, tuple[RowVariant, ...]]:
        """The rows of each table."""
        return {name: row_variants(name) for name in self.tables}

    def variants(self) -> list[Variant]:
        """The different variants of all tables."""
        return variants([row for rows in self.rows().values() for row in rows])

    def thresholds(self) -> list[str]:
        """Those that detectors are scored at: the usual one, and those of the tables' rows."""
        named = {row.nms for rows in self.rows().values() for row in rows if row.nms and row.variant is not None}
        return sorted({USUAL, *named}, key=float)


USUAL = "0.45"
"""The NMS threshold of the README's detectors."""


@dataclass(frozen=True)
class Job:
    """One training; `start` is the job whose weights are its backbone."""

    variant: Variant
    seed: int
    iterations: int
    start: Job | None = None

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.variant.kind}-{self.variant.name}-seed{self.seed}"


def jobs(plan: Plan) -> list[Job]:
    """All trainings, seed by seed: classifiers first, of which one is the backbone of the detectors."""
    every = plan.variants()
    backbone = Job(Variant("classifier"), 0, plan.iterations.get("classifier", ITERATIONS["classifier"]))
    shared = plan.mini.shares_backbone and any(variant.kind == "detector" for variant in every)
    listed = [
        Job(variant, seed, plan.iterations[variant.kind], backbone if shared and variant.kind == "detector" else None)
        for seed in range(plan.seeds)
        for variant in sorted(every, key=lambda variant: KINDS.index(variant.kind))
    ]
    return [*([backbone] if shared and backbone not in listed else []), *listed]


KINDS: tuple[Kind, ...] = ("classifier", "detector", "yolox")


def planned(
    names: Sequence[str],
    *,
    data: str | None = None,
    model: str | None = None,
    width: float = 1.0,
    size: int | None = None,
    iterations: int | None = None,
    seeds: int = SEEDS,
    precision: Precision = "fp32",
    device: str | None = None,
) -> Plan:
    """The plan of a study of these tables. Raises `UsageError` for what cannot go together."""
    rows = [row for name in names for row in row_variants(name)]
    kinds = sorted({variant.kind for variant in variants(rows)}, key=KINDS.index)
    if len(kinds) > 1 and (data is not None or model is not None or size is not None):
        option = next(option for option, value in _options(data, model, size).items() if value is not None)
        raise UsageError(
            "usage.study-kinds",
            f"{option} is of one kind of network, and the tables are of several",
            expected="tables of classifiers, of detectors, or of YOLOX",
            found=", ".join(f"{name} ({_kind(name)})" for name in names),
            remedy=f"Study them one after the other, or leave {option} out",
        )
    counts: dict[Kind, int] = {kind: iterations or ITERATIONS[kind] for kind in kinds}
    if model is None and "detector" in kinds:
        counts.setdefault("classifier", iterations or ITERATIONS["classifier"])
    plan = Plan(
        [*names],
        counts,
        seeds,
        data,
        model,
        width,
        size,
        PICTURES["classification"],
        PICTURES["detection"],
        precision,
        device,
    )
    for kind in kinds:
        plan.mini.network(kind)
    return plan


def _options(data: str | None, model: str | None, size: int | None) -> dict[str, object]:
    return {"--data": data, "--model": model, "--size": size}


def _kind(name: str) -> str:
    return next(iter(variants(row_variants(name)))).kind


def read(path: Path) -> Plan:
    """The plan in a study's run directory. Raises `RunError`."""
    try:
        return decode(read_file(path / FILE, LARGEST), Plan)
    except (OSError, ValueError) as error:
        raise RunError(
            "run.not-a-study",
            "the plan of a study cannot be read",
            where=str(path / FILE),
            found=brief(str(error), 160),
            remedy="Choose another --run",
        ) from error


def differences(stored: Plan, wanted: Plan) -> list[str]:
    """What differs between two plans, in words."""
    before, now = structs.asdict(stored), structs.asdict(wanted)
    return [f"{key} {_text(now[key])} in place of {_text(before[key])}" for key in before if before[key] != now[key]]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def with_numbers(plan: Plan, seeds: int, share: float) -> Plan:
    """The same with other seeds, and a share of the iterations."""
    counts = {kind: max(1, round(count * share)) for kind, count in plan.iterations.items()}
    return structs.replace(plan, seeds=seeds, iterations=counts)
